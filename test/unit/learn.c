/* Each part of learning, on made data whose answer is known. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "learn/clockfit.h"
#include "learn/direction.h"
#include "learn/flow.h"
#include "learn/template.h"

static int failures;

static void
expect(bool good, const char *what)
{
	if (!good)
		fprintf(stderr, "learn: %s\n", what);
	failures += !good;
}

/* The next number of a sequence that is the same in each run, in [0, 1). */
static double
chance(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (double)(x >> 11) / 9007199254740992.0;
}

static int64_t
exponential(double mean)
{
	return (int64_t)(-log(1 - chance()) * mean);
}

static int
compare_numbers(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* --- templates */

static unsigned
read_line(struct templates *t, const struct format *fmt, const char *line, struct template_value *v)
{
	return templates_read(t, fmt, (struct span){ line, strlen(line) }, 0, v);
}

static void
test_text(void)
{
	const struct format text = { .where = WHERE_START };
	struct template_value a[TEMPLATE_VALUES], b[TEMPLATE_VALUES];
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct templates *t = templates_new();
	struct fail f;
	struct regex *x;

	templates_settle(t);
	expect(read_line(t, &text, "send m-17 to node 42", a) == 2, "two values of a line");
	expect(read_line(t, &text, "send m-18 to node 43", b) == 2 && a[0].slot == b[0].slot && a[1].slot == b[1].slot &&
	    a[0].hash != b[0].hash, "lines of one kind have their values in the same slots");
	expect(read_line(t, &text, "receive (id:m-17).", b) == 1 && b[0].hash == a[0].hash && b[0].slot != a[0].slot,
	    "a value is the same without its name and what stands around it");
	expect(templates_kind_of(t, b[0].slot) != templates_kind_of(t, a[0].slot), "another text is another kind");
	templates_pattern(t, b[0].slot, &out);
	x = regex_new("test", out.s, &f);
	expect(x && regex_match(x, "receive (id:m-99).", 18), "the pattern of a kind matches its records");
	expect(x && regex_span(x, regex_group(x, "id"), "receive (id:m-99).").n == 4, "and has the value as its id");
	expect(x && !regex_match(x, "receive (id:m-99) twice.", 24), "but no other record");
	regex_free(x);
	templates_free(t);
}

static void
test_json(void)
{
	char *keys[] = { (char[]){ "time" }, NULL };
	struct format json = { .where = WHERE_JSON, .keys[FIELD_TIME] = keys };
	struct template_value a[TEMPLATE_VALUES], b[TEMPLATE_VALUES];
	struct templates *t = templates_new();
	static const char *const lines[] = { "{\"time\":\"2026\",\"type\":\"ping\",\"id\":\"a7\"}", "{\"time\":\"2026\",\"type\":\"pong\",\"ref\":\"a7\"}" };
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct fail f;
	struct regex *x;
	char name[80];

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "{\"type\":\"%s\",\"user\":\"%c%c\"}", i % 2 ? "ping" : "pong", 'a' + i % 26, 'a' + i % 25);
		templates_sample(t, &json, (struct span){ name, strlen(name) });
	}
	templates_settle(t);
	expect(read_line(t, &json, lines[0], a) == 1 && read_line(t, &json, lines[1], b) == 1, "the time is no value, and the type neither");
	expect(a[0].hash == b[0].hash && templates_kind_of(t, a[0].slot) != templates_kind_of(t, b[0].slot), "the type makes the kind");
	expect(read_line(t, &json, "{\"type\":\"ping\",\"user\":\"xy\"}", a) == 1, "a member that varies is a value");
	expect(read_line(t, &json, "{\"type\":\"ping\",\"m\":{\"id\":\"b9\"}}", a) == 2, "an object is a value, and what is in it");
	templates_pattern(t, b[0].slot, &out);
	x = regex_new("test", out.s, &f);
	expect(x && regex_match(x, lines[1], strlen(lines[1])) && !regex_match(x, lines[0], strlen(lines[0])), "the pattern of a kind of JSON");
	regex_free(x);
	templates_free(t);
}

