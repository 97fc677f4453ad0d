#include <ctype.h>
#include <string.h>

#include "base/hash.h"
#include "base/num.h"
#include "record/scan.h"
#include "record/trace.h"

enum {
	DEPTH = 2,		/* objects within the record's that are looked into */
	NAME_MAX_BYTES = 40,
	ID_MAX_BYTES = 64,	/* longer values are no ids */
	SPANS_MAX = 512,	/* of a sample, that are told apart */
	TRACE_TAIL = 16,	/* digits of a trace id that count: some programs write only the last 64 of its 128 bits */
};

/* What a member is. */
enum context_part {
	PART_TRACE, PART_SPAN, PART_PARENT, PART_TRANSACTION, PART_TRACEPARENT, PART_B3, PART_JAEGER, PART_AWS, PART_LENGTH,
	PART_START, PART_OF, PART_KIND, PARTS,
};

/* Names without "_-./", in lower case, by the first letter. */
static const struct { const char *name; enum context_part part; } names[] = {
	{ "@ps", PART_PARENT }, { "@sp", PART_SPAN }, { "@tr", PART_TRACE },
	{ "b3", PART_B3 },
	{ "ddparentid", PART_PARENT }, { "ddspanid", PART_SPAN }, { "ddtraceid", PART_TRACE },
	{ "duration", PART_LENGTH }, { "durationms", PART_LENGTH }, { "durationns", PART_LENGTH }, { "durations", PART_LENGTH },
	{ "durationus", PART_LENGTH },
	{ "elapsed", PART_LENGTH }, { "elapsedms", PART_LENGTH }, { "endtime", PART_LENGTH }, { "endtimeunixnano", PART_LENGTH },
	{ "kind", PART_KIND },
	{ "latency", PART_LENGTH }, { "latencyms", PART_LENGTH },
	{ "logginggoogleapiscomspanid", PART_SPAN }, { "logginggoogleapiscomtrace", PART_TRACE },
	{ "otelspanid", PART_SPAN }, { "oteltraceid", PART_TRACE },
	{ "parentid", PART_PARENT }, { "parentspanid", PART_PARENT },
	{ "requesttime", PART_LENGTH }, { "responsetime", PART_LENGTH }, { "responsetimems", PART_LENGTH },
	{ "spanid", PART_SPAN }, { "spanof", PART_OF }, { "starttime", PART_START }, { "starttimeunixnano", PART_START },
	{ "timetaken", PART_LENGTH }, { "took", PART_LENGTH }, { "tookms", PART_LENGTH }, { "traceid", PART_TRACE },
	{ "traceparent", PART_TRACEPARENT }, { "transactionid", PART_TRANSACTION },
	{ "ubertraceid", PART_JAEGER },
	{ "xamzntraceid", PART_AWS }, { "xb3parentspanid", PART_PARENT }, { "xb3spanid", PART_SPAN }, { "xb3traceid", PART_TRACE },
};

struct context {
	struct span part[PARTS];
};

/* Which of a span's ids: its own, or that of one of its sides. */
enum side { SIDE_ANY = 'a', SIDE_CLIENT = 'c', SIDE_SERVER = 's', SIDE_BEGIN = 'b' };

bool
trace_is_possible(const struct format *fmt)
{
	return fmt->where == WHERE_JSON || fmt->where == WHERE_LOGFMT;
}

/* KEY, behind OUTER where that is not empty, as NAMES has it; 0 where it is too long. */
static size_t
normalise(struct span outer, struct span key, char out[NAME_MAX_BYTES])
{
	const struct span both[] = { outer, key };
	size_t n = 0;

	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < both[k].n; i++) {
			const char c = both[k].p[i];

			if (c == '_' || c == '-' || c == '.' || c == '/')
				continue;
			if (n == NAME_MAX_BYTES)
				return 0;
			out[n++] = (char)tolower((unsigned char)c);
		}
	return n;
}

