/*
 * Clock domains against the truth: logs of hosts with wrong clocks that send each
 * other messages, as a file a host, as one file in the order of arrival, and as one
 * file sorted by its stamps.
 *
 * The seed is printed; SEED=N repeats.  SOAK=1 takes larger worlds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "causal/idages.h"
#include "log/run.h"

enum { HOSTS = 10, EVENTS = 20000, EVENTS_SOAK = 200000 };

static uint64_t state, seed;

static uint64_t
rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

static void
check(bool good, const char *what, int64_t got, int64_t limit)
{
	if (good)
		return;
	fprintf(stderr, "log-clocks: SEED=%ju: %s: %jd (limit %jd)\n", (uintmax_t)seed, what, (intmax_t)got,
	    (intmax_t)limit);
	exit(1);
}

struct line {
	int64_t at, stamp;		/* us: true time, and the host's clock */
	unsigned host, number;
	char text[48];
};

struct world {
	struct line *v;
	size_t n;
	int64_t skew[HOSTS];
};

static void
simulate(struct world *w, size_t n)
{
	enum { FLYING = 64 };
	struct { int64_t at; int id; unsigned to; } flying[FLYING] = { { 0, 0, 0 } };
	int64_t now = INT64_C(1700000000000000);
	int id = 0;

	w->v = xcalloc(n, sizeof *w->v);
	w->n = n;
	for (unsigned g = 0; g < n; g++) {
		struct line *l = &w->v[g];
		unsigned slot = FLYING;

		now += 1 + (int64_t)rnd(2000);
		l->at = now;
		l->number = g;
		l->host = (unsigned)rnd(HOSTS);
		snprintf(l->text, sizeof l->text, "works");
		for (unsigned i = 0; i < FLYING; i++)
			if (flying[i].id && flying[i].at <= now && (slot == FLYING || flying[i].at < flying[slot].at))
				slot = i;
		if (slot < FLYING) {
			l->host = flying[slot].to;
			snprintf(l->text, sizeof l->text, "rx=%d", flying[slot].id);
			flying[slot].id = 0;
		} else if (rnd(100) < 5) {
			for (slot = 0; slot < FLYING && flying[slot].id; slot++)
				;
			if (slot < FLYING) {
				flying[slot].id = ++id;
				flying[slot].to = (l->host + 1 + (unsigned)rnd(HOSTS - 1)) % HOSTS;
				flying[slot].at = now + 500 + (int64_t)rnd(4500);
				snprintf(l->text, sizeof l->text, "tx=%d", id);
			}
		}
		l->stamp = now + w->skew[l->host];
	}
}

static int
by_stamp(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->stamp != y->stamp ? (x->stamp > y->stamp) - (x->stamp < y->stamp) : (x->number > y->number) - (x->number < y->number);
}

/* The lines of HOST, or all where it is HOSTS, into the file NAME. */
static void
write_log(const char *name, const struct line *v, size_t n, unsigned host)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char text[CLOCK_TEXT];
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (size_t i = 0; i < n; i++) {
		if (host != HOSTS && v[i].host != host)
			continue;
		clock_format((struct timespec){ v[i].stamp / 1000000, v[i].stamp % 1000000 * 1000 }, text);
		buf_printf(&b, "%.26sZ h%u g=%u h=%u %s\n", text, v[i].host, v[i].number, v[i].host, v[i].text);
	}
	if (fd < 0 || io_write_all(fd, b.s, b.len) < 0)
		abort();
	close(fd);
}

/* --- the merge */

struct result {
	int64_t inversions, violated, program, records;
	bool by_host;
};

static bool told_by_host;
static unsigned told_offsets;

static void
tell_offset(const char *clock, int64_t ns)
{
	if (getenv("VERBOSE"))
		fprintf(stderr, "  clock %s: %.6f\n", clock, (double)ns / 1e9);
	told_offsets++;
}

static void
tell_by_host(const struct source *s)
{
	(void)s;
	told_by_host = true;
}

