/*
 * The causal merge against the truth.
 *
 * Small random cases: against a brute-force order over the whole graph.
 * Large ones: a simulator of hosts with wrong clocks that send each other
 * messages, whose true order is known.  The seed is printed; SEED=N repeats.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "../merging.h"
#include "record/source_open.h"

/* Of a world: SOAK=1 takes the larger number; a sanitizer makes the others slow enough. */
enum { EVENTS = 30000, EVENTS_SOAK = 200000 };
enum { HOSTS = 8, SMALL_MAX = 64 };

static uint64_t state;

static uint64_t
rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

static void fail_test(uint64_t seed, const char *fmt, ...) PRINTF(2, 3) NORETURN;

static void
fail_test(uint64_t seed, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "log-order: SEED=%ju: ", (uintmax_t)seed);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* A source that holds TEXT. */
static struct source *
source_of(const char *name, const struct buf *text, bool fifo)
{
	struct source_spec spec = { .order = fifo ? ORDER_FIFO : ORDER_NONE };
	_cleanup_free_ char *path = NULL, *own = xstrdup(name);
	struct formats none = { NULL, 0 };
	struct source *s;
	struct fail f;
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (fd < 0 || io_write_all(fd, text->s, text->len) < 0)
		abort();
	path = xasprintf("/proc/self/fd/%d", fd);
	spec.name = own;
	spec.location = path;
	spec.zone = (char[]){ "UTC" };
	if (source_open(&spec, &none, 4096, true, &s, &f) < 0) {
		fprintf(stderr, "%s\n", f.text);
		exit(1);
	}
	close(fd);
	return s;
}

static void
stamp(struct buf *b, int64_t us, unsigned digits)
{
	char text[CLOCK_TEXT];

	clock_format((struct timespec){ us / 1000000, us % 1000000 * 1000 }, text);
	if (digits == 9)
		buf_printf(b, "%.26s000Z", text);
	else
		buf_printf(b, "%.*sZ", digits ? 20 + (int)digits : 19, text);
}

static struct rules
message_rule(void)
{
	static const char text[] = "[m]\nkind = message\nsend = tx=(?<id>\\w+)\nrecv = rx=(?<id>\\w+)\n";
	struct rules rs = { NULL, 0 };
	struct fail f;

	if (rules_parse(&rs, "test", text, sizeof text - 1, &f) < 0) {
		fprintf(stderr, "%s\n", f.text);
		exit(1);
	}
	return rs;
}

/* --- small cases, by brute force */

struct event {
	int64_t t, late;
	unsigned host, pos;
	int id;			/* of a message, 0 for none */
	bool sends, out;
};

/* Does A stand before B because of an edge? */
static bool
precedes(const struct event *a, const struct event *b)
{
	if (a->host == b->host)
		return a->pos + 1 == b->pos;
	return a->id && a->id == b->id && a->sends && !b->sends;
}

/* L of each: the latest of its time and those before it; false where there is a cycle. */
static bool
bounds(struct event *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		v[i].late = v[i].t;
	for (unsigned round = 0; round <= n; round++) {
		bool changed = false;

		for (unsigned i = 0; i < n; i++)
			for (unsigned k = 0; k < n; k++)
				if (precedes(&v[i], &v[k]) && v[i].late > v[k].late) {
					v[k].late = v[i].late;
					changed = true;
				}
		if (!changed)
			break;
	}
	/* A cycle shows when nothing is ready before all are out. */
	for (unsigned done = 0; done < n; done++) {
		unsigned found = n;

		for (unsigned i = 0; i < n && found == n; i++) {
			bool ready = !v[i].out;

			for (unsigned k = 0; k < n; k++)
				ready = ready && !(precedes(&v[k], &v[i]) && !v[k].out);
			if (ready)
				found = i;
		}
		if (found == n)
			return false;
		v[found].out = true;
	}
	return true;
}

/* The one that Kahn's algorithm with a priority takes next. */
static unsigned
next_of(const struct event *v, unsigned n)
{
	unsigned best = n;

	for (unsigned i = 0; i < n; i++) {
		bool ready = !v[i].out;

		for (unsigned k = 0; k < n; k++)
			ready = ready && !(precedes(&v[k], &v[i]) && !v[k].out);
		if (ready && (best == n || v[i].t < v[best].t))
			best = i;
	}
	return best;
}

