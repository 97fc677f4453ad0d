#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/argv.h"
#include "base/diag.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/opt_help.h"
#include "base/suggest.h"

static int misuse = EXIT_USAGE;

void
opt_passes_on(int status)
{
	misuse = status;
}

__attribute__((format(printf, 2, 0))) static void
usage_report(const char *hint, const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof text, fmt, ap);
	diag(0, "%s", text);
	if (hint && *hint)
		diag_hint("%s", hint);
	else
		diag_hint("try '%s --help'", diag_name());
	exit(misuse);
}

void
opt_misused(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	usage_report(NULL, fmt, ap);
	abort();
}

void
opt_misused_hint(const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	usage_report(hint, fmt, ap);
	abort();
}

void
opt_unknown_command(const struct opt_tool *tool, const char *command)
{
	_cleanup_buf_ struct buf hint = BUF_INIT;
	struct suggest near;

	suggest_begin(&near, command);
	suggest_offer_list(&near, tool->words);
	suggest_hint(&near, "commands", &hint);
	opt_misused_hint(hint.s, "%s: unknown command", command);
}

/* The name of the current option, as messages have it. */
static const char *
current_name(const struct opt_scan *s, char text[64])
{
	snprintf(text, 64, "--%s", s->opt->name);
	return text;
}

/* --- the scan */

void
opt_begin(struct opt_scan *s, int argc, char *argv[], const struct opt_tool *tool)
{
	*s = (struct opt_scan){ .tool = tool, .argv = argv, .argc = argc, .next = argc ? 1 : 0, .separator = -1 };
	s->operands = argv + s->next;
	if (argc == 2 && strcmp(argv[1], "--print-options") == 0) {
		opt_help_print(tool);
		finish(EXIT_OK);
	}
}

/* The operands are gathered at the front of argv, where nothing is left to be scanned. */
static void
add_operand(struct opt_scan *s, char *word)
{
	s->operands[s->n_operands++] = word;
}

static void
add_rest(struct opt_scan *s)
{
	while (s->next < s->argc)
		add_operand(s, s->argv[s->next++]);
}

/* Everything is scanned but what follows NEXT, if it is a "--". */
static int
end_scan(struct opt_scan *s)
{
	if (s->next < s->argc) {
		s->separator = s->next++;
		if (s->tool->has_command)
			s->command = s->argv + s->next;
		else
			add_rest(s);
		s->next = s->argc;
	}
	/* at the latest the place of the "--", or of argv's own NULL */
	s->operands[s->n_operands] = NULL;
	s->opt = NULL;
	s->arg = NULL;
	return -1;
}

static bool
is_stop(const struct opt_scan *s, const char *word)
{
	const char *stop = s->tool->stop;

	return stop && s->n_operands == 0 && (!*stop || strcmp(stop, word) == 0);
}

static void __attribute__((noreturn))
unknown_long(const struct opt_scan *s, const char *name, size_t len)
{
	_cleanup_buf_ struct buf hint = BUF_INIT;
	struct suggest near;
	char wrong[SUGGEST_WORD];

	snprintf(wrong, sizeof wrong, "%.*s", (int)len, name);
	suggest_begin(&near, wrong);
	for (const struct opt *o = s->tool->opts; o->name; o++)
		suggest_offer(&near, o->name);
	if (suggest_nearest(&near))
		buf_printf(&hint, "did you mean '--%s'? try '%s --help'", suggest_nearest(&near), diag_name());
	opt_misused_hint(hint.s, "--%.*s: unknown option", (int)len, name);
}

static void __attribute__((noreturn))
option_is_ambiguous(const struct opt_scan *s, const char *name, size_t len)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (const struct opt *o = s->tool->opts; o->name; o++)
		if (strncmp(o->name, name, len) == 0)
			buf_printf(&b, "%s--%s", b.len ? ", " : "", o->name);
	opt_misused("--%.*s: ambiguous option: %s", (int)len, name, b.s);
}

/* The option with the long NAME of LEN bytes, or the only one that begins with it. */
static const struct opt *
find_long(const struct opt_scan *s, const char *name, size_t len)
{
	const struct opt *found = NULL;
	int n = 0;

	for (const struct opt *o = s->tool->opts; o->name; o++) {
		if (strncmp(o->name, name, len) != 0)
			continue;
		if (!o->name[len])
			return o;
		found = o;
		n++;
	}
	if (n == 0 || len == 0)
		unknown_long(s, name, len);
	if (n > 1)
		option_is_ambiguous(s, name, len);
	return found;
}

/* The argument of the current option, which is the next element. */
static void
take_argument(struct opt_scan *s)
{
	char name[64];

	if (s->next == s->argc)
		opt_misused("%s: requires an argument %s", current_name(s, name), s->opt->arg);
	s->arg = s->argv[s->next++];
}

static void
scan_long(struct opt_scan *s, char *word)
{
	size_t len = strcspn(word, "=");

	s->next++;
	s->opt = find_long(s, word, len);
	s->arg = NULL;
	if (word[len] && !s->opt->arg)
		opt_misused("--%s: takes no argument: '%s'", s->opt->name, word + len + 1);
	if (word[len])
		s->arg = word + len + 1;
	else if (s->opt->arg)
		take_argument(s);
}

static void __attribute__((noreturn))
unknown_letter(const struct opt_scan *s, const char *cluster)
{
	const char *word = s->argv[s->next - 1] + 1;

	/* "-json" is meant to be "--json" */
	for (const struct opt *o = s->tool->opts; word[1] && o->name; o++)
		if (strncmp(o->name, word, strcspn(word, "=")) == 0) {
			char hint[128];

			snprintf(hint, sizeof hint, "did you mean '--%s'? try '%s --help'", o->name, diag_name());
			opt_misused_hint(hint, "-%s: unknown option", word);
		}
	opt_misused("-%.1s: unknown option", cluster);
}

