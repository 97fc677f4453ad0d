/*
 * rejoin-log - many logs as one, in causal order
 *
 * Reads each source, or those of the agent's profile where none is named, and
 * prints all their records by time, but none before one that caused it.  A
 * source that cannot be read is reported and passed over; the tool then ends
 * with EXIT_NO.
 */
#include <errno.h>
#include <sched.h>
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
#include "log/filter.h"
#include "log/merge.h"
#include "log/order.h"
#include "log/sources.h"
#include "log/census.h"

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
	enum { CAUSAL, MINIMAX, BY_TIME } order;
	bool exact, check, strict, raw, estimate;
	enum { NEVER, AUTO, ALWAYS } prefix;
	int64_t patience_ms, buffer_bytes;
	struct filter filter;
	struct render_style style;
	struct rules rules;
	struct offset offsets[64];
	size_t n_offsets;
};

static unsigned
word(const char *what, const char *const *words)
{
	for (unsigned i = 0; words[i]; i++)
		if (strcmp(optarg, words[i]) == 0)
			return i;
	opt_misused("%s cannot be '%s'", what, optarg);
}

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
		set->estimate = strcmp(optarg, "auto") == 0;
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
		set->style.last = (unsigned long)opt_number("--lines", 1, 10000000);
		break;
	case OPT_BUFFER:
		if (num_parse_size(optarg, &set->buffer_bytes) < 0 || set->buffer_bytes < 1 << 16)
			opt_misused("not a size of at least 64K for --buffer: '%s'", optarg);
		break;
	case OPT_CHECK:
		set->check = true;
		break;
	case OPT_EXACT:
		set->exact = true;
		break;
	case OPT_EXCLUDE:
		set_regex(&set->filter.exclude, "--exclude");
		break;
	case OPT_EXPLAIN:
		set->style.explain = true;
		break;
	case OPT_KEY_FORMAT:
		set->style.json = word("--format", formats) == 1;
		break;
	case OPT_INCLUDE:
		set_regex(&set->filter.include, "--include");
		break;
	case OPT_KEY_JSON:
		set->style.json = true;
		break;
	case OPT_LEVEL:
		set->filter.level = format_level((struct span){ optarg, strlen(optarg) });
		if (set->filter.level < 0)
			opt_misused("not a level: '%s' (such as error, warning, info, debug)", optarg);
		break;
	case OPT_OFFSET:
		set_offset(set);
		break;
	case OPT_ORDER:
		set->order = word("--order", orders);
		break;
	case OPT_PATIENCE:
		set->patience_ms = opt_duration("--patience");
		if (set->patience_ms > 86400000)
			opt_misused("--patience is more than a day: '%s'", optarg);
		break;
	case OPT_PREFIX:
		set->prefix = word("--prefix", prefixes);
		break;
	case OPT_RAW:
		set->raw = true;
		break;
	case OPT_RULES:
		if (rules_load(&set->rules, optarg, &f) < 0)
			fail_die(&f);
		break;
	case OPT_SINCE:
		set->filter.since_ns = point_in_time("--since");
		break;
	case OPT_STRICT:
		set->strict = true;
		break;
	case OPT_UNTIL:
		set->filter.until_ns = point_in_time("--until");
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
add_profile(const char *agent, struct specs *specs, bool *failed)
{
	_cleanup_profile_ struct profile *p = profile_load_or_die(agent);
	struct fail f;

	for (size_t i = 0; i < p->n_logs; i++) {
		const struct profile_log *l = &p->logs[i];
		_cleanup_free_ char *text = l->journal ? xasprintf("journal:%s", l->journal) :
		    xasprintf("%s%s%s", l->path ? l->path : "", l->format ? ",format=" : "", l->format ? l->format : "");

		if (specs_add(specs, text, &f) < 0)
			problem(&f, failed);
	}
}

