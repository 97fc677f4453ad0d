/*
 * rejoin-log - many logs as one, in causal order
 *
 * Reads each source, or those of the agent's profile where none is named, and
 * prints all their records by time, but none before one that caused it.  A
 * source that cannot be read is reported and passed over; the tool then ends
 * with EXIT_NO.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "log/check.h"
#include "log/job.h"

enum {
	OPT_BUFFER = OPT_OWN, OPT_CHECK, OPT_EXACT, OPT_EXCLUDE, OPT_EXPLAIN, OPT_INCLUDE, OPT_LEVEL, OPT_OFFSET,
	OPT_ORDER, OPT_PATIENCE, OPT_PREFIX, OPT_RAW, OPT_RULES, OPT_SINCE, OPT_STRICT, OPT_UNTIL,
};

static const struct opt opts[] = {
	OPT_AGENT,
	{ OPT_BUFFER, "buffer", "SIZE", "hold at most about SIZE of records that wait" },
	{ OPT_CHECK, "check", NULL, "report what a merged log has in the wrong order" },
	{ OPT_EXACT, "exact", NULL, "read files twice, and violate no edge" },
	{ OPT_EXCLUDE, "exclude", "RE", "leave out records that match RE" },
	{ OPT_EXPLAIN, "explain", NULL, "say why each record stands where it does" },
	OPT_FORMAT,
	{ OPT_INCLUDE, "include", "RE", "show only records that match RE" },
	OPT_JSON,
	{ OPT_LEVEL, "level", "L", "leave out what is less severe than L" },
	{ 'n', "lines", "N", "show only the last N records" },
	{ OPT_OFFSET, "offset", "OFF", "auto, off or NAME=DUR: how far a clock is ahead" },
	{ OPT_ORDER, "order", "ORDER", "causal, minimax or time" },
	{ OPT_PATIENCE, "patience", "DUR", "how long a record waits for one that is missing" },
	{ OPT_PREFIX, "prefix", "WHEN", "auto, always or never: the source before each record" },
	{ OPT_RAW, "raw", NULL, "write control bytes to a terminal as they are" },
	{ OPT_RULES, "rules", "FILE", "use the rules of FILE, too" },
	{ OPT_SINCE, "since", "TIME", "show records from TIME on" },
	{ OPT_STRICT, "strict", NULL, "end with 1 where an edge was violated or dropped" },
	{ OPT_UNTIL, "until", "TIME", "show records before TIME" },
	OPT_COMMON
};

struct offset {
	const char *name;
	size_t len;
	int64_t ns;
};

struct settings {
	const char *agent;
	bool check, strict, raw;
	enum { NEVER, AUTO, ALWAYS } prefix;
	struct job job;
	struct offset offsets[64];
	size_t n_offsets;
};

static int64_t
point_in_time(const char *what)
{
	struct zone *zone;
	int64_t ns = 0;

	if (zone_open("local", &zone) < 0 || time_parse_text(optarg, zone, time(NULL), &ns) < 0)
		opt_misused("not a time for %s: '%s' (such as 2026-11-21T20:16:00Z, 2026-11-21, or 10m for 10 minutes ago)",
		    what, optarg);
	zone_free(zone);
	return ns;
}

static void
set_regex(struct regex **slot, const char *what)
{
	struct fail f;

	regex_free(*slot);
	*slot = regex_new(what, optarg, &f);
	if (!*slot)
		fail_die(&f);
}

static void
set_offset(struct settings *set)
{
	char *eq = strrchr(optarg, '=');
	bool negative = eq && eq[1] == '-';
	int64_t ms;

	if (strcmp(optarg, "auto") == 0 || strcmp(optarg, "off") == 0) {
		set->job.estimate = strcmp(optarg, "auto") == 0;
		return;
	}
	if (!eq || eq == optarg || num_parse_duration(eq + 1 + (negative || eq[1] == '+'), &ms) < 0 ||
	    ms > INT64_C(100000000000) || set->n_offsets == sizeof set->offsets / sizeof *set->offsets)
		opt_misused("not an offset: '%s' (such as auto, off, NAME=200ms, NAME=-2s)", optarg);
	set->offsets[set->n_offsets++] = (struct offset){ optarg, (size_t)(eq - optarg), (negative ? -ms : ms) * 1000000 };
}

static void
set_option(struct settings *set, int key)
{
	static const char *const orders[] = { "causal", "minimax", "time", NULL };
	static const char *const prefixes[] = { "never", "auto", "always", NULL };
	static const char *const formats[] = { "text", "jsonl", NULL };
	struct fail f;

	switch (key) {
	case 'A':
		set->agent = optarg;
		break;
	case 'n':
		set->job.style.last = (unsigned long)opt_number("--lines", 1, 10000000);
		break;
	case OPT_BUFFER:
		if (num_parse_size(optarg, &set->job.buffer_bytes) < 0 || set->job.buffer_bytes < 1 << 16)
			opt_misused("not a size of at least 64K for --buffer: '%s'", optarg);
		break;
	case OPT_CHECK:
		set->check = true;
		break;
	case OPT_EXACT:
		set->job.exact = true;
		break;
	case OPT_EXCLUDE:
		set_regex(&set->job.filter.exclude, "--exclude");
		break;
	case OPT_EXPLAIN:
		set->job.style.explain = true;
		break;
	case OPT_KEY_FORMAT:
		set->job.style.json = opt_word("--format", formats) == 1;
		break;
	case OPT_INCLUDE:
		set_regex(&set->job.filter.include, "--include");
		break;
	case OPT_KEY_JSON:
		set->job.style.json = true;
		break;
	case OPT_LEVEL:
		set->job.filter.level = format_level((struct span){ optarg, strlen(optarg) });
		if (set->job.filter.level < 0)
			opt_misused("not a level: '%s' (such as error, warning, info, debug)", optarg);
		break;
	case OPT_OFFSET:
		set_offset(set);
		break;
	case OPT_ORDER:
		set->job.order = opt_word("--order", orders);
		break;
	case OPT_PATIENCE:
		set->job.patience_ms = opt_duration("--patience");
		if (set->job.patience_ms > 86400000)
			opt_misused("--patience is more than a day: '%s'", optarg);
		break;
	case OPT_PREFIX:
		set->prefix = opt_word("--prefix", prefixes);
		break;
	case OPT_RAW:
		set->raw = true;
		break;
	case OPT_RULES:
		if (rules_load(&set->job.rules, optarg, &f) < 0)
			fail_die(&f);
		break;
	case OPT_SINCE:
		set->job.filter.since_ns = point_in_time("--since");
		break;
	case OPT_STRICT:
		set->strict = true;
		break;
	case OPT_UNTIL:
		set->job.filter.until_ns = point_in_time("--until");
		break;
	default:
		abort();
	}
}

/* A source that is passed over; COOKIE is the bool that remembers it. */
static void
problem(const struct fail *f, void *cookie)
{
	diag(0, "%s", f->text);
	*(bool *)cookie = true;
}