static void
small_case(uint64_t seed, const struct rules *rules, bool exact)
{
	struct event v[SMALL_MAX] = { 0 };
	unsigned n = 2 + (unsigned)rnd(SMALL_MAX - 2), hosts = 2 + (unsigned)rnd(3), pos[8] = { 0 };
	struct buf text[8];
	struct source *s[8];
	struct merging m = { .rules = rules, .patience_ns = INT64_C(3600000000000), .buffer = 64 << 20, .exact = exact };
	struct causal_count count;
	struct render out;
	const char *p;
	int ids = 0;

	for (unsigned i = 0; i < 8; i++)
		text[i] = (struct buf)BUF_INIT;
	/* All times differ, so that the order is one; not sorted in a file: clocks jump. */
	for (unsigned i = 0; i < n; i++) {
		v[i].t = INT64_C(1700000000000000) + (int64_t)(i * 1000 + rnd(900)) + (int64_t)rnd(3) * 4000000 - (int64_t)i * 0;
		for (unsigned k = 0; k < i; k++)
			if (v[k].t == v[i].t)
				v[i].t++, k = 0;
		v[i].host = (unsigned)rnd(hosts);
		v[i].pos = pos[v[i].host]++;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned k = (unsigned)rnd(n);

		if (v[i].id || v[k].id || i == k || v[i].host == v[k].host || rnd(3))
			continue;
		v[i].id = v[k].id = ++ids;
		v[i].sends = true;
		struct event copy[SMALL_MAX];
		memcpy(copy, v, sizeof v);
		if (!bounds(copy, n)) {		/* that would be a cycle */
			v[i].id = v[k].id = 0;
			v[i].sends = false;
		}
	}
	bounds(v, n);
	for (unsigned i = 0; i < n; i++)
		v[i].out = false;
	for (unsigned h = 0; h < hosts; h++)
		for (unsigned k = 0; k < pos[h]; k++)
			for (unsigned i = 0; i < n; i++)
				if (v[i].host == h && v[i].pos == k) {
					stamp(&text[h], v[i].t, 6);
					buf_printf(&text[h], " n=%u", i);
					if (v[i].id)
						buf_printf(&text[h], " %s=%d", v[i].sends ? "tx" : "rx", v[i].id);
					buf_putc(&text[h], '\n');
				}
	for (unsigned h = 0; h < hosts; h++) {
		_cleanup_free_ char *name = xasprintf("h%u", h);

		s[h] = source_of(name, &text[h], true);
		s[h]->rank = h;
	}
	render_init(&out, -1, NULL);
	merging_run(s, hosts, &m, &out, &count);
	render_bytes(&out, "", 1, true);
	p = out.w.buf;
	for (unsigned i = 0; i < n; i++) {
		unsigned want = next_of(v, n), got;

		p = strstr(p, " n=");
		if (!p)
			fail_test(seed, "record %u of %u is missing", i, n);
		got = (unsigned)strtoul(p + 3, NULL, 10);
		if (got != want)
			fail_test(seed, "exact %d: place %u has record %u and not %u\n%s", exact, i, got, want, out.w.buf);
		v[want].out = true;
		p += 3;
	}
	if (strstr(p, " n=") || count.records != n || count.late || count.dropped || count.unmatched)
		fail_test(seed, "%jd records of %u, %jd late, %jd dropped, %jd unmatched", (intmax_t)count.records, n,
		    (intmax_t)count.late, (intmax_t)count.dropped, (intmax_t)count.unmatched);
	render_release(&out);
	for (unsigned h = 0; h < hosts; h++)
		source_close(s[h], NULL);
	for (unsigned i = 0; i < 8; i++)
		buf_release(&text[i]);
}

/* --- the simulator */

struct world {
	unsigned events;
	int64_t skew_us, drift_ppm;
	unsigned digits;		/* of the stamps' fraction: 0, 3, 6, 9 */
	int64_t far_us;			/* host 0 is that far ahead besides */
	size_t piece;			/* of what a worker takes at once; 0 for the usual */
	unsigned lost;			/* one of so many sends is not logged; 0: none */
};

struct result {
	int64_t violated, program, inversions, records;
	uint64_t hash;			/* of all the bytes */
	struct causal_count count;
};

static struct buf logs[HOSTS];

