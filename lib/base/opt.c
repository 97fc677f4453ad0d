#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/num.h"
#include "base/opt.h"

enum { OPT_MAX = 40 };

static int misuse = EXIT_USAGE;

static void
help(const struct opt *opts, const char *synopsis)
{
	char left[64];

	printf("usage: %s %s\n\n", diag_name(), synopsis);
	for (; opts->name; opts++) {
		snprintf(left, sizeof left, "--%s%s%s", opts->name,
		    opts->arg ? " " : "", opts->arg ? opts->arg : "");
		if (opts->key <= 255)
			printf("  -%c, %-24s %s\n", opts->key, left, opts->help);
		else
			printf("      %-24s %s\n", left, opts->help);
	}
}

void
opt_passes_on(int status)
{
	misuse = status;
}

void
opt_misused(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof text, fmt, ap);
		va_end(ap);
		diag(0, "%s", text);
	}
	fprintf(stderr, "try '%s --help'\n", diag_name());
	exit(misuse);
}

int
opt_next(int argc, char *argv[], const struct opt *opts, const char *synopsis)
{
	static char letters[2 * OPT_MAX + 2] = "+";
	static struct option longs[OPT_MAX + 1];
	char *l = letters + 1;
	int n, key;

	for (n = 0; opts[n].name; n++) {
		assert(n < OPT_MAX);
		longs[n] = (struct option){ opts[n].name,
		    opts[n].arg ? required_argument : no_argument, NULL, opts[n].key };
		if (opts[n].key <= 255) {
			*l++ = (char)opts[n].key;
			if (opts[n].arg)
				*l++ = ':';
		}
	}
	for (;;) {
		switch (key = getopt_long(argc, argv, letters, longs, NULL)) {
		case 'h':
			help(opts, synopsis);
			finish(EXIT_OK);
		case 'V':
			printf("%s %s\n", diag_name(), VERSION);
			finish(EXIT_OK);
		case 'q':
			diag_set_level(DIAG_QUIET);
			break;
		case 'v':
			diag_set_level(DIAG_VERBOSE);
			break;
		case OPT_KEY_SYSLOG:
			diag_to_syslog();
			break;
		case '?':
			opt_misused(NULL);
		default:
			return key;
		}
	}
}

int64_t
opt_duration(const char *what)
{
	int64_t ms = 0;

	if (num_parse_duration(optarg, &ms) < 0)
		opt_misused("not a duration for %s: '%s' (such as 250ms, 5s, 2m, 1h)", what, optarg);
	return ms;
}

int64_t
opt_number(const char *what, int64_t lo, int64_t hi)
{
	int64_t n = 0;
	int r = num_parse(optarg, lo, hi, &n);

	if (r == -ERANGE)
		opt_misused("%s must be from %jd to %jd: '%s'", what, (intmax_t)lo, (intmax_t)hi, optarg);
	if (r < 0)
		opt_misused("not a number for %s: '%s'", what, optarg);
	return n;
}

unsigned
opt_word(const char *what, const char *const *words)
{
	for (unsigned i = 0; words[i]; i++)
		if (strcmp(optarg, words[i]) == 0)
			return i;
	opt_misused("%s: not known: '%s'", what, optarg);
}
