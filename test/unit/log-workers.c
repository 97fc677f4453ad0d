/*
 * Several workers give what one thread gives, byte for byte and number for
 * number, however messy the logs are: times that go back, ids that are sent
 * twice, too late or never, lines without a time, blocks of a few records.
 *
 * The seeds are printed; SEED=N repeats, ROUNDS=N takes more of them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "../merging.h"
#include "record/source_open.h"

/* SOAK=1 takes the larger number. */
enum { ROUNDS = 150, ROUNDS_SOAK = 1500 };
enum { SOURCES = 4, MATRICES = 3 };

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

static struct source *(*open_source)(const struct buf *text, unsigned rank) = source_of;

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
		s[i] = open_source(&logs[i], i);
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

/* TEXT, which fits into it, as the rest of a pipe. */
static struct source *
pipe_of(const struct buf *text, unsigned rank)
{
	struct source_spec spec = { .name = (char[]){ "s" }, .zone = (char[]){ "UTC" } };
	_cleanup_free_ char *path = NULL;
	struct formats none = { NULL, 0 };
	struct source *s = NULL;
	struct fail f;
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0 || fcntl(fd[1], F_SETPIPE_SZ, 1 << 18) < 0 ||
	    fcntl(fd[1], F_SETFL, O_NONBLOCK) < 0 || io_write_all(fd[1], text->s, text->len) < 0)
		abort();
	close(fd[1]);
	path = xasprintf("/proc/self/fd/%d", fd[0]);
	spec.location = path;
	if (source_open(&spec, &none, 4096, true, &s, &f) < 0)
		abort();
	s->rank = rank;
	close(fd[0]);
	return s;
}

/* Blocks, workers, the key of the hash, and whether files or pipes are read: none decides about a byte. */
static void
matrix(const struct rules *rules)
{
	static const size_t blocks[] = { 37, 4096, 1 << 20 };
	static const unsigned workers[] = { 0, 1, 3 };
	const uint64_t seed = state;
	const struct mess m = { 5 + rnd(200), 2 + rnd(100), 5 + rnd(200), 1 + rnd(20000) };
	struct buf logs[SOURCES];
	struct outcome first, x;

	for (unsigned i = 0; i < SOURCES; i++) {
		logs[i] = (struct buf)BUF_INIT;
		write_log(&logs[i], &m, 600);
	}
	for (unsigned exact = 0; exact < 2; exact++)
		for (unsigned k = 0; k < 3 * 3 * 3 * 2; k++) {
			if (k >= 27 && exact)
				break;		/* a pipe is read once */
			hash_set_key(k % 3 * 0x9e3779b97f4a7c15, k % 3);
			open_source = k < 27 ? source_of : pipe_of;
			merge(logs, rules, workers[k / 3 % 3], blocks[k / 9 % 3], 1000000000, exact, k ? &x : &first);
			if (k && !same(&first, &x)) {
				fprintf(stderr, "log-workers: matrix of SEED=%ju: exact %u, key %u, %u workers, blocks of %zu, %s\n",
				    (uintmax_t)seed, exact, k % 3, workers[k / 3 % 3], blocks[k / 9 % 3],
				    k < 27 ? "files" : "pipes");
				tell("one thread", &first);
				tell("this", &x);
				exit(1);
			}
			if (k)
				render_release(&x.out);
			if (k == (exact ? 26 : 53))
				render_release(&first.out);
		}
	open_source = source_of;
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

/* A record has its own time wherever its bytes are cut on their way through a pipe. */
static void
pieces_of_a_pipe(void)
{
	enum { RECORDS = 2000 };
	struct source_spec spec = { .name = (char[]){ "s" }, .zone = (char[]){ "UTC" } };
	_cleanup_free_ char *path = NULL;
	struct formats none = { NULL, 0 };
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct source *s = NULL;
	struct record r;
	struct fail f;
	size_t at = 300;
	int fd[2], n = 0;

	for (int i = 0; i < RECORDS; i++)
		buf_printf(&text, "2023-11-14T22:%02d:%02d.%03dZ %0*d\n", i / 60000, i / 1000 % 60, i % 1000, 60, i);
	if (pipe2(fd, O_CLOEXEC) < 0 || io_write_all(fd[1], text.s, at) < 0)
		abort();
	path = xasprintf("/proc/self/fd/%d", fd[0]);
	spec.location = path;
	if (source_open(&spec, &none, 4096, true, &s, &f) < 0)
		abort();
	s->nonblock = true;
	while (n < RECORDS) {
		size_t piece = 1 + rnd(400);

		if (source_next(s, &r) == 1) {
			if (r.t % 1000000000 / 1000000 != n % 1000 || r.n != 86) {
				fprintf(stderr, "log-workers: record %d of a pipe is %zu bytes at %jd\n", n, r.n, (intmax_t)r.t);
				exit(1);
			}
			n++;
			continue;
		}
		if (s->eof)
			break;
		piece = piece < text.len - at ? piece : text.len - at;
		if (io_write_all(fd[1], text.s + at, piece) < 0)
			abort();
		at += piece;
		if (at == text.len && piece == 0)
			io_closep(&fd[1]);
	}
	if (n != RECORDS) {
		fprintf(stderr, "log-workers: %d records came through a pipe\n", n);
		exit(1);
	}
	source_close(s, NULL);
	close(fd[0]);
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
		pieces_of_a_pipe();
		for (unsigned k = 0; k < MATRICES; k++)
			matrix(&rules);
	}
	rules_release(&rules);
	return 0;
}