static void
problem(const struct fail *f, void *cookie)
{
	(void)cookie;
	fprintf(stderr, "%s\n", f->text);
	exit(1);
}

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
judge(const struct buf *out, size_t events)
{
	struct result r = { 0 };
	unsigned *order = xcalloc(events + 1, sizeof *order), *tmp = xcalloc(events + 1, sizeof *tmp);
	int64_t last[HOSTS];
	char *sent = xcalloc(events + 1, 1), *wanted = xcalloc(events + 1, 1);

	for (unsigned i = 0; i < HOSTS; i++)
		last[i] = -1;
	for (char *p = out->s, *end = out->s + out->len, *nl; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
		unsigned g, h;
		char *q;

		*nl = '\0';
		q = strstr(p, " g=");
		if (!q || sscanf(q, " g=%u h=%u", &g, &h) != 2 || r.records == (int64_t)events)
			abort();
		order[r.records++] = g;
		r.program += last[h] > (int64_t)g;
		last[h] = g;
		if ((q = strstr(p, " tx="))) {
			sent[strtoul(q + 4, NULL, 10)] = 1;
			r.violated += wanted[strtoul(q + 4, NULL, 10)];
		} else if ((q = strstr(p, " rx="))) {
			wanted[strtoul(q + 4, NULL, 10)] = !sent[strtoul(q + 4, NULL, 10)];
		}
	}
	r.inversions = inversions(order, tmp, (size_t)r.records);
	free(order);
	free(tmp);
	free(sent);
	free(wanted);
	return r;
}

static struct formats formats;

/* Merge what the OPERANDS name, up to NULL; the lines of EVENTS. */
static struct result
merge(const char *what, const char *const *operands, size_t events)
{
	static const char rule[] = "[m]\nkind = message\nsend = tx=(?<id>\\d+)\nrecv = rx=(?<id>\\d+)\n";
	struct run run = { .estimate = true, .patience_ms = 5000, .buffer_bytes = 16 << 20, .filter = FILTER_ALL,
	    .offset = tell_offset, .by_host = tell_by_host };
	struct source_specs specs = { .v = NULL };
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct causal_count count;
	struct sources all;
	struct render out;
	struct result r;
	struct fail f;

	for (; *operands; operands++)
		if (source_specs_add(&specs, *operands, &f) < 0)
			problem(&f, NULL);
	source_specs_finish(&specs);
	if (rules_parse(&run.rules, "test", rule, sizeof rule - 1, &f) < 0 ||
	    sources_open(&all, &(struct sources_wanted){ &specs, &formats, problem, NULL }, &f) < 0)
		problem(&f, NULL);
	told_by_host = false;
	told_offsets = 0;
	render_init(&out, -1, NULL);
	run_merge(&run, &all, &out, &count);
	buf_add(&text, out.w.buf, out.w.len);
	render_release(&out);
	sources_close(&all, problem, NULL);
	source_specs_release(&specs);
	rules_release(&run.rules);
	r = judge(&text, events);
	r.by_host = told_by_host;
	if (getenv("VERBOSE"))
		fprintf(stderr, "%-28s %8jd inversions %6jd violated %6jd program %6jd late %6jd unmatched%s\n", what,
		    (intmax_t)r.inversions, (intmax_t)r.violated, (intmax_t)r.program, (intmax_t)count.late,
		    (intmax_t)count.unmatched, r.by_host ? ", by host" : "");
	check(r.records == (int64_t)events, what, r.records, (int64_t)events);
	check(r.violated == 0, what, r.violated, 0);
	check(r.program == 0, what, r.program, 0);
	return r;
}

static const char *const separate[] = { "h0,format=host", "h1,format=host", "h2,format=host", "h3,format=host", "h4,format=host",
    "h5,format=host", "h6,format=host", "h7,format=host", "h8,format=host", "h9,format=host", NULL };
static const char *const one[] = { "all,format=host", NULL };

static void
write_all(const struct world *w)
{
	for (unsigned h = 0; h < HOSTS; h++) {
		char name[8];

		snprintf(name, sizeof name, "h%u", h);
		write_log(name, w->v, w->n, h);
	}
}

/* Clocks that are 50 ms off: a file a host, one in the order of arrival, and one sorted by stamp. */
static void
try_small_offsets(size_t events)
{
	struct world w = { .v = NULL };
	struct result apart, arrival, sorted;

	for (unsigned h = 0; h < HOSTS; h++)
		w.skew[h] = (int64_t)rnd(100000) - 50000;
	simulate(&w, events);
	write_all(&w);
	write_log("all", w.v, w.n, HOSTS);
	apart = merge("a file a host", separate, events);
	arrival = merge("one, in order of arrival", one, events);
	check(arrival.inversions == 0, "one file in the order of arrival: inversions", arrival.inversions, 0);
	check(!arrival.by_host, "one file in the order of arrival is read by host", 1, 0);
	qsort(w.v, w.n, sizeof *w.v, by_stamp);
	write_log("all", w.v, w.n, HOSTS);
	sorted = merge("one, sorted by stamp", one, events);
	check(sorted.by_host, "one file sorted by stamp is not read by host", 0, 1);
	check(sorted.inversions * 10 <= apart.inversions * 11, "one file sorted by stamp: inversions", sorted.inversions,
	    apart.inversions);
	free(w.v);
}