/* --- occurrences */

static void
test_sample(void)
{
	struct occurrences *o = occurrences_new(1 << 20);
	struct occurrence *v = xcalloc(OCCURRENCES_OF_VALUE, sizeof *v);
	int n, values = 0, whole = 0;

	/* Each value twice, in two sources far apart. */
	for (uint16_t s = 0; s < 2; s++)
		for (uint32_t i = 0; i < 200000; i++)
			occurrences_add(o, template_hash(9, (const char *)&i, sizeof i), &(struct occurrence){ .record = i, .source = s });
	for (size_t i = 0; (n = occurrences_of(o, i, v)) >= 0; i++) {
		values += n > 0;
		whole += n == 2 && v[0].source == 0 && v[1].source == 1 && v[0].record == v[1].record;
	}
	expect(occurrences_bytes(o) < 4 << 20, "the memory of a sample is bounded");
	expect(values > 2000 && whole == values, "a value of the sample has all its occurrences");
	expect(abs(values - (200000 >> occurrences_level(o))) < 600, "the level says which share of the values there is");
	occurrences_free(o);
	free(v);
}

/* --- candidates and directions: records "cause ID" in source 0, "effect ID" in source 1, and so on */

struct world {
	struct templates *t;
	struct occurrences *o;
	uint32_t records[8];
	int64_t res;			/* of all stamps */
};

static void
world_begin(struct world *w)
{
	*w = (struct world){ .t = templates_new(), .o = occurrences_new(16 << 20), .res = 1000 };
	templates_settle(w->t);
}

static void
world_log(struct world *w, uint16_t source, int64_t t, const char *text)
{
	const struct format fmt = { .where = WHERE_START };
	struct template_value v[TEMPLATE_VALUES];
	unsigned n = read_line(w->t, &fmt, text, v);

	w->records[source]++;
	for (unsigned i = 0; i < n; i++)
		occurrences_add(w->o, v[i].hash, &(struct occurrence){ .t = t / w->res * w->res, .slot = v[i].slot, .record = w->records[source],
		    .source = source, .number = v[i].number, .low = v[i].low });
}

/* The rules of W: how many; the offset of source 1 to 0 is known within LO and HI. */
static unsigned
world_learn(struct world *w, struct candidates *c, int64_t *lo, int64_t *hi)
{
	static const bool ordered[8] = { true, true, true, true, true, true, true, true };
	const int64_t res[8] = { w->res, w->res, w->res, w->res, w->res, w->res, w->res, w->res };
	struct offsets *o;
	unsigned n = 0;

	candidates_find(c, w->o, w->t);
	o = directions_find(c, w->t, res, ordered, 8);
	offsets_range(o, 0, 1, lo, hi);
	offsets_free(o);
	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].direction != 0;
	return n;
}

static void
world_end(struct world *w, struct candidates *c)
{
	candidates_release(c);
	occurrences_free(w->o);
	templates_free(w->t);
}

/* The text of the cause of the only rule of C. */
static bool
is_cause(const struct world *w, const struct candidates *c, const char *word)
{
	_cleanup_buf_ struct buf out = BUF_INIT;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].direction)
			templates_describe(w->t, c->v[i].direction > 0 ? c->v[i].x : c->v[i].y, &out);
	return out.s && strstr(out.s, word) != NULL;
}

enum shape { TAIL, EVEN };