static bool
find_part(struct span outer, struct span key, enum context_part *part)
{
	char name[NAME_MAX_BYTES];
	size_t n = normalise(outer, key, name);

	for (size_t i = 0; n && i < sizeof names / sizeof *names; i++)
		if (names[i].name[0] == *name && strlen(names[i].name) == n && memcmp(names[i].name, name, n) == 0) {
			*part = names[i].part;
			return true;
		}
	return false;
}

/* Is KEY "id", which is named by the object that it is in? */
static bool
is_id(struct span key)
{
	return key.n == 2 && (key.p[0] == 'i' || key.p[0] == 'I') && (key.p[1] == 'd' || key.p[1] == 'D');
}

static void
gather(struct context *c, bool json, struct span text, struct span outer, int depth)
{
	struct scan s = { text.p, text.p + text.n };
	struct span key, value;
	enum context_part part;

	while (json ? scan_json(&s, &key, &value) : scan_logfmt(&s, &key, &value)) {
		if (json && value.n && *value.p == '{') {
			if (depth < DEPTH)
				gather(c, true, value, key, depth + 1);
			continue;
		}
		if (value.n == 0 || (value.n == 4 && memcmp(value.p, "null", 4) == 0))
			continue;
		if (find_part(is_id(key) ? outer : (struct span){ NULL, 0 }, key, &part) && !c->part[part].p)
			c->part[part] = value;
	}
}

/* Part number I of V, which "-" or ":" separates; empty where there is none. */
static struct span
piece(struct span v, char separator, int i)
{
	const char *p = v.p, *end = v.p + v.n;

	for (; p < end && i > 0; i--) {
		const char *next = memchr(p, separator, (size_t)(end - p));

		p = next ? next + 1 : end;
	}
	v.p = p;
	for (v.n = 0; p < end && *p != separator; p++)
		v.n++;
	return v;
}

/* What follows NAME in V up to a semicolon, as in "Root=1-2-3;Parent=4". */
static struct span
named(struct span v, const char *name)
{
	const char *p = memmem(v.p, v.n, name, strlen(name));

	if (!p)
		return (struct span){ NULL, 0 };
	p += strlen(name);
	v = (struct span){ p, (size_t)(v.p + v.n - p) };
	return piece(v, ';', 0);
}

/* The ids of the record that a header says, where no member of its own does. */
static void
read_header(struct context *c, struct span trace, struct span span)
{
	if (trace.n == 0 || span.n == 0)
		return;
	if (!c->part[PART_TRACE].p)
		c->part[PART_TRACE] = trace;
	/* The id in a header that was received is the parent of the record's own span. */
	if (!c->part[PART_SPAN].p)
		c->part[PART_SPAN] = span;
	else if (!c->part[PART_PARENT].p)
		c->part[PART_PARENT] = span;
}

static void
read_headers(struct context *c)
{
	struct span v = c->part[PART_TRACEPARENT];

	if (!c->part[PART_SPAN].p && c->part[PART_TRACE].p)
		c->part[PART_SPAN] = c->part[PART_TRANSACTION];
	if (v.p)
		read_header(c, piece(v, '-', 1), piece(v, '-', 2));
	if ((v = c->part[PART_B3]).p) {
		read_header(c, piece(v, '-', 0), piece(v, '-', 1));
		if (!c->part[PART_PARENT].p && piece(v, '-', 3).n)
			c->part[PART_PARENT] = piece(v, '-', 3);
	}
	if ((v = c->part[PART_JAEGER]).p) {
		read_header(c, piece(v, ':', 0), piece(v, ':', 1));
		if (!c->part[PART_PARENT].p && piece(v, ':', 2).n)
			c->part[PART_PARENT] = piece(v, ':', 2);
	}
	if ((v = c->part[PART_AWS]).p)
		read_header(c, named(v, "Root="), named(v, "Parent="));
}

/* An id without "0x" and zeros at its front; empty for none. */
static struct span
trim(struct span v)
{
	if (v.n > 2 && v.p[0] == '0' && (v.p[1] == 'x' || v.p[1] == 'X')) {
		v.p += 2;
		v.n -= 2;
	}
	while (v.n && *v.p == '0') {
		v.p++;
		v.n--;
	}
	return v.n > ID_MAX_BYTES ? (struct span){ NULL, 0 } : v;
}

