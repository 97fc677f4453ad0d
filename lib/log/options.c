#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "log/options.h"

enum {
	OPT_ASCII = OPT_OWN, OPT_BUFFER, OPT_CHECK, OPT_COLOR, OPT_EXACT, OPT_EXCLUDE, OPT_EXPLAIN, OPT_GRAPH,
	OPT_HOLD, OPT_HTML, OPT_IDLE, OPT_INCLUDE, OPT_LEARN, OPT_LEVEL, OPT_OFFSET,
	OPT_ORDER, OPT_PATIENCE, OPT_PREFIX, OPT_RAW, OPT_REMEMBER, OPT_RULES, OPT_SAVE_STATE, OPT_SINCE, OPT_SOURCES, OPT_SPOOL, OPT_STAMP, OPT_STRICT,
	 OPT_SVG, OPT_UNTIL, OPT_WATERMARK,
};

/* As --format lists them. */
enum { FORMAT_TEXT, FORMAT_JSONL, FORMAT_JSON, FORMAT_SHIVIZ };

enum {
	NAME_WIDTH_MAX = 40,
	HOLD_TTY_MS = 250,
};

static const struct opt table[] = {
	OPT_AGENT,
	{ OPT_ASCII, "ascii", NULL, "with --graph, draw in ASCII" },
	{ OPT_BUFFER, "buffer", "SIZE", "hold back at most about SIZE of records", .preset = "64M" },
	{ OPT_CHECK, "check", NULL, "report the constraints that a merged log violates" },
	{ OPT_COLOR, "color", "WHEN", "use colours", .choices = "never auto always", .preset = "auto" },
	{ OPT_EXACT, "exact", NULL, "two passes over regular files; no constraint is violated" },
	{ OPT_EXCLUDE, "exclude", "RE", "omit records that match RE" },
	{ OPT_EXPLAIN, "explain", NULL, "print before each record why it stands there" },
	{ 'f', "follow", NULL, "keep reading as sources grow" },
	OPT_FORMAT("text jsonl json shiviz", "REJOIN_FORMAT for records that are printed, else text"),
	{ OPT_GRAPH, "graph", NULL, "draw a lane per emitter, and arrows" },
	{ OPT_HOLD, "hold", "DUR", "with -f, reorder window: hold records for DUR", .preset = "250ms on a terminal, else 0" },
	{ OPT_HTML, "html", "FILE", "write a page into FILE that a browser explores" },
	{ OPT_IDLE, "idle", "DUR", "with -f, do not wait for a source that was silent for DUR" },
	{ OPT_INCLUDE, "include", "RE", "print only records that match RE" },
	OPT_JSON,
	{ OPT_LEARN, "learn", NULL, "print rules that are learned from the sources, and no record" },
	{ OPT_LEVEL, "level", "L", "omit records less severe than L", .choices = "emerg alert crit error warning notice info debug trace" },
	{ 'n', "lines", "N", "print only the last N records" },
	{ OPT_OFFSET, "offset", "OFF", "correct clocks by OFF: auto, off, or NAME=DUR for a clock that is ahead", .preset = "auto",
	    .samples = "auto off", .repeats = true },
	{ OPT_ORDER, "order", "ORDER", "order of the records", .choices = "causal minimax time", .preset = "causal" },
	{ OPT_PATIENCE, "patience", "DUR", "give up on a missing predecessor after DUR", .preset = "5s" },
	{ OPT_PREFIX, "prefix", "WHEN", "print the source before each record", .choices = "never auto always",
	    .preset = "auto" },
	{ OPT_RAW, "raw", NULL, "write control characters to a terminal unchanged" },
	{ OPT_REMEMBER, "remember", "DUR", "look for a predecessor that was printed up to DUR before", .preset = "--patience" },
	{ OPT_RULES, "rules", "FILE", "use the rules in FILE as well, or with auto those that are learned", .samples = "auto",
	    .repeats = true },
	{ OPT_SAVE_STATE, "save-state", "FILE", "continue where the run that wrote FILE ended" },
	{ OPT_SINCE, "since", "TIME", "print only records from TIME on", .samples = "10m 1h 1d" },
	{ OPT_SOURCES, "sources", NULL, "print how each source is understood, and no record" },
	{ OPT_SPOOL, "spool", "SIZE", "with --exact, copy at most SIZE of what cannot be read twice", .preset = "1G" },
	{ OPT_STAMP, "stamp", "ZONE", "print before each record its corrected time", .choices = "none utc local",
	    .preset = "none" },
	{ OPT_STRICT, "strict", NULL, "exit with 1 if a constraint was violated or dropped, or a source not understood" },
	{ OPT_SVG, "svg", "FILE", "draw a space-time diagram into FILE" },
	{ OPT_UNTIL, "until", "TIME", "print only records before TIME", .samples = "10m 1h 1d" },
	{ OPT_WATERMARK, "watermark", "DUR", "with -f and --json, print a watermark at most once in DUR" },
	OPT_COMMON
};