static void
simulate(const struct world *w)
{
	enum { FLYING = 256 };
	struct { int64_t at; int id; unsigned to; } flying[FLYING] = { { 0, 0, 0 } };
	int64_t now = INT64_C(1700000000000000), begin = now, skew[HOSTS], ppm[HOSTS];
	unsigned seq[HOSTS] = { 0 };
	int id = 0;

	for (unsigned h = 0; h < HOSTS; h++) {
		buf_release(&logs[h]);
		skew[h] = w->skew_us ? (int64_t)rnd((uint64_t)w->skew_us * 2) - w->skew_us : 0;
		skew[h] += h == 0 ? w->far_us : 0;
		ppm[h] = w->drift_ppm ? (int64_t)rnd((uint64_t)w->drift_ppm * 2) - w->drift_ppm : 0;
	}
	for (unsigned g = 0; g < w->events; g++) {
		unsigned h = (unsigned)rnd(HOSTS), slot = FLYING;
		const char *what = "";
		int which = 0;

		now += (int64_t)rnd(2000);
		for (unsigned i = 0; i < FLYING; i++)
			if (flying[i].id && flying[i].at <= now && (slot == FLYING || flying[i].at < flying[slot].at))
				slot = i;
		if (slot < FLYING) {
			what = "rx";
			which = flying[slot].id;
			h = flying[slot].to;
			flying[slot].id = 0;
		} else if (rnd(100) < 5) {
			for (slot = 0; slot < FLYING && flying[slot].id; slot++)
				;
			if (slot < FLYING) {
				what = "tx";
				which = ++id;
				flying[slot].id = id;
				flying[slot].to = (h + 1 + (unsigned)rnd(HOSTS - 1)) % HOSTS;
				flying[slot].at = now + 500 + (int64_t)rnd(4500);
			}
		}
		if (*what == 't' && w->lost && rnd(w->lost) == 0)
			continue;
		stamp(&logs[h], now + skew[h] + (now - begin) * ppm[h] / 1000000, w->digits);
		buf_printf(&logs[h], " h=%u s=%u g=%u", h, seq[h]++, g);
		if (*what)
			buf_printf(&logs[h], " %s=%d", what, which);
		buf_puts(&logs[h], " some text that a line has\n");
	}
}

/* Inversions of V, which is sorted by it. */
static int64_t
inversions(unsigned *v, unsigned *tmp, size_t n)
{
	size_t half = n / 2, i = 0, k = half, m = 0;
	int64_t found;

	if (n < 2)
		return 0;
	found = inversions(v, tmp, half) + inversions(v + half, tmp, n - half);
	while (i < half || k < n) {
		if (k == n || (i < half && v[i] <= v[k])) {
			tmp[m++] = v[i++];
		} else {
			found += (int64_t)(half - i);
			tmp[m++] = v[k++];
		}
	}
	memcpy(v, tmp, n * sizeof *v);
	return found;
}

static struct result
judge(struct render *out, unsigned events)
{
	struct result r = { 0 };
	unsigned *order = xcalloc(events + 1, sizeof *order), *tmp = xcalloc(events + 1, sizeof *tmp);
	unsigned seq[HOSTS] = { 0 };
	char *sent = xcalloc(events + 1, 1), *wanted = xcalloc(events + 1, 1), *p = out->w.buf, *end = p + out->w.len;

	for (char *nl; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
		unsigned h, s, g;
		char *q;

		*nl = '\0';
		if (sscanf(strstr(p, " h="), " h=%u s=%u g=%u", &h, &s, &g) != 3)
			abort();
		r.program += s != seq[h]++;
		order[r.records++] = g;
		if ((q = strstr(p, " tx="))) {
			unsigned long id = strtoul(q + 4, NULL, 10);

			sent[id] = 1;
			r.violated += wanted[id];
		} else if ((q = strstr(p, " rx="))) {
			unsigned long id = strtoul(q + 4, NULL, 10);

			wanted[id] = !sent[id];
		}
	}
	r.inversions = inversions(order, tmp, (size_t)r.records);
	free(order);
	free(tmp);
	free(sent);
	free(wanted);
	return r;
}

enum how { TIME_ONLY, ONE_PASS, EXACT, EXACT_RAW, MINIMAX, ONE_PASS_WORKERS, EXACT_WORKERS, SAMPLED };