static void
scan_short(struct opt_scan *s)
{
	const struct opt *o = s->tool->opts;
	char letter = *s->cluster;

	while (o->name && o->key != (unsigned char)letter)
		o++;
	if (!o->name)
		unknown_letter(s, s->cluster);
	s->opt = o;
	s->arg = NULL;
	s->cluster++;
	if (o->arg && *s->cluster) {
		s->arg = s->argv[s->next - 1] + (s->cluster - s->argv[s->next - 1]);
		s->cluster = NULL;
	} else if (o->arg) {
		s->cluster = NULL;
		take_argument(s);
	} else if (!*s->cluster) {
		s->cluster = NULL;
	}
}

/* The next option into S; false after the last. */
static bool
arguments_scan(struct opt_scan *s)
{
	while (!s->cluster && s->next < s->argc) {
		char *word = s->argv[s->next];

		if (strcmp(word, "--") == 0)
			return false;
		if (word[0] == '-' && word[1] == '-') {
			scan_long(s, word + 2);
			return true;
		}
		if (word[0] == '-' && word[1]) {
			s->cluster = word + 1;
			s->next++;
			break;
		}
		if (is_stop(s, word)) {
			add_rest(s);
			return false;
		}
		add_operand(s, word);
		s->next++;
	}
	if (!s->cluster)
		return false;
	scan_short(s);
	return true;
}

int
opt_next(struct opt_scan *s)
{
	while (arguments_scan(s)) {
		switch (s->opt->key) {
		case 'h':
			opt_help(s->tool);
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
		default:
			return s->opt->key;
		}
	}
	return end_scan(s);
}

char *
opt_another(struct opt_scan *s)
{
	return s->next < s->argc ? s->argv[s->next++] : NULL;
}

void
opt_no_operands(const struct opt_scan *s)
{
	if (s->n_operands > 0)
		opt_misused("%s: unexpected operand", *s->operands);
}

/* --- arguments */

int64_t
opt_duration(const struct opt_scan *s)
{
	char name[64];
	int64_t ms = 0;

	if (num_parse_duration(s->arg, &ms) < 0)
		opt_misused_hint("a duration is a number with its unit, such as 250ms, 5s, 2m, 1h, 1d",
		    "%s: not a duration: '%s'", current_name(s, name), s->arg);
	return ms;
}

int64_t
opt_number(const struct opt_scan *s, int64_t lo, int64_t hi)
{
	char name[64];
	int64_t n = 0;
	int r = num_parse(s->arg, lo, hi, &n);

	if (r == -ERANGE)
		opt_misused("%s: not from %jd to %jd: '%s'", current_name(s, name), (intmax_t)lo,
		    (intmax_t)hi, s->arg);
	if (r < 0)
		opt_misused("%s: not a number: '%s'", current_name(s, name), s->arg);
	return n;
}

int64_t
opt_size(const struct opt_scan *s, int64_t lo, int64_t hi)
{
	char name[64];
	int64_t n = 0;
	int r = num_parse_size(s->arg, &n);

	if (r == 0 && (n < lo || n > hi))
		opt_misused("%s: not from %jd to %jd bytes: '%s'", current_name(s, name), (intmax_t)lo,
		    (intmax_t)hi, s->arg);
	if (r < 0)
		opt_misused_hint("a size is a number of bytes, or one with its unit, such as 64K, 16M, 1G",
		    "%s: not a size: '%s'", current_name(s, name), s->arg);
	return n;
}

/* The index of WORD in LIST, which has blanks between its words; -1 where it is not there. */
static int
index_in(const char *list, const char *word)
{
	for (int i = 0; *list; i++) {
		size_t n = strcspn(list, " ");

		if (strlen(word) == n && memcmp(list, word, n) == 0)
			return i;
		list += n + strspn(list + n, " ");
	}
	return -1;
}

static void __attribute__((noreturn))
unknown_choice(const char *what, const char *word, const char *list)
{
	_cleanup_buf_ struct buf hint = BUF_INIT;
	struct suggest near;

	suggest_begin(&near, word);
	suggest_offer_list(&near, list);
	suggest_hint(&near, "choices", &hint);
	opt_misused_hint(hint.s, "%s: unknown choice: '%s'", what, word);
}

unsigned
opt_choice(const struct opt_scan *s)
{
	int i = index_in(s->opt->choices, s->arg);
	char name[64];

	if (i < 0)
		unknown_choice(current_name(s, name), s->arg, s->opt->choices);
	return (unsigned)i;
}

int
opt_environment_format(const struct opt_tool *tool)
{
	static const char any[] = "jsonl json table tsv kv adu text";
	const char *word = secure_getenv("REJOIN_FORMAT");

	if (!word || !*word)
		return -1;
	if (index_in(any, word) < 0)
		unknown_choice("REJOIN_FORMAT", word, any);
	for (const struct opt *o = tool->opts; o->name; o++)
		if (o->key == OPT_KEY_FORMAT)
			return index_in(o->choices, word);
	return -1;
}

char **
opt_argv(const struct opt_scan *s)
{
	const char *why = "is empty";
	char **v = argv_split(s->arg, &why);
	char name[64];

	if (!v || !*v)
		opt_misused("%s: not a command: %s: '%s'", current_name(s, name), why, s->arg);
	return v;
}