/* The context of a record; false where it has no trace and no span. */
static bool
context_find(const struct format *fmt, struct span text, struct context *c)
{
	*c = (struct context){ .part[0].p = NULL };
	gather(c, fmt->where == WHERE_JSON, text, (struct span){ NULL, 0 }, 0);
	read_headers(c);
	for (int i = PART_TRACE; i <= PART_PARENT; i++)
		if (c->part[i].p)
			c->part[i] = trim(c->part[i]);
	return c->part[PART_TRACE].n && c->part[PART_SPAN].n;
}

/* The id of a side of SPAN in the trace of C. */
static uint64_t
id_of(const struct context *c, struct span span, uint16_t rule, enum side side)
{
	char text[TRACE_TAIL + ID_MAX_BYTES + 1];
	struct span trace = c->part[PART_TRACE];
	size_t n = 0;

	if (trace.n > TRACE_TAIL)
		trace = trim((struct span){ trace.p + trace.n - TRACE_TAIL, TRACE_TAIL });
	for (size_t i = 0; i < trace.n; i++)
		text[n++] = (char)tolower((unsigned char)trace.p[i]);
	text[n++] = '/';
	for (size_t i = 0; i < span.n; i++)
		text[n++] = (char)tolower((unsigned char)span.p[i]);
	return hash_bytes((uint64_t)(unsigned)side << 32 | rule, text, n);
}

static bool
is_word(struct span v, const char *word)
{
	return v.n == strlen(word) && memcmp(v.p, word, v.n) == 0;
}

static struct constraint *
constraint_put(struct constraints *out, uint16_t rule, enum constraint_kind what, uint64_t id)
{
	struct constraint *e = constraints_add(out, what, CONSTRAINT_SPAN, id);

	e->rule = rule;
	e->soft = what == CONSTRAINT_NEED;
	return e;
}

/* How long the span of C lasted, ns; -1 where it is not said. */
static int64_t
length_of(const struct context *c)
{
	const struct span v = c->part[PART_LENGTH];
	int64_t n;
	char text[24];

	if (v.n == 0 || v.n >= sizeof text)
		return -1;
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	return num_parse(text, 0, INT64_MAX / 4, &n) == 0 ? n : -1;
}

/* A caller waits for a server: so the one ends behind the other, which says something of their clocks. */
static void
bound_ends(const struct context *c, uint16_t rule, bool server, struct constraints *out)
{
	const struct span span = c->part[PART_SPAN], parent = c->part[PART_PARENT];
	int64_t ns = length_of(c);

	if (ns < 0)
		return;
	if (!server)
		constraint_put(out, rule, CONSTRAINT_SPAN_END, id_of(c, span, rule, SIDE_ANY))->n = ns;
	if (server && parent.n)
		constraint_put(out, rule, CONSTRAINT_CHILD_END, id_of(c, parent, rule, SIDE_ANY))->n = ns;
	if (server && !is_word(c->part[PART_OF], "otlp"))
		constraint_put(out, rule, CONSTRAINT_CHILD_END, id_of(c, span, rule, SIDE_ANY))->n = ns;
}

/* A whole span, of a file of spans. */
static void
span_constraints(const struct context *c, uint16_t rule, struct constraints *out)
{
	const struct span span = c->part[PART_SPAN], parent = c->part[PART_PARENT], kind = c->part[PART_KIND];
	const bool shares = !is_word(c->part[PART_OF], "otlp");
	const bool server = is_word(kind, "server"), client = is_word(kind, "client");

	constraint_put(out, rule, CONSTRAINT_SEND, id_of(c, span, rule, SIDE_ANY));
	constraint_put(out, rule, CONSTRAINT_SEND, id_of(c, span, rule, SIDE_BEGIN));
	if (parent.n)
		constraint_put(out, rule, CONSTRAINT_NEED, id_of(c, parent, rule, SIDE_ANY));
	if (server || client)
		bound_ends(c, rule, server, out);
	if (!shares)
		return;
	/* The two sides of one span have one id; what a server causes is within its side. */
	if (client || is_word(kind, "producer"))
		constraint_put(out, rule, CONSTRAINT_SEND, id_of(c, span, rule, SIDE_CLIENT));
	if (server || is_word(kind, "consumer")) {
		constraint_put(out, rule, CONSTRAINT_NEED, id_of(c, span, rule, SIDE_CLIENT));
		constraint_put(out, rule, CONSTRAINT_SEND, id_of(c, span, rule, SIDE_SERVER));
	}
	if (parent.n)
		constraint_put(out, rule, CONSTRAINT_NEED, id_of(c, parent, rule, SIDE_SERVER));
}