/* N messages from source 0 to 1, whose clock is OFF ahead. */
static unsigned
learn_messages(unsigned n, int64_t off, enum shape shape, bool *right, int64_t *lo, int64_t *hi)
{
	struct candidates c;
	struct world w;
	char text[64];
	int64_t t = 1000000000000;
	unsigned rules;

	world_begin(&w);
	for (unsigned i = 0; i < n; i++) {
		t += exponential(50e6);
		snprintf(text, sizeof text, "cause m%08x", i * 2654435761U);
		world_log(&w, 0, t, text);
		snprintf(text, sizeof text, "effect m%08x", i * 2654435761U);
		world_log(&w, 1, t + off + (shape == TAIL ? 500000 + exponential(3e6) : (int64_t)((chance() + chance()) * 2e6)), text);
	}
	rules = world_learn(&w, &c, lo, hi);
	*right = is_cause(&w, &c, "cause");
	world_end(&w, &c);
	return rules;
}

static void
test_shape(void)
{
	static const int64_t offs[] = { 0, 50000000, -50000000, 5000000000, -5000000000, 7200000000000 };
	int64_t lo, hi;
	bool right;

	for (size_t i = 0; i < sizeof offs / sizeof *offs; i++) {
		expect(learn_messages(500, offs[i], TAIL, &right, &lo, &hi) == 1 && right, "the tail tells the cause, however the clocks are");
		expect(hi >= offs[i] && hi < offs[i] + 1500000, "and the shortest delay bounds the clocks");
		expect(learn_messages(500, offs[i], EVEN, &right, &lo, &hi) == 0, "delays without a tail tell nothing");
	}
	expect(learn_messages(6, 0, TAIL, &right, &lo, &hi) == 0, "few messages tell nothing");
}

/* A call with answer, and a third record that only the clocks can place. */
static void
test_calls(void)
{
	struct candidates c;
	struct world w;
	char text[64];
	int64_t t = 1000000000000, lo, hi;
	unsigned rules;

	world_begin(&w);
	for (unsigned i = 0; i < 300; i++) {
		int64_t at, service = 1000000 + (int64_t)(chance() * 40e6);

		t += exponential(200e6);
		snprintf(text, sizeof text, "calling r%08x", i * 2654435761U);
		world_log(&w, 0, t, text);
		/* Delays are even, so that only the times of the call tell. */
		at = t + 1000000 + (int64_t)(chance() * 1e6);
		snprintf(text, sizeof text, "serving r%08x", i * 2654435761U);
		world_log(&w, 1, at + 3000000000, text);
		snprintf(text, sizeof text, "served r%08x", i * 2654435761U);
		world_log(&w, 1, at + service + 3000000000, text);
		snprintf(text, sizeof text, "answer r%08x", i * 2654435761U);
		world_log(&w, 0, at + service + 1000000 + (int64_t)(chance() * 1e6), text);
	}
	rules = world_learn(&w, &c, &lo, &hi);
	expect(rules == 2, "a call and its answer are two rules: the others follow from these");
	expect(is_cause(&w, &c, "calling") && is_cause(&w, &c, "served"), "and the caller is the one that waits");
	expect(lo <= 3000000000 && hi >= 3000000000 && hi - lo < 4000000, "which bounds the clocks on both sides");
	world_end(&w, &c);
}

struct line {
	int64_t t;
	uint16_t source;
	char text[40];
};

static int
by_line_time(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->t != y->t ? (x->t > y->t) - (x->t < y->t) : (x->source > y->source) - (x->source < y->source);
}

enum { CROSSING_EVENTS = 3000 };

/* What N sources of one program say of events, by stamps of 1 s: how many rules. */
static unsigned
learn_coarse(struct line *v, unsigned n, bool *right)
{
	struct candidates c;
	struct world w;
	int64_t lo, hi;
	unsigned rules;

	world_begin(&w);
	w.res = 1000000000;
	qsort(v, n, sizeof *v, by_line_time);
	for (unsigned i = 0; i < n; i++)
		world_log(&w, v[i].source, v[i].t + (v[i].source ? 7300000000 : 0), v[i].text);
	rules = world_learn(&w, &c, &lo, &hi);
	*right = is_cause(&w, &c, "cause");
	world_end(&w, &c);
	return rules;
}