const struct opt_tool options_tool = {
	.purpose = "merge many logs into one in causal order",
	.synopsis = "[OPTION]... [SOURCE]...",
	.opts = table,
	.operands = OPT_FILES,
	.statuses = "0 merged; 1 a source failed, or --check or --strict found a violation; 2 usage; 3 trouble; "
	    "6 state file in use; 7 denied",
	.example = "rejoin-log -f journal:demo.service '/var/log/demo/*.log'",
};

static int64_t
point_in_time(const char *text, const char *what)
{
	struct zone *zone;
	int64_t ns = 0;

	if (zone_open("local", &zone) < 0 || time_parse_text(text, zone, time(NULL), &ns) < 0)
		opt_misused("not a time for %s: '%s' (such as 2026-11-21T20:16:00Z, 2026-11-21, or 10m for 10 minutes ago)",
		    what, text);
	zone_free(zone);
	return ns;
}

static void
set_regex(struct regex **slot, const char *what, const char *text)
{
	struct fail f;

	regex_free(*slot);
	*slot = regex_new(what, text, &f);
	if (!*slot)
		fail_die(&f);
}

static void
set_offset(struct options *o, char *text)
{
	char *eq = strrchr(text, '=');
	bool negative = eq && eq[1] == '-';
	int64_t ms;

	if (strcmp(text, "auto") == 0 || strcmp(text, "off") == 0) {
		o->run.estimate = strcmp(text, "auto") == 0;
		return;
	}
	if (!eq || eq == text || num_parse_duration(eq + 1 + (negative || eq[1] == '+'), &ms) < 0 ||
	    ms > INT64_C(100000000000) || o->n_offsets == OPTIONS_OFFSETS)
		opt_misused("not an offset: '%s' (such as auto, off, NAME=200ms, NAME=-2s)", text);
	o->offsets[o->n_offsets++] = (struct options_offset){ text, (size_t)(eq - text), (negative ? -ms : ms) * 1000000 };
}

static void
set_format(struct options *o, int format)
{
	o->format_said = true;
	o->run.style.json = format == FORMAT_JSONL || format == FORMAT_JSON;
	o->picture.shiviz = format == FORMAT_SHIVIZ;
}

void
options_set(struct options *o, const struct opt_scan *s)
{
	struct fail f;

	switch (s->opt->key) {
	case 'A':
		o->agent = s->arg;
		break;
	case 'f':
		o->follow = true;
		break;
	case 'n':
		o->run.style.last = (unsigned long)opt_number(s, 1, 10000000);
		break;
	case OPT_ASCII:
		o->picture.ascii = true;
		break;
	case OPT_BUFFER:
		o->run.buffer_bytes = opt_size(s, 1 << 16, INT64_MAX);
		break;
	case OPT_CHECK:
		o->check = true;
		break;
	case OPT_COLOR:
		o->colour = opt_choice(s);
		break;
	case OPT_EXACT:
		o->run.exact = true;
		break;
	case OPT_EXCLUDE:
		set_regex(&o->run.filter.exclude, "--exclude", s->arg);
		break;
	case OPT_EXPLAIN:
		o->run.style.explain = true;
		break;
	case OPT_KEY_FORMAT:
		set_format(o, opt_choice(s));
		break;
	case OPT_GRAPH:
		o->picture.graph = true;
		break;
	case OPT_HOLD:
		o->hold_ms = strcmp(s->arg, "0") == 0 ? 0 : opt_duration(s);
		if (o->hold_ms > 86400000)
			opt_misused("--hold is more than a day: '%s'", s->arg);
		break;
	case OPT_HTML:
		o->picture.html = s->arg;
		break;
	case OPT_IDLE:
		o->idle_ms = opt_duration(s);
		break;
	case OPT_INCLUDE:
		set_regex(&o->run.filter.include, "--include", s->arg);
		break;
	case OPT_KEY_JSON:
		set_format(o, FORMAT_JSONL);
		break;
	case OPT_LEVEL:
		o->run.filter.level = format_level((struct span){ s->arg, strlen(s->arg) });
		if (!*s->arg || o->run.filter.level < 0)
			opt_misused("not a level: '%s' (emerg, alert, crit, error, warning, notice, info, debug or trace)", s->arg);
		break;
	case OPT_OFFSET:
		set_offset(o, s->arg);
		break;
	case OPT_ORDER:
		o->run.order = opt_choice(s);
		break;
	case OPT_PATIENCE:
		o->run.patience_ms = opt_duration(s);
		if (o->run.patience_ms > 86400000)
			opt_misused("--patience is more than a day: '%s'", s->arg);
		break;
	case OPT_REMEMBER:
		o->run.remember_ms = opt_duration(s);
		if (o->run.remember_ms > INT64_C(86400000) * 1000)
			opt_misused("--remember is more than 1000 days: '%s'", s->arg);
		break;
	case OPT_SPOOL:
		o->spool_bytes = opt_size(s, 0, INT64_MAX);
		break;
	case OPT_PREFIX:
		o->prefix = opt_choice(s);
		break;
	case OPT_RAW:
		o->raw = true;
		break;
	case OPT_LEARN:
		o->learn = true;
		break;
	case OPT_RULES:
		if (strcmp(s->arg, "auto") == 0) {
			o->auto_rules = true;
			break;
		}
		if (rules_load(&o->run.rules, s->arg, &f) < 0)
			fail_die(&f);
		break;
	case OPT_SAVE_STATE:
		o->state = s->arg;
		break;
	case OPT_SINCE:
		o->run.filter.since_ns = point_in_time(s->arg, "--since");
		break;
	case OPT_SOURCES:
		o->sources = true;
		break;
	case OPT_STAMP:
		o->run.style.stamp = (enum render_stamp)opt_choice(s);
		break;
	case OPT_STRICT:
		o->strict = true;
		break;
	case OPT_SVG:
		o->picture.svg = s->arg;
		break;
	case OPT_UNTIL:
		o->run.filter.until_ns = point_in_time(s->arg, "--until");
		break;
	case OPT_WATERMARK:
		o->watermark_ms = opt_duration(s);
		break;
	default:
		abort();
	}
}

