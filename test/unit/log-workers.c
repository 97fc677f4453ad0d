/*
 * Several workers give what one thread gives, byte for byte and number for
 * number, however messy the logs are: times that go back, ids that are sent
 * twice, too late or never, lines without a time, blocks of a few records.
 *
 * The seeds are printed; SEED=N repeats, ROUNDS=N takes more of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "../merging.h"

/* SOAK=1 takes the larger number. */
enum { ROUNDS = 150, ROUNDS_SOAK = 1500 };
enum { SOURCES = 4 };

static const char rules_text[] =
    "[m]\nsend = tx=(?<id>\\w+)\nrecv = rx=(?<id>\\w+)\n"
    "[s]\nkind = span\nbegin = span=(?<id>\\w+)(?: of=(?<parent>\\w+))?\n";

static uint64_t state;

static unsigned
rnd(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % below);
}

/* How messy a round is: one in so many, of lines. */
struct mess {
	unsigned back, untimed, ids, span_ms;
};

static void
write_log(struct buf *b, const struct mess *m, unsigned lines)
{
	static const char *const kinds[] = { "tx", "rx", "tx", "rx", "rx", "span" };
	int64_t us = INT64_C(1700000000000000) + rnd(1 + m->span_ms) * 1000;

	for (unsigned i = 0; i < lines; i++) {
		char text[CLOCK_TEXT];

		us += rnd(1 + m->span_ms * 1000 / lines) * 2;
		if (rnd(m->back) == 0)
			us -= rnd(1 + m->span_ms) * 1000;
		clock_format((struct timespec){ us / 1000000, us % 1000000 * 1000 }, text);
		if (rnd(m->untimed))
			buf_printf(b, "%.*sZ", rnd(4) ? 23 : 19, text);
		if (rnd(2))
			buf_printf(b, " %s=%u", kinds[rnd(6)], rnd(m->ids));
		if (rnd(12) == 0)
			buf_printf(b, " of=%u %s=%u", rnd(m->ids), kinds[rnd(6)], rnd(m->ids));
		buf_puts(b, rnd(100) || i + 1 < lines ? "\n" : "");
	}
}

static struct source *
source_of(const struct buf *text, unsigned rank)
{
	struct source_spec spec = { .name = (char[]){ "s" }, .zone = (char[]){ "UTC" } };
	_cleanup_free_ char *path = NULL;
	struct formats none = { NULL, 0 };
	struct source *s = NULL;
	struct fail f;
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (fd < 0 || io_write_all(fd, text->s, text->len) < 0)
		abort();
	path = xasprintf("/proc/self/fd/%d", fd);
	spec.location = path;
	if (source_open(&spec, &none, 4096, true, &s, &f) < 0)
		abort();
	s->rank = rank;
	close(fd);
	return s;
}

struct outcome {
	struct render out;
	struct causal_count count;
};

static void
merge(const struct buf *logs, const struct rules *rules, unsigned workers, size_t block, int64_t patience, bool exact,
    struct outcome *x)
{
	struct merging m = { .rules = rules, .patience_ns = patience, .buffer = SIZE_MAX, .workers = workers,
	    .block = block, .exact = exact };
	struct source *s[SOURCES];

	render_init(&x->out, -1, NULL);
	for (unsigned i = 0; i < SOURCES; i++)
		s[i] = source_of(&logs[i], i);
	merging_run(s, SOURCES, &m, &x->out, &x->count);
	for (unsigned i = 0; i < SOURCES; i++)
		source_close(s[i], NULL);
}

static bool
same(const struct outcome *a, const struct outcome *b)
{
	return a->out.w.len == b->out.w.len && memcmp(a->out.w.buf, b->out.w.buf, a->out.w.len) == 0 &&
	    a->count.records == b->count.records && a->count.unmatched == b->count.unmatched &&
	    a->count.late == b->count.late && a->count.dropped == b->count.dropped &&
	    a->count.inherited == b->count.inherited;
}

static void
tell(const char *what, const struct outcome *x)
{
	const struct causal_count *c = &x->count;

	fprintf(stderr, "%s: %zu bytes, %jd records, %jd unmatched, %jd late, %jd dropped, %jd inherited\n", what,
	    x->out.w.len, (intmax_t)c->records, (intmax_t)c->unmatched, (intmax_t)c->late, (intmax_t)c->dropped,
	    (intmax_t)c->inherited);
	if (getenv("VERBOSE"))
		fwrite(x->out.w.buf, 1, x->out.w.len, stderr);
}

static void
one_round(const struct rules *rules)
{
	static const int64_t patiences[] = { 0, 30000000, 5000000000 };
	const uint64_t seed = state;
	struct mess m = { 5 + rnd(200), 2 + rnd(100), 5 + rnd(200), 1 + rnd(20000) };
	int64_t patience = patiences[rnd(3)];
	size_t piece = 64 + rnd(2000);
	bool exact = rnd(2);
	struct buf logs[SOURCES];
	struct outcome alone, workers;

	for (unsigned i = 0; i < SOURCES; i++) {
		logs[i] = (struct buf)BUF_INIT;
		if (rnd(10))
			write_log(&logs[i], &m, 1 + rnd(rnd(4) ? 60 : 2000));
	}
	merge(logs, rules, 0, 0, patience, exact, &alone);
	merge(logs, rules, 2, piece, patience, exact, &workers);
	if (!same(&alone, &workers)) {
		fprintf(stderr, "log-workers: round of SEED=%ju: exact %d, patience %jd ms, blocks of %zu\n", (uintmax_t)seed,
		    exact, (intmax_t)(patience / 1000000), piece);
		tell("one thread", &alone);
		tell("workers", &workers);
		exit(1);
	}
	render_release(&alone.out);
	render_release(&workers.out);
	for (unsigned i = 0; i < SOURCES; i++)
		buf_release(&logs[i]);
}

/* A record that ends with the file and without a newline is one, also where what is held moves when more is looked for. */
static void
last_record(void)
{
	struct buf text = BUF_INIT;
	struct source *s, *view;
	struct record r;
	unsigned n = 0;

	buf_puts(&text, "\n2023-11-14T22:13:20.1Z a\n2023-11-14T22:13:20.2Z");
	s = source_of(&text, 0);
	view = source_view(s, 0, INT64_MAX, 4096);
	while (source_next(view, &r))
		n++;
	if (n != 3) {
		fprintf(stderr, "log-workers: %u records, not 3\n", n);
		exit(1);
	}
	source_close(view, NULL);
	source_close(s, NULL);
	buf_release(&text);
}

int
main(void)
{
	const char *given = getenv("SEED"), *rounds = getenv("ROUNDS");
	const uint64_t seeds[] = { 1, given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid() };
	const unsigned all = getenv("SOAK") ? ROUNDS_SOAK : ROUNDS;
	const unsigned n[] = { all, rounds ? (unsigned)strtoul(rounds, NULL, 10) : all / 5 };
	struct rules rules = { NULL, 0 };
	struct fail f;

	if (rules_parse(&rules, "test", rules_text, sizeof rules_text - 1, &f) < 0)
		abort();
	last_record();
	for (int i = 0; i < 2; i++) {
		state = seeds[i] ? seeds[i] : 1;
		printf("log-workers: SEED=%ju\n", (uintmax_t)state);
		fflush(stdout);
		for (unsigned k = 0; k < n[i]; k++)
			one_round(&rules);
	}
	rules_release(&rules);
	return 0;
}
