#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "log/options.h"

enum {
	OPT_ASCII = OPT_OWN, OPT_BUFFER, OPT_CHECK, OPT_EXACT, OPT_EXCLUDE, OPT_EXPLAIN, OPT_GRAPH,
	OPT_HOLD, OPT_INCLUDE, OPT_LEVEL, OPT_OFFSET,
	OPT_ORDER, OPT_PATIENCE, OPT_PREFIX, OPT_RAW, OPT_RULES, OPT_SAVE_STATE, OPT_SINCE, OPT_STRICT, OPT_SVG, OPT_UNTIL,
};

enum {
	NAME_WIDTH_MAX = 40,
	HOLD_TTY_MS = 250,
};

const struct opt options_table[] = {
	OPT_AGENT,
	{ OPT_ASCII, "ascii", NULL, "draw a graph in ASCII" },
	{ OPT_BUFFER, "buffer", "SIZE", "hold at most about SIZE of records that wait" },
	{ OPT_CHECK, "check", NULL, "report what a merged log has in the wrong order" },
	{ OPT_EXACT, "exact", NULL, "read files twice, and violate no edge" },
	{ OPT_EXCLUDE, "exclude", "RE", "leave out records that match RE" },
	{ OPT_EXPLAIN, "explain", NULL, "say why each record stands where it does" },
	{ 'f', "follow", NULL, "go on with what comes" },
	OPT_FORMAT,
	{ OPT_GRAPH, "graph", NULL, "draw a lane for each emitter, and arrows" },
	{ OPT_HOLD, "hold", "DUR", "with -f, hold records for what others may still bring" },
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
	{ OPT_SAVE_STATE, "save-state", "FILE", "go on where the run before was, as FILE says" },
	{ OPT_SINCE, "since", "TIME", "show records from TIME on" },
	{ OPT_STRICT, "strict", NULL, "end with 1 where an edge was violated or dropped" },
	{ OPT_SVG, "svg", "FILE", "draw a space-time diagram into FILE" },
	{ OPT_UNTIL, "until", "TIME", "show records before TIME" },
	OPT_COMMON
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
set_offset(struct options *o)
{
	char *eq = strrchr(optarg, '=');
	bool negative = eq && eq[1] == '-';
	int64_t ms;

	if (strcmp(optarg, "auto") == 0 || strcmp(optarg, "off") == 0) {
		o->run.estimate = strcmp(optarg, "auto") == 0;
		return;
	}
	if (!eq || eq == optarg || num_parse_duration(eq + 1 + (negative || eq[1] == '+'), &ms) < 0 ||
	    ms > INT64_C(100000000000) || o->n_offsets == OPTIONS_OFFSETS)
		opt_misused("not an offset: '%s' (such as auto, off, NAME=200ms, NAME=-2s)", optarg);
	o->offsets[o->n_offsets++] = (struct options_offset){ optarg, (size_t)(eq - optarg), (negative ? -ms : ms) * 1000000 };
}

void
options_set(struct options *o, int key)
{
	static const char *const orders[] = { "causal", "minimax", "time", NULL };
	static const char *const prefixes[] = { "never", "auto", "always", NULL };
	static const char *const formats[] = { "text", "jsonl", "json", NULL };
	struct fail f;

	switch (key) {
	case 'A':
		o->agent = optarg;
		break;
	case 'f':
		o->follow = true;
		break;
	case 'n':
		o->run.style.last = (unsigned long)opt_number("--lines", 1, 10000000);
		break;
	case OPT_ASCII:
		o->ascii = true;
		break;
	case OPT_BUFFER:
		if (num_parse_size(optarg, &o->run.buffer_bytes) < 0 || o->run.buffer_bytes < 1 << 16)
			opt_misused("not a size of at least 64K for --buffer: '%s'", optarg);
		break;
	case OPT_CHECK:
		o->check = true;
		break;
	case OPT_EXACT:
		o->run.exact = true;
		break;
	case OPT_EXCLUDE:
		set_regex(&o->run.filter.exclude, "--exclude");
		break;
	case OPT_EXPLAIN:
		o->run.style.explain = true;
		break;
	case OPT_KEY_FORMAT:
		o->run.style.json = opt_word("--format", formats) >= 1;
		break;
	case OPT_GRAPH:
		o->graph = true;
		break;
	case OPT_HOLD:
		o->hold_ms = strcmp(optarg, "0") == 0 ? 0 : opt_duration("--hold");
		if (o->hold_ms > 86400000)
			opt_misused("--hold is more than a day: '%s'", optarg);
		break;
	case OPT_INCLUDE:
		set_regex(&o->run.filter.include, "--include");
		break;
	case OPT_KEY_JSON:
		o->run.style.json = true;
		break;
	case OPT_LEVEL:
		o->run.filter.level = format_level((struct span){ optarg, strlen(optarg) });
		if (!*optarg || o->run.filter.level < 0)
			opt_misused("not a level: '%s' (such as error, warning, info, debug)", optarg);
		break;
	case OPT_OFFSET:
		set_offset(o);
		break;
	case OPT_ORDER:
		o->run.order = opt_word("--order", orders);
		break;
	case OPT_PATIENCE:
		o->run.patience_ms = opt_duration("--patience");
		if (o->run.patience_ms > 86400000)
			opt_misused("--patience is more than a day: '%s'", optarg);
		break;
	case OPT_PREFIX:
		o->prefix = opt_word("--prefix", prefixes);
		break;
	case OPT_RAW:
		o->raw = true;
		break;
	case OPT_RULES:
		if (rules_load(&o->run.rules, optarg, &f) < 0)
			fail_die(&f);
		break;
	case OPT_SAVE_STATE:
		o->state = optarg;
		break;
	case OPT_SINCE:
		o->run.filter.since_ns = point_in_time("--since");
		break;
	case OPT_STRICT:
		o->strict = true;
		break;
	case OPT_SVG:
		o->svg = optarg;
		break;
	case OPT_UNTIL:
		o->run.filter.until_ns = point_in_time("--until");
		break;
	default:
		abort();
	}
}

void
options_init(struct options *o)
{
	*o = (struct options){ .prefix = PREFIX_AUTO, .hold_ms = -1, .run = { .patience_ms = 5000, .buffer_bytes = 64 << 20,
	    .estimate = true, .filter = FILTER_ALL } };
}

void
options_release(struct options *o)
{
	regex_free(o->run.filter.include);
	regex_free(o->run.filter.exclude);
	rules_release(&o->run.rules);
}

void
options_check(const struct options *o)
{
	if (o->follow && (o->check || o->run.exact || o->svg || o->run.order == RUN_MINIMAX))
		opt_misused("--follow does not go with %s", o->check ? "--check" : o->run.exact ? "--exact" : o->svg ?
		    "--svg" : "--order=minimax");
	if (o->check && (filter_is_any(&o->run.filter) || o->run.exact || o->run.order != RUN_CAUSAL || o->run.style.last ||
	    o->run.style.explain || o->run.style.json))
		opt_misused("--check looks at all of a log as it stands: say no option that chooses, orders or dresses records");
	if (o->hold_ms >= 0 && !o->follow)
		opt_misused("--hold is for --follow");
	if (o->state && (o->check || o->run.exact || o->svg || o->run.style.last || o->run.order == RUN_MINIMAX))
		opt_misused("--save-state does not go with --check, --exact, --svg, --lines or --order=minimax");
	const char *drawn = o->graph ? "--graph" : "--svg";

	if ((o->graph || o->svg) && (o->check || o->run.style.json))
		opt_misused("%s draws, %s prints: say only one of them", drawn, o->check ? "--check" : "--format=jsonl");
	if (o->ascii && !o->graph)
		opt_misused("--ascii is for --graph");
}

static bool
is_called(const struct options_offset *x, const char *name)
{
	return strlen(name) == x->len && memcmp(name, x->name, x->len) == 0;
}

void
options_check_offsets(const struct options *o, const struct source_specs *specs)
{
	for (size_t k = 0; k < o->n_offsets; k++) {
		const struct options_offset *x = &o->offsets[k];
		bool found = false;

		for (size_t i = 0; i < specs->n; i++)
			found |= is_called(x, specs->v[i].name);
		if (!found)
			opt_misused("--offset: no source is called '%.*s'", (int)x->len, x->name);
	}
}

void
options_give_offset(const struct options *o, struct source *s)
{
	for (size_t k = 0; k < o->n_offsets; k++)
		if (is_called(&o->offsets[k], s->name))
			s->offset_ns = o->offsets[k].ns;
}

void
options_settle_style(struct options *o, bool tty, const struct source_specs *specs)
{
	struct render_style *s = &o->run.style;
	bool drawn = o->graph || o->svg, many = specs->n + specs->n_globs > 1;

	s->escape = tty && !o->raw;
	s->prefix = !s->json && (o->prefix == PREFIX_ALWAYS || (o->prefix == PREFIX_AUTO && tty && many));
	s->colour = (s->prefix || drawn) && tty && !getenv("NO_COLOR");
	for (size_t i = 0; i < specs->n; i++) {
		size_t n = strlen(specs->v[i].name);

		if (n > s->name_width && n <= NAME_WIDTH_MAX)
			s->name_width = (unsigned)n;
	}
	if (o->hold_ms < 0)
		o->hold_ms = tty ? HOLD_TTY_MS : 0;
}

bool
options_is_plain(const struct options *o)
{
	const struct render_style *s = &o->run.style;

	return !(s->json || s->prefix || s->escape || s->explain || s->last || s->artist);
}