void
options_init(struct options *o)
{
	*o = (struct options){ .prefix = WHEN_AUTO, .colour = WHEN_AUTO, .hold_ms = -1, .spool_bytes = 1 << 30,
	    .run = { .patience_ms = 5000, .remember_ms = -1, .buffer_bytes = 64 << 20,
	    .estimate = true, .filter = FILTER_ALL } };
}

void
options_release(struct options *o)
{
	regex_free(o->run.filter.include);
	regex_free(o->run.filter.exclude);
	rules_release(&o->run.rules);
}

/* The option that has a file drawn, or NULL. */
static const char *
drawing_to_file(const struct options *o)
{
	return o->picture.svg ? "--svg" : o->picture.html ? "--html" : NULL;
}

/* The option by which records are drawn and not printed, or NULL. */
static const char *
drawing(const struct options *o)
{
	return o->picture.graph ? "--graph" : drawing_to_file(o);
}

void
options_use_environment(struct options *o)
{
	bool prints = !drawing(o) && !o->check && !o->sources && !o->learn && !o->run.style.stamp;
	int format = o->format_said || !prints ? -1 : opt_environment_format(&options_tool);

	if (format == FORMAT_JSONL || format == FORMAT_JSON)
		set_format(o, format);
}

static bool
is_stdout(const char *file)
{
	return file && strcmp(file, "-") == 0;
}

/* What is drawn, and what would come between. */
static void
check_drawing(const struct options *o)
{
	const char *drawn = drawing(o);
	int to_stdout = o->picture.graph + is_stdout(o->picture.svg) + is_stdout(o->picture.html);

	if (drawn && (o->check || o->run.style.json))
		opt_misused("%s draws, %s prints: say only one of them", drawn, o->check ? "--check" : "--format=jsonl");
	if (o->picture.shiviz && (drawn || o->check))
		opt_misused("%s cannot be combined with --format=shiviz", o->check ? "--check" : drawn);
	if (o->picture.shiviz && (o->sources || o->run.style.explain))
		opt_misused("%s cannot be combined with --format=shiviz", o->sources ? "--sources" : "--explain");
	if (to_stdout > 1)
		opt_misused("only one of --graph, --svg and --html can be written to standard output");
	if (o->picture.ascii && !o->picture.graph)
		opt_misused("--ascii is for --graph");
}

static void
check_learning(const struct options *o)
{
	if (o->learn && (o->follow || o->check || o->sources || o->state || drawing(o) || o->picture.shiviz))
		opt_misused("--learn cannot be combined with %s", o->follow ? "--follow" : o->check ? "--check" : o->sources ? "--sources" :
		    o->state ? "--save-state" : drawing(o) ? drawing(o) : "--format=shiviz");
	if (o->learn && (o->run.style.explain || o->run.style.last || o->run.style.json || filter_is_any(&o->run.filter)))
		opt_misused("--learn prints no record: it cannot be combined with --explain, --lines, --format=jsonl or a filter");
	/* The rules, and so what a state counts by them, would be others in each run. */
	if (o->auto_rules && (o->learn || o->check || o->sources || o->state))
		opt_misused("--rules=auto cannot be combined with %s", o->learn ? "--learn" : o->check ? "--check" : o->sources ? "--sources" :
		    "--save-state: use --learn, and --rules=FILE");
}

