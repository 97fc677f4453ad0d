/*
 * log-script [OPTION]... DIR - what log-mess wrote into DIR, followed as it arrives.
 *
 * The live merge of rejoin-log -f in one process: each line of DIR/script is
 * "MS SOURCE TEXT", TEXT arrives from SOURCE at MS on a scripted clock, and a line
 * that begins with a blank belongs to the one before.  Nothing waits for real.
 *
 *	--hold MS	as of rejoin-log (0)
 *	--json		records as JSON
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "log/run.h"
#include "log/live.h"

enum { SOURCES_MAX = 16, LINE = 4096 };

struct feeding {
	struct loop *loop;
	FILE *script;
	struct feed *feed[SOURCES_MAX];
	unsigned n;
	struct loop_timer next;
	int64_t start_ms, first_ms;	/* on the scripted clock, and of the script */
	char line[LINE];
	bool has_line;
};

static void
ignore_start(struct source *s, void *cookie)
{
	(void)s;
	(void)cookie;
}

static void
ignore(void *cookie)
{
	(void)cookie;
}

static void
tell(const struct fail *f, void *cookie)
{
	(void)cookie;
	diag(0, "%s", f->text);
}

static int
feed_begin(struct feed *f, struct fail *why)
{
	(void)f;
	(void)why;
	return 0;
}

static void
feed_drop(struct feed *f)
{
	feed_release(f);
	free(f);
}

static const struct feed_ops ops = { .start = feed_begin, .free = feed_drop };

static bool
is_head(const char *line)
{
	return *line >= '0' && *line <= '9';
}

static void arm(struct feeding *x);

/* The line that is due, and those that belong to it. */
static void
put_due(void *cookie)
{
	struct feeding *x = cookie;
	char *text;
	unsigned long source;

	strtoll(x->line, &text, 10);
	source = strtoul(text, &text, 10);
	text += *text == ' ';
	if (source >= x->n)
		die(EXIT_TROUBLE, 0, "no source %lu", source);
	{
		_cleanup_buf_ struct buf b = BUF_INIT;

		buf_puts(&b, text);
		while ((x->has_line = fgets(x->line, sizeof x->line, x->script) != NULL) && !is_head(x->line))
			buf_puts(&b, x->line);
		feed_push(x->feed[source], b.s, b.len);
	}
	arm(x);
}

static void
arm(struct feeding *x)
{
	int64_t at;

	if (!x->has_line) {
		for (unsigned i = 0; i < x->n; i++)
			feed_end(x->feed[i]);
		return;
	}
	at = strtoll(x->line, NULL, 10);
	if (x->first_ms < 0)
		x->first_ms = at;
	at += x->start_ms - x->first_ms - clock_mono_ms();
	loop_timer_set(x->loop, &x->next, at > 0 ? at : 0);
}

static FILE *
open_in(const char *dir, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "r");

	if (!f)
		die(EXIT_TROUBLE, errno, "%s", path);
	return f;
}

/* The options that log-mess chose. */
static void
read_options(struct run *run, const char *dir)
{
	FILE *f = open_in(dir, "options");
	char line[LINE];

	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line != '-' && num_parse_duration(line, &run->patience_ms) < 0)
			die(EXIT_TROUBLE, 0, "%s/options: '%s'", dir, line);
	}
	fclose(f);
}

static void
add_sources(struct feeding *x, struct live *live, const char *dir)
{
	FILE *f = open_in(dir, "operands");
	struct source_specs specs = { .live = true };
	struct fail why;
	char line[LINE];

	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (source_specs_add(&specs, line, &why) < 0)
			fail_die(&why);
	}
	fclose(f);
	source_specs_finish(&specs);
	if (specs.n > SOURCES_MAX)
		die(EXIT_TROUBLE, 0, "more than %d sources", SOURCES_MAX);
	for (; x->n < specs.n; x->n++) {
		struct feed *feed = xcalloc(1, sizeof *feed);

		feed_init(feed, &ops, specs.v[x->n].name);
		x->feed[x->n] = feed;
		if (live_add(live, &specs.v[x->n], feed, JSON_ABSENT, &why) < 0)
			fail_die(&why);
	}
	source_specs_release(&specs);
}

int
main(int argc, char *argv[])
{
	struct run run = { .patience_ms = 5000, .buffer_bytes = 64 << 20, .filter = FILTER_ALL };
	struct live_spec spec = { .opened = ignore_start, .caught_up = ignore, .written = ignore, .tell = tell };
	struct feeding x = { .start_ms = 1000000, .first_ms = -1 };
	struct formats formats = { NULL, 0 };
	struct causal_count c = { 0 };
	_cleanup_free_ char *rules = NULL;
	struct render out;
	struct live *live;
	struct fail f;
	const char *dir;
	int i = 1;

	diag_init(argv);
	for (; i < argc - 1; i++) {
		if (strcmp(argv[i], "--json") == 0)
			run.style.json = true;
		else if (strcmp(argv[i], "--hold") != 0 || num_parse(argv[++i], 0, 86400000, &spec.hold_ms) < 0)
			die(EXIT_USAGE, 0, "usage: log-script [--hold MS] [--json] DIR");
	}
	if (i >= argc)
		die(EXIT_USAGE, 0, "usage: log-script [--hold MS] [--json] DIR");
	dir = argv[i];
	rules = xasprintf("%s/rules.conf", dir);
	read_options(&run, dir);
	if (rules_load(&run.rules, rules, &f) < 0 || formats_load(&formats, &f) < 0)
		fail_die(&f);
	clock_script(x.start_ms);
	render_init(&out, STDOUT_FILENO, run.style.json ? &run.style : NULL);
	run_scheduler_spec(&run, &spec.merge);
	spec.patience_ms = run.patience_ms;
	spec.formats = &formats;
	spec.domains = domains_new();
	x.loop = loop_new();
	x.next = (struct loop_timer){ .fn = put_due, .cookie = &x };
	x.script = open_in(dir, "script");
	live = live_new(x.loop, &spec, &out, &c);
	add_sources(&x, live, dir);
	x.has_line = fgets(x.line, sizeof x.line, x.script) != NULL;
	arm(&x);
	loop_run(x.loop);
	render_flush(&out);
	live_free(live);
	render_release(&out);
	loop_free(x.loop);
	domains_free(spec.domains);
	fclose(x.script);
	rules_release(&run.rules);
	formats_release(&formats);
	fprintf(stderr, "%jd records, %jd unmatched, %jd late, %jd edges of cycles dropped, %jd gaps, %jd released early, "
	    "%jd behind\n", (intmax_t)c.records, (intmax_t)c.unmatched, (intmax_t)c.late, (intmax_t)c.dropped,
	    (intmax_t)c.gaps, (intmax_t)c.overflow, (intmax_t)c.behind);
	return 0;
}