void
trace_constraints(const struct format *fmt, struct span text, uint16_t rule, bool ends, struct constraints *out)
{
	struct context c;
	struct span span, parent;

	if (!context_find(fmt, text, &c))
		return;
	span = c.part[PART_SPAN];
	parent = c.part[PART_PARENT];
	if (parent.n == span.n && memcmp(parent.p, span.p, span.n) == 0)
		parent = c.part[PART_PARENT] = (struct span){ NULL, 0 };
	if (c.part[PART_OF].n && !is_word(c.part[PART_OF], "log")) {
		span_constraints(&c, rule, out);
		return;
	}
	if (!ends && (!c.part[PART_LENGTH].p || c.part[PART_START].p))
		constraint_put(out, rule, CONSTRAINT_SEND, id_of(&c, span, rule, SIDE_ANY));
	if (parent.n)
		constraint_put(out, rule, CONSTRAINT_NEED, id_of(&c, parent, rule, SIDE_ANY));
	if (c.part[PART_OF].n)
		constraint_put(out, rule, CONSTRAINT_NEED, id_of(&c, span, rule, SIDE_BEGIN));
}

/* The spans of some lines: which were met first as the parent of another. */
struct met {
	uint64_t id[SPANS_MAX];
	bool as_parent[SPANS_MAX];
	unsigned n;
	int behind, before;		/* spans that stand behind a child; children behind their span */
};

static void
met_note(struct met *m, uint64_t id, bool as_parent)
{
	unsigned i = 0;

	while (i < m->n && m->id[i] != id)
		i++;
	if (i == SPANS_MAX)
		return;
	if (i == m->n) {
		m->id[m->n] = id;
		m->as_parent[m->n++] = as_parent;
		return;
	}
	if (as_parent && !m->as_parent[i])
		m->before++;
	if (!as_parent && m->as_parent[i]) {
		m->as_parent[i] = false;
		m->behind++;
	}
}

bool
trace_is_in(const struct format *fmt, const char *p, size_t n, bool *ends)
{
	const char *end = p + n, *nl;
	struct met m = { .n = 0 };
	struct context c;
	bool any = false;

	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			nl = end;
		if (!context_find(fmt, (struct span){ p, (size_t)(nl - p) }, &c))
			continue;
		any = true;
		if (c.part[PART_PARENT].n)
			met_note(&m, id_of(&c, c.part[PART_PARENT], 0, SIDE_ANY), true);
		met_note(&m, id_of(&c, c.part[PART_SPAN], 0, SIDE_ANY), false);
	}
	*ends = m.behind > m.before;
	return any;
}

struct span
trace_id_text(const struct format *fmt, struct span text, uint16_t rule, uint64_t id)
{
	static const enum side sides[] = { SIDE_ANY, SIDE_CLIENT, SIDE_SERVER, SIDE_BEGIN };
	struct context c;

	if (!context_find(fmt, text, &c))
		return (struct span){ NULL, 0 };
	for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
		if (id_of(&c, c.part[PART_SPAN], rule, sides[i]) == id)
			return c.part[PART_SPAN];
		if (c.part[PART_PARENT].n && id_of(&c, c.part[PART_PARENT], rule, sides[i]) == id)
			return c.part[PART_PARENT];
	}
	return (struct span){ NULL, 0 };
}