static struct result
run(const struct world *w, const struct rules *rules, enum how how)
{
	struct rules none = { NULL, 0 };
	struct merging m = { .rules = how == TIME_ONLY ? &none : rules, .patience_ns = INT64_C(5000000000), .buffer = 64 << 20,
	    .block = w->piece, .workers = how >= ONE_PASS_WORKERS ? 2 : 0, .minimax = how == MINIMAX, .sample = how == SAMPLED,
	    .exact = how == EXACT || how == EXACT_RAW || how == EXACT_WORKERS };
	struct causal_count count;
	struct source *s[HOSTS];
	int64_t offsets[HOSTS] = { 0 };
	struct render out;
	struct result r;
	uint64_t hash;

	for (unsigned h = 0; h < HOSTS; h++) {
		_cleanup_free_ char *name = xasprintf("h%u", h);

		s[h] = source_of(name, &logs[h], true);
		s[h]->rank = h;
	}
	render_init(&out, -1, NULL);
	if (how == EXACT || how == EXACT_WORKERS || how == SAMPLED)
		m.offsets = offsets;
	merging_run(s, HOSTS, &m, &out, &count);
	hash = hash_bytes(0, out.w.buf, out.w.len);
	r = judge(&out, w->events);
	r.hash = hash;
	r.count = count;
	render_release(&out);
	for (unsigned h = 0; h < HOSTS; h++)
		source_close(s[h], NULL);
	return r;
}

static void
expect_clean(uint64_t seed, const char *what, const struct result *r, int64_t records)
{
	if (r->records != records || r->violated || r->program || r->count.late || r->count.dropped)
		fail_test(seed, "%s: %jd records of %jd, %jd violated, %jd out of program order, %jd late, %jd dropped", what,
		    (intmax_t)r->records, (intmax_t)records, (intmax_t)r->violated, (intmax_t)r->program,
		    (intmax_t)r->count.late, (intmax_t)r->count.dropped);
}

static void
say(const char *what, const struct result *r)
{
	if (getenv("VERBOSE"))
		fprintf(stderr, "%-28s %8jd violated %12jd inversions %6jd unmatched %6jd late\n", what,
		    (intmax_t)r->violated, (intmax_t)r->inversions, (intmax_t)r->count.unmatched, (intmax_t)r->count.late);
}

/* Workers give the same as one thread: where nothing is wrong, where all is, and where something is. */
static void
workers(uint64_t seed, const struct rules *rules, unsigned events)
{
	struct world worlds[] = {
		{ .events = events, .digits = 6 }, { .events = events, .digits = 6, .lost = 3000 },
		{ .events = events, .digits = 6, .lost = 3000, .piece = 20000 },
		{ .events = events / 4, .digits = 6, .skew_us = 600, .piece = 5000 },
		{ .events = events, .digits = 6, .skew_us = 300, .piece = 60000 },
		{ .events = events, .digits = 6, .skew_us = 300 }, { .events = events, .digits = 3, .skew_us = 200000 },
	};

	for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
		simulate(&worlds[i]);
		for (int k = 0; k < 2; k++) {
			struct result one = run(&worlds[i], rules, k ? EXACT : ONE_PASS);
			struct result two = run(&worlds[i], rules, k ? EXACT_WORKERS : ONE_PASS_WORKERS);

			if (one.hash != two.hash || one.count.records != two.count.records ||
			    one.count.unmatched != two.count.unmatched || one.count.late != two.count.late)
				fail_test(seed, "world %zu, exact %d: workers give something else: %jd and %jd records, %jd and %jd unmatched",
				    i, k, (intmax_t)one.count.records, (intmax_t)two.count.records,
				    (intmax_t)one.count.unmatched, (intmax_t)two.count.unmatched);
		}
	}
}