static void
list_sources(const char *agent, char *operands[], struct specs *specs, bool *failed)
{
	_cleanup_profile_ struct profile *p = *operands ? NULL : profile_load_or_die(agent);
	struct fail f;

	for (size_t i = 0; p && i < p->n_logs; i++)
		if (specs_add_log(specs, &p->logs[i], &f) < 0)
			problem(&f, failed);
	for (; *operands; operands++)
		if (specs_add(specs, *operands, &f) < 0) {
			if (f.status == EXIT_USAGE)
				fail_die(&f);
			problem(&f, failed);
		}
	specs_finish(specs);
}

static void
tell_violation(const struct violation *v, void *cookie)
{
	(void)cookie;
	printf("%s:%jd: stands before line %jd, which it follows (%s)\n", v->source->name, (intmax_t)v->line,
	    (intmax_t)v->cause, v->what);
}

static bool
check(const struct settings *set, struct sources *all)
{
	int64_t found = 0, records = 0;

	for (unsigned i = 0; i < all->n; i++)
		found += check_run(all->v[i], &set->job.rules, tell_violation, NULL, &records);
	diag_note("%jd records, %jd edges violated", (intmax_t)records, (intmax_t)found);
	return found == 0;
}

static void
tell_dropped(const struct order_dropped *d, void *cookie)
{
	(void)cookie;
	diag_info("a cycle: %s at byte %jd does not wait for %s at byte %jd any more (%s)", d->after->name,
	    (intmax_t)d->after_off, d->before->name, (intmax_t)d->before_off, d->what);
}