void
options_check(const struct options *o)
{
	const char *file = drawing_to_file(o);

	if (o->follow && (o->check || o->run.exact || file || o->run.order == RUN_MINIMAX))
		opt_misused("--follow does not go with %s", o->check ? "--check" : o->run.exact ? "--exact" : file ? file :
		    "--order=minimax");
	if (o->check && (filter_is_any(&o->run.filter) || o->run.exact || o->run.order != RUN_CAUSAL || o->run.style.last ||
	    o->run.style.explain || o->run.style.json))
		opt_misused("--check looks at all of a log as it stands: say no option that chooses, orders or dresses records");
	if (o->hold_ms >= 0 && !o->follow)
		opt_misused("--hold is for --follow");
	if ((o->watermark_ms || o->idle_ms) && !o->follow)
		opt_misused("%s is for --follow", o->watermark_ms ? "--watermark" : "--idle");
	if (o->watermark_ms && (!o->run.style.json || o->run.style.last))
		opt_misused(o->run.style.last ? "--watermark cannot be combined with --lines" : "--watermark needs --format=jsonl");
	if (o->state && (o->check || o->run.exact || file || o->run.style.last || o->run.order == RUN_MINIMAX))
		opt_misused("--save-state does not go with --check, --exact, --svg, --html, --lines or --order=minimax");
	if (o->sources && (o->follow || o->check || o->state || drawing(o)))
		opt_misused("--sources cannot be combined with %s", o->follow ? "--follow" : o->check ? "--check" :
		    o->state ? "--save-state" : drawing(o));
	check_learning(o);
	check_drawing(o);
	if (o->run.style.stamp && (o->run.style.json || o->picture.shiviz || drawing(o) || o->check || o->sources))
		opt_misused("--stamp is for records that are printed as text");
	if (o->sources && (o->run.style.explain || o->run.style.last || filter_is_any(&o->run.filter)))
		opt_misused("--sources prints no record: it cannot be combined with --explain, --lines or a filter");
}

static bool
is_called(const struct options_offset *x, const char *name)
{
	return strlen(name) == x->len && memcmp(name, x->name, x->len) == 0;
}

/* Is X for a source of SPECS, or a clock that one is said to have? */
static bool
is_listed(const struct options_offset *x, const struct source_specs *specs)
{
	for (size_t i = 0; i < specs->n; i++)
		if (is_called(x, specs->v[i].name) || (specs->v[i].clock && is_called(x, specs->v[i].clock)))
			return true;
	return false;
}

void
options_check_offsets(const struct options *o, const struct source_specs *specs, struct source *const *v, unsigned n)
{
	bool hosts = false;

	for (unsigned i = 0; i < n; i++)
		hosts |= source_names_hosts(v[i]);
	for (size_t k = 0; !hosts && k < o->n_offsets; k++)
		if (!is_listed(&o->offsets[k], specs))
			opt_misused("--offset: no source or clock is called '%.*s'", (int)o->offsets[k].len, o->offsets[k].name);
}

static void
domain_set_offset(struct domain *d, int64_t ns)
{
	d->offset_ns += ns - d->given_ns;
	d->given_ns = ns;
}

void
options_give_offsets(const struct options *o, const struct source_specs *specs, struct domains *domains)
{
	for (size_t k = 0; k < o->n_offsets; k++) {
		const struct options_offset *x = &o->offsets[k];

		domain_set_offset(domains_get(domains, (struct span){ x->name, x->len }, !is_listed(x, specs)), x->ns);
	}
}

void
options_give_offset(const struct options *o, struct source *s)
{
	for (size_t k = 0; k < o->n_offsets; k++)
		if (is_called(&o->offsets[k], s->name))
			domain_set_offset(s->domain, o->offsets[k].ns);
	source_renew_offset(s);
}

void
options_settle_style(struct options *o, bool tty, const struct source_specs *specs)
{
	struct render_style *s = &o->run.style;
	bool many = specs->n + specs->n_globs > 1;

	s->escape = tty && !o->raw;
	s->prefix = !s->json && (o->prefix == WHEN_ALWAYS || (o->prefix == WHEN_AUTO && tty && many));
	s->colour = o->colour == WHEN_ALWAYS || (o->colour == WHEN_AUTO && tty && !getenv("NO_COLOR"));
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

	return !(s->json || s->prefix || s->stamp || s->escape || s->explain || s->last || s->artist);
}