/* One clock is two hours ahead, in a regular file: within bounded memory. */
static void
try_hours(size_t events)
{
	struct world w = { .v = NULL };
	struct result far, apart;
	struct rusage before, after;

	for (unsigned h = 0; h < HOSTS; h++)
		w.skew[h] = h == 3 ? INT64_C(7200000000) : (int64_t)rnd(20000) - 10000;
	simulate(&w, events);
	write_all(&w);
	apart = merge("2 h off, a file a host", separate, events);
	qsort(w.v, w.n, sizeof *w.v, by_stamp);
	write_log("all", w.v, w.n, HOSTS);
	free(w.v);
	getrusage(RUSAGE_SELF, &before);
	far = merge("2 h off, one file", one, events);
	getrusage(RUSAGE_SELF, &after);
	check(far.by_host, "one file with a clock 2 h off is not read by host", 0, 1);
	/* Without a correction each record of that host is behind all others: thousands for each.  What is left is noise. */
	check(far.inversions < (int64_t)events && apart.inversions < (int64_t)events, "2 h off: inversions", far.inversions,
	    (int64_t)events);
	check(after.ru_maxrss - before.ru_maxrss < 65536, "2 h off: KiB more", after.ru_maxrss - before.ru_maxrss, 65536);
}

/* Two files of one host, with ids in one of them: both are shifted alike, by clock= and by the host that each record names. */
static void
try_two_files(size_t events)
{
	static const char *const by_clock[] = { "a,clock=A", "plain,clock=A", "b", NULL };
	static const char *const by_name[] = { "a,format=host", "plain,format=host", "b,format=host", NULL };
	struct world w = { .v = NULL };
	struct line *plain;
	size_t n = 0;

	w.skew[0] = 400000;
	simulate(&w, events);
	plain = xcalloc(events, sizeof *plain);
	for (size_t i = 0; i < w.n; i++) {
		w.v[i].host = w.v[i].host == 0 ? 0 : 1;
		if (w.v[i].host == 0 && !strchr(w.v[i].text, '='))
			plain[n++] = w.v[i];
	}
	write_log("plain", plain, n, 0);
	write_log("b", w.v, w.n, 1);
	n = 0;
	for (size_t i = 0; i < w.n; i++)
		if (w.v[i].host == 0 && strchr(w.v[i].text, '='))
			plain[n++] = w.v[i];
	write_log("a", plain, n, 0);
	for (int k = 0; k < 2; k++) {
		struct result r = merge(k ? "two files of one host" : "two files of one clock", k ? by_name : by_clock, events);

		check(told_offsets >= 1, "no clock is told to be off", told_offsets, 1);
		/* 400 ms are some 400 records; what is left is the width of the bounds. */
		check(r.inversions < (int64_t)events * 4, "two files of one host: inversions", r.inversions, (int64_t)events * 4);
	}
	free(plain);
	free(w.v);
}

/* However many ids there are, the first and the last are known, and the size has a bound. */
static void
try_many_ids(void)
{
	struct idages a = { .keep_first = true };
	const uint64_t many = 1000000;

	for (uint64_t i = 1; i <= many; i++)
		*idages_put(&a, i * UINT64_C(0x9e3779b97f4a7c15)) = i;
	for (uint64_t i = 1; i <= IDAGES_IDS; i++) {
		const uint64_t *first = idages_find(&a, i * UINT64_C(0x9e3779b97f4a7c15));
		const uint64_t *last = idages_find(&a, (many + 1 - i) * UINT64_C(0x9e3779b97f4a7c15));

		if (!first || *first != i || !last || *last != many + 1 - i)
			abort();
	}
	if ((a.first.cap + a.recent.cap + a.before.cap) * sizeof(struct idmap_entry) > 3 << 20)
		abort();
	idages_release(&a);
}

int
main(int argc, char *argv[])
{
	static const char host[] = "[format]\ntime = rfc3339\nline = ^\\S+ (?<host>h\\d+) (?<body>.*)\n";
	const char *dir = getenv("TMPDIR");
	const size_t events = getenv("SOAK") ? EVENTS_SOAK : EVENTS;
	struct fail f;

	(void)argc;
	diag_init(argv);
	seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	state = seed | 1;
	fprintf(stderr, "log-clocks: SEED=%ju\n", (uintmax_t)seed);
	if (!dir || chdir(dir) < 0)
		abort();
	formats.v = xcalloc(1, sizeof *formats.v);
	formats.n = 1;
	if (format_parse("test", "host", host, sizeof host - 1, &formats.v[0], &f) < 0)
		problem(&f, NULL);
	try_many_ids();
	try_small_offsets(events);
	try_hours(events);
	try_two_files(events);
	formats_release(&formats);
	return 0;
}