/* Stamps are coarser than delays: what crosses tells the direction, and what does not tells nothing. */
static void
test_crossing(void)
{
	struct line *v = xcalloc(4 * CROSSING_EVENTS, sizeof *v);
	int64_t t = 1000000000000;
	unsigned n = 0;
	bool right;

	/* Messages both ways, with delays that have no tail. */
	for (unsigned i = 0; i < CROSSING_EVENTS; i++) {
		const uint16_t from = chance() < 0.5;

		t += exponential(30e6);
		v[n] = (struct line){ .t = t, .source = from };
		snprintf(v[n++].text, sizeof v->text, "cause m%08x", i * 2654435761U);
		v[n] = (struct line){ .t = t + 1000000 + (int64_t)(chance() * 4e6), .source = !from };
		snprintf(v[n++].text, sizeof v->text, "effect m%08x", i * 2654435761U);
	}
	expect(learn_coarse(v, n, &right) == 1 && right, "messages that cross tell the cause without any clock");
	/* The same one way. */
	for (unsigned i = 0; i < n; i++)
		v[i].source = strncmp(v[i].text, "effect", 6) == 0;
	expect(learn_coarse(v, n, &right) == 0, "messages one way tell nothing without a clock");
	/* An event that both see, and either first. */
	for (unsigned i = n = 0; i < CROSSING_EVENTS; i++) {
		const uint16_t from = chance() < 0.5;

		t += exponential(30e6);
		v[n] = (struct line){ .t = t + (int64_t)(chance() * 4e6), .source = from };
		snprintf(v[n++].text, sizeof v->text, "heard m%08x", i * 2654435761U);
		v[n] = (struct line){ .t = t + (int64_t)(chance() * 4e6), .source = !from };
		snprintf(v[n++].text, sizeof v->text, "seen m%08x", i * 2654435761U);
	}
	expect(learn_coarse(v, n, &right) == 0, "nor does what either may see first");
	/* Calls one way, with their answers. */
	for (unsigned i = n = 0; i < CROSSING_EVENTS; i++) {
		static const char *const what[] = { "cause of call", "effect of call", "cause of answer", "effect of answer" };
		int64_t at = t += exponential(30e6);

		for (unsigned k = 0; k < 4; k++) {
			v[n] = (struct line){ .t = at, .source = k == 1 || k == 2 };
			snprintf(v[n++].text, sizeof v->text, "%s r%08x", what[k], i * 2654435761U);
			at += 1000000 + (int64_t)(chance() * (k == 1 ? 30e6 : 4e6));
		}
	}
	expect(learn_coarse(v, n, &right) == 2 && right, "calls cross their answers");
	free(v);
}

static void
test_strangers(void)
{
	struct candidates c;
	struct world w;
	char text[64];
	int64_t t[2] = { 1000000000000, 1000000000000 }, lo, hi;

	/* Two counters. */
	world_begin(&w);
	for (unsigned i = 0; i < 2000; i++)
		for (uint16_t s = 0; s < 2; s++) {
			t[s] += exponential(10e6);
			snprintf(text, sizeof text, "%s request %u", s ? "here" : "there", 100000 + i);
			world_log(&w, s, t[s], text);
		}
	expect(world_learn(&w, &c, &lo, &hi) == 0, "two counters have nothing to do with each other");
	world_end(&w, &c);
	/* Two jobs of one rhythm, one of which is slow to begin. */
	world_begin(&w);
	for (unsigned i = 0; i < 1000; i++)
		for (uint16_t s = 0; s < 2; s++) {
			snprintf(text, sizeof text, "%s 2026-11-%02uT%02u:%02u", s ? "backup" : "report", 1 + i / 600, i / 60 % 10, i % 60);
			world_log(&w, s, (int64_t)i * 60000000000 + exponential(s ? 20e6 : 1e6), text);
		}
	expect(world_learn(&w, &c, &lo, &hi) == 0, "two jobs of one rhythm neither");
	world_end(&w, &c);
	/* One name, many times in both, with steps of their own. */
	world_begin(&w);
	for (unsigned i = 0; i < 1000; i++)
		for (uint16_t s = 0; s < 2; s++) {
			t[s] += exponential(10e6);
			world_log(&w, s, t[s], s ? "put orders-1" : "take orders-1");
		}
	expect(world_learn(&w, &c, &lo, &hi) == 0, "a name that two programs use as often is no queue");
	world_end(&w, &c);
}