static void
list_sources(const char *agent, char *operands[], struct specs *specs, bool *failed)
{
	struct fail f;

	if (!*operands)
		add_profile(agent, specs, failed);
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
		found += check_run(all->v[i], &set->rules, tell_violation, NULL, &records);
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
sum_up(const struct order_count *c)
{
	bool odd = c->unmatched || c->late || c->dropped || c->gaps || c->overflow;

	(odd ? diag_info : diag_note)("%jd records, %jd unmatched, %jd late, %jd edges of cycles dropped, %jd gaps, "
	    "%jd released early, %jd without a time", (intmax_t)c->records, (intmax_t)c->unmatched, (intmax_t)c->late,
	    (intmax_t)c->dropped, (intmax_t)c->gaps, (intmax_t)c->overflow, (intmax_t)c->inherited);
}

/* One for each core that is ours; beyond eight, memory is the limit. */
static unsigned
threads(void)
{
	cpu_set_t cpus;
	int n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;

	return n > 8 ? 8 : (unsigned)n;
}

static struct census *
census(const struct settings *set, struct sources *all)
{
	_cleanup_free_ int64_t *offsets = xcalloc(all->n + 1, sizeof *offsets);
	struct census *s = census_run(all->v, all->n, &set->rules, threads(),
	    set->estimate ? offsets : NULL);

	for (unsigned i = 0; i < all->n; i++)
		if (offsets[i]) {
			all->v[i]->offset_ns += offsets[i];
			diag_note("%s: its clock is %.6f s ahead", all->v[i]->name, (double)offsets[i] / 1e9);
		}
	if (census_noise(s))
		diag_note("the messages contradict each other by up to %.6f s", (double)census_noise(s) / 1e9);
	return s;
}

static bool
merge_causal(struct settings *set, struct sources *all, struct render *out)
{
	struct order_spec spec = { .rules = &set->rules, .patience_ns = set->patience_ms * 1000000,
	    .mode = set->order == MINIMAX ? ORDER_MINIMAX : ORDER_CAUSAL,
	    .buffer = set->order == MINIMAX ? SIZE_MAX : (size_t)set->buffer_bytes,
	    .explain = set->style.explain || set->style.json, .dropped = tell_dropped, .threads = threads(),
	    .wanted = filter_is_any(&set->filter) ? filter_wants : NULL, .cookie = &set->filter };
	struct order_count count = { 0 };
	struct census *s = set->exact ? census(set, all) : NULL;

	spec.census = s;
	order_run(all->v, all->n, &spec, out, &count);
	census_free(s);
	sum_up(&count);
	return count.late == 0 && count.dropped == 0;
}

static bool
merge_by_time(struct settings *set, struct sources *all, struct render *out)
{
	bool any = filter_is_any(&set->filter);
	struct merge_count count = { 0 };

	if (any || out->style || out->line_buffered ||
	    !merge_parallel(all->v, all->n, threads(), NULL, out, &count))
		merge_run(all->v, all->n, out, any ? filter_wants : NULL, &set->filter, &count);
	diag_note("%jd records", (intmax_t)count.records);
	return true;
}

static void
flush(void *out)
{
	render_flush(out);
}

static bool
merge(struct settings *set, struct sources *all)
{
	struct render_style *s = &set->style;
	const struct source *once = set->exact ? sources_find_once(all) : NULL;
	bool tty = isatty(STDOUT_FILENO), good;
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
		for (size_t k = 0; k < set->n_offsets; k++)
			if (strlen(all->v[i]->name) == set->offsets[k].len &&
			    memcmp(all->v[i]->name, set->offsets[k].name, set->offsets[k].len) == 0)
				all->v[i]->offset_ns = set->offsets[k].ns;
	}
	if (set->order == BY_TIME || (set->order == CAUSAL && !order_is_needed(all->v, all->n, &set->rules)))
		good = merge_by_time(set, all, &out);
	else
		good = merge_causal(set, all, &out);
	render_flush(&out);
	if (out.error)
		die(EXIT_TROUBLE, out.error, "standard output");
	render_release(&out);
	return good;
}

int
main(int argc, char *argv[])
{
	struct settings set = { .patience_ms = 5000, .buffer_bytes = 64 << 20, .estimate = true, .prefix = AUTO,
	    .filter = FILTER_ALL };
	struct specs specs = { NULL, 0 };
	struct formats formats = { NULL, 0 };
	struct sources all;
	struct fail f;
	bool failed = false, good;
	int c;

	diag_init(argv);
	while ((c = opt_next(argc, argv, opts, "[OPTION]... [SOURCE]...")) != -1)
		set_option(&set, c);
	if (rules_load(&set.rules, NULL, &f) < 0 || formats_load(&formats, &f) < 0)
		fail_die(&f);
	list_sources(set.agent, argv + optind, &specs, &failed);
	if (sources_open(&all, &specs, &formats, problem, &failed, &f) < 0)
		fail_die(&f);
	for (unsigned i = 0; i < all.n; i++)
		diag_note("%s: format %s, order %s", all.v[i]->name, all.v[i]->fmt->name, all.v[i]->fifo ? "fifo" : "none");
	good = set.check ? check(&set, &all) : merge(&set, &all);
	sources_close(&all, problem, &failed);
	regex_free(set.filter.include);
	regex_free(set.filter.exclude);
	rules_release(&set.rules);
	formats_release(&formats);
	specs_release(&specs);
	finish(failed || (!good && (set.check || set.strict)) ? EXIT_NO : EXIT_OK);
}