static void
tell_offset(const struct source *s, int64_t ns)
{
	diag_note("%s: its clock is %.6f s ahead", s->name, (double)ns / 1e9);
}

static void
sum_up(const struct order_count *c)
{
	bool odd = c->unmatched || c->late || c->dropped || c->gaps || c->overflow;

	(odd ? diag_info : diag_note)("%jd records, %jd unmatched, %jd late, %jd edges of cycles dropped, %jd gaps, "
	    "%jd released early, %jd without a time", (intmax_t)c->records, (intmax_t)c->unmatched, (intmax_t)c->late,
	    (intmax_t)c->dropped, (intmax_t)c->gaps, (intmax_t)c->overflow, (intmax_t)c->inherited);
}

static void
flush(void *out)
{
	render_flush(out);
}

static void
give_offsets(const struct settings *set, struct sources *all)
{
	for (size_t k = 0; k < set->n_offsets; k++) {
		const struct offset *o = &set->offsets[k];
		struct source *s = sources_find(all, o->name, o->len);

		if (!s)
			opt_misused("--offset: no source is called '%.*s'", (int)o->len, o->name);
		s->offset_ns = o->ns;
	}
}

static bool
merge(struct settings *set, struct sources *all)
{
	struct render_style *s = &set->job.style;
	const struct source *once = set->job.exact ? sources_find_once(all) : NULL;
	bool tty = isatty(STDOUT_FILENO);
	struct order_count count;
	struct render out;

	if (once)
		die(EXIT_USAGE, 0, "%s: cannot be read twice, as --exact needs", once->name);
	s->escape = tty && !set->raw && !s->json;
	s->prefix = !s->json && (set->prefix == ALWAYS || (set->prefix == AUTO && tty && all->n > 1));
	s->colour = s->prefix && tty && !getenv("NO_COLOR");
	s->name_width = all->width;
	render_init(&out, STDOUT_FILENO, s->json || s->prefix || s->escape || s->explain || s->last ? s : NULL);
	out.line_buffered = tty;
	for (unsigned i = 0; i < all->n; i++) {
		all->v[i]->idle = s->last ? NULL : flush;
		all->v[i]->cookie = &out;
	}
	job_run(&set->job, all, &out, &count);
	render_flush(&out);
	if (out.error)
		die(EXIT_TROUBLE, out.error, "standard output");
	render_release(&out);
	sum_up(&count);
	return count.late == 0 && count.dropped == 0;
}

int
main(int argc, char *argv[])
{
	struct settings set = { .prefix = AUTO, .job = { .patience_ms = 5000, .buffer_bytes = 64 << 20,
	    .estimate = true, .filter = FILTER_ALL, .offset = tell_offset, .dropped = tell_dropped } };
	struct specs specs = { NULL, 0 };
	struct formats formats = { NULL, 0 };
	struct sources all;
	struct fail f;
	bool failed = false, good;
	int c;

	diag_init(argv);
	while ((c = opt_next(argc, argv, opts, "[OPTION]... [SOURCE]...")) != -1)
		set_option(&set, c);
	if (rules_load(&set.job.rules, NULL, &f) < 0 || formats_load(&formats, &f) < 0)
		fail_die(&f);
	list_sources(set.agent, argv + optind, &specs, &failed);
	if (sources_open(&all, &specs, &formats, problem, &failed, &f) < 0)
		fail_die(&f);
	for (unsigned i = 0; i < all.n; i++)
		diag_note("%s: format %s, order %s", all.v[i]->name, all.v[i]->fmt->name, all.v[i]->fifo ? "fifo" : "none");
	give_offsets(&set, &all);
	good = set.check ? check(&set, &all) : merge(&set, &all);
	sources_close(&all, problem, &failed);
	regex_free(set.job.filter.include);
	regex_free(set.job.filter.exclude);
	rules_release(&set.job.rules);
	formats_release(&formats);
	specs_release(&specs);
	finish(failed || (!good && (set.check || set.strict)) ? EXIT_NO : EXIT_OK);
}