static void
test_queue(void)
{
	struct candidates c;
	struct world w;
	char text[64];
	int64_t t = 1000000000000, ready[3] = { 0 }, lo, hi;

	world_begin(&w);
	for (unsigned i = 0; i < 1500; i++) {
		const unsigned k = (unsigned)(chance() * 3);

		t += exponential(50e6);
		snprintf(text, sizeof text, "put queue-%u", k);
		world_log(&w, 0, t, text);
		ready[k] = t + 500000 + exponential(3e6) > ready[k] ? t + 500000 + exponential(3e6) : ready[k] + 1000;
		snprintf(text, sizeof text, "take queue-%u", k);
		world_log(&w, 1, ready[k], text);
	}
	expect(world_learn(&w, &c, &lo, &hi) == 1 && is_cause(&w, &c, "put"), "ids that recur are matched in order");
	expect(c.n && c.v[0].recurs && c.v[0].nth, "by number");
	world_end(&w, &c);
}

static void
test_offsets(void)
{
	const int64_t there[] = { 12, 15, 20 }, back[] = { -8, -5, 3 }, wrong[] = { -100, -90, -80 };
	struct offsets *o = offsets_new(3), *copy;
	int64_t lo, hi;

	offsets_bound(o, 0, 1, there, 3);
	offsets_bound(o, 1, 0, back, 3);
	offsets_bound(o, 1, 2, there, 3);
	expect(offsets_close(o, 0), "bounds that leave a range agree");
	offsets_range(o, 0, 1, &lo, &hi);
	expect(lo == 8 && hi == 12, "the range of two clocks");
	offsets_range(o, 0, 2, &lo, &hi);
	expect(lo == -OFFSET_UNKNOWN && hi == 24, "a bound by way of another clock");
	copy = offsets_copy(o);
	offsets_bound(copy, 1, 0, wrong, 3);
	expect(!offsets_close(copy, 10), "bounds that leave none contradict each other");
	offsets_free(copy);
	offsets_free(o);
}

/* Four messages between each two of 12 sources, whose clocks are hours apart. */
static void
test_clockfit(void)
{
	struct candidate c = { .n = 0 };
	int64_t *rest = xcalloc(CLOCKFIT_MAX, sizeof *rest), off[12];
	unsigned n;

	for (int i = 0; i < 12; i++)
		off[i] = (int64_t)(chance() * 7200e9);
	for (uint16_t a = 0; a < 12; a++)
		for (uint16_t b = 0; b < 12; b++)
			for (int k = 0; k < 4 && a != b; k++) {
				c.v = xgrow(c.v, c.n, &c.cap, sizeof *c.v);
				c.v[c.n++] = (struct link_instance){ .a = a, .b = b, .a_ns = off[a], .b_ns = off[b] + 500000 + exponential(3e6) };
			}
	n = clockfit_rest(&c, 12, rest);
	expect(n == 12 * 11 * 4, "all instances are fitted");
	qsort(rest, n, sizeof *rest, compare_numbers);
	expect(rest[0] > -4000000 && rest[n - 1] < 60000000 && flow_shape(rest, n) > 0.35, "the clocks are taken out, and the tail stays");
	free(c.v);
	free(rest);
}

int
main(void)
{
	test_clockfit();
	test_text();
	test_json();
	test_sample();
	test_shape();
	test_calls();
	test_crossing();
	test_strangers();
	test_queue();
	test_offsets();
	return failures != 0;
}