static void
large_cases(uint64_t seed, const struct rules *rules, unsigned events)
{
	struct world w = { .events = events, .skew_us = 200000, .drift_ppm = 50, .digits = 6 };
	struct result t, one, exact, raw, mini, sampled;

	simulate(&w);
	t = run(&w, rules, TIME_ONLY);
	one = run(&w, rules, ONE_PASS);
	exact = run(&w, rules, EXACT);
	raw = run(&w, rules, EXACT_RAW);
	mini = run(&w, rules, MINIMAX);
	sampled = run(&w, rules, SAMPLED);
	say("time", &t);
	say("one pass", &one);
	say("one pass, sampled", &sampled);
	say("exact", &exact);
	say("exact, raw clocks", &raw);
	say("minimax", &mini);
	expect_clean(seed, "one pass", &one, t.records);
	expect_clean(seed, "exact", &exact, t.records);
	expect_clean(seed, "exact, raw clocks", &raw, t.records);
	expect_clean(seed, "minimax", &mini, t.records);
	expect_clean(seed, "one pass, sampled", &sampled, t.records);
	if (t.violated == 0 || exact.inversions > t.inversions * 3 / 100)
		fail_test(seed, "exact: %jd inversions, time has %jd", (intmax_t)exact.inversions, (intmax_t)t.inversions);

	if (sampled.inversions > t.inversions / 10)
		fail_test(seed, "sampled: %jd inversions, time has %jd", (intmax_t)sampled.inversions,
		    (intmax_t)t.inversions);

	/* The guard: times of a second, clocks 2 ms apart. */
	w = (struct world){ .events = events, .skew_us = 2000 };
	simulate(&w);
	t = run(&w, rules, TIME_ONLY);
	exact = run(&w, rules, EXACT);
	say("1 s: time", &t);
	sampled = run(&w, rules, SAMPLED);
	say("1 s: exact", &exact);
	say("1 s: sampled", &sampled);
	expect_clean(seed, "1 s stamps", &exact, t.records);
	if (sampled.inversions > t.inversions)
		fail_test(seed, "1 s stamps, sampled: %jd inversions, time has %jd", (intmax_t)sampled.inversions,
		    (intmax_t)t.inversions);
	if (exact.inversions > t.inversions)
		fail_test(seed, "1 s stamps: %jd inversions, time has %jd", (intmax_t)exact.inversions, (intmax_t)t.inversions);

	/* 1 ms and 1 ns. */
	for (unsigned d = 3; d <= 9; d += 6) {
		w = (struct world){ .events = events / 10, .skew_us = 200000, .digits = d };
		simulate(&w);
		t = run(&w, rules, TIME_ONLY);
		one = run(&w, rules, ONE_PASS);
		expect_clean(seed, d == 3 ? "ms stamps" : "ns stamps", &one, t.records);
	}

	/* Sends that were not logged: no record waits for ever, nothing else is violated. */
	w = (struct world){ .events = events / 4, .skew_us = 200000, .digits = 6, .lost = 50 };
	simulate(&w);
	t = run(&w, rules, TIME_ONLY);
	one = run(&w, rules, ONE_PASS);
	exact = run(&w, rules, EXACT);
	say("lost: one pass", &one);
	say("lost: exact", &exact);
	expect_clean(seed, "lost sends, one pass", &one, t.records);
	expect_clean(seed, "lost sends, exact", &exact, t.records);
	if (one.count.unmatched == 0 || one.count.unmatched != exact.count.unmatched)
		fail_test(seed, "lost sends: %jd unmatched in one pass, %jd in two", (intmax_t)one.count.unmatched,
		    (intmax_t)exact.count.unmatched);

	/* A clock further ahead than the patience: what is violated is counted, and exact has none. */
	w = (struct world){ .events = events / 4, .skew_us = 1000, .digits = 6, .far_us = 8000000 };
	simulate(&w);
	t = run(&w, rules, TIME_ONLY);
	one = run(&w, rules, ONE_PASS);
	exact = run(&w, rules, EXACT_RAW);
	say("8 s ahead: one pass", &one);
	say("8 s ahead: exact, raw", &exact);
	expect_clean(seed, "8 s ahead, exact", &exact, t.records);
	if (one.records != t.records || one.program || one.violated == 0 || one.violated != one.count.late)
		fail_test(seed, "8 s ahead: %jd violated, %jd counted, %jd out of program order", (intmax_t)one.violated,
		    (intmax_t)one.count.late, (intmax_t)one.program);
}

int
main(void)
{
	const char *given = getenv("SEED");
	uint64_t seeds[] = { 1, given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid() };
	unsigned events = getenv("EVENTS") ? (unsigned)strtoul(getenv("EVENTS"), NULL, 10) :
	    getenv("SOAK") ? EVENTS_SOAK : EVENTS;
	struct rules rules = message_rule();

	for (int i = 0; i < 2; i++) {
		state = seeds[i] * 0x9e3779b97f4a7c15 | 1;
		printf("log-order: SEED=%ju\n", (uintmax_t)seeds[i]);
		fflush(stdout);
		for (int k = 0; k < 400; k++)
			small_case(seeds[i], &rules, k % 2);
		large_cases(seeds[i], &rules, events);
		workers(seeds[i], &rules, events);
	}
	for (unsigned h = 0; h < HOSTS; h++)
		buf_release(&logs[h]);
	rules_release(&rules);
	return 0;
}
