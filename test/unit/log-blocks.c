/*
 * Decoded blocks hold what source_next() gives, whatever the size of blocks, the
 * number of workers and the way the bytes come: as a file, through a pipe or
 * compressed.  Records, sort keys, resolutions, flags and constraints are compared.
 */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "record/cursor.h"
#include "record/matcher.h"
#include "record/source_open.h"

static const char rules_text[] =
    "[m]\nsend = (?:Sent|Send)\\D*(?<id>\\d+)\nrecv = (?:Received|Recv)\\D*(?<id>\\d+)\n"
    "[l]\nkind = lifecycle\nstop = Agent stopped\nstart = Agent started\n";

static struct formats formats;
static struct rules rules;

/* What a source gave. */
struct seen {
	size_t records;
	uint64_t sum;
};

static void
see(struct seen *x, const struct record *r, const char *p, size_t n, const struct constraint *c, size_t nc)
{
	x->records++;
	x->sum = x->sum * 31 + hash_bytes(1, p, n) + (uint64_t)r->t * 7 + (uint64_t)r->res * 3 + r->inherited * 5U +
	    (uint64_t)r->off;
	for (size_t i = 0; i < nc; i++)
		x->sum = x->sum * 31 + c[i].id + (uint64_t)c[i].n + c[i].what;
}

static struct source *
open_path(const char *path)
{
	struct source_spec spec = { .name = (char[]){ "s" }, .zone = (char[]){ "UTC" } };
	_cleanup_free_ char *location = xstrdup(path);
	struct source *s = NULL;
	struct fail f;

	spec.location = location;
	assert(source_open(&spec, &formats, 4096, true, &s, &f) == 0);
	return s;
}

static bool *
all_rules(void)
{
	bool *used = xcalloc(rules.n + 1, sizeof *used);

	for (size_t i = 0; i < rules.n; i++)
		used[i] = true;
	return used;
}

/* What the source gives record by record. */
static struct seen
read_plainly(const char *path)
{
	struct source *s = open_path(path);
	bool *used = all_rules();
	struct seen x = { 0 };
	struct record r;

	s->matcher = matcher_new(&rules, used);
	while (source_next(s, &r)) {
		_cleanup_buf_ struct buf whole = BUF_INIT;
		struct constraints c = { NULL, 0, 0 };
		struct record first = r;
		struct fields fields = { .v[0].p = NULL };
		const char *p;
		size_t n;

		matcher_constraints(s->matcher, s, &r, &c);
		if (block_has_clocks(s->fmt)) {
			format_fields(s->fmt, r.p, r.n, &fields);
			rule_clocks(s, &fields, &c);
		}
		buf_add(&whole, r.p, r.n);
		while (r.more && source_rest(s, &p, &n))
			buf_add(&whole, p, n);
		see(&x, &first, whole.s, whole.len, c.v, first.more ? 0 : c.n);
		free(c.v);
	}
	free(used);
	source_close(s, NULL);
	return x;
}

/* The same of N sources at once, by a cursor that takes a record of each in turn. */
static void
read_by_cursor(struct source **v, unsigned n, size_t block, unsigned workers, struct seen *x)
{
	struct cursor_spec spec = { .block = block, .workers = workers, .rules = &rules, .fields = true };
	bool *ended = xcalloc(n, sizeof *ended);
	struct cursor *c;
	unsigned left = n;

	spec.used = xcalloc(n, sizeof *spec.used);
	for (unsigned i = 0; i < n; i++)
		spec.used[i] = all_rules();
	c = cursor_open(v, n, &spec);
	memset(x, 0, n * sizeof *x);
	for (unsigned i = 0; left; i = (i + 1) % n) {
		_cleanup_buf_ struct buf whole = BUF_INIT;
		const struct block *b, *held = NULL;
		struct constraint own[64];
		struct record first;
		size_t k, nc = 0;
		unsigned flags;
		int r;

		if (ended[i])
			continue;
		r = cursor_peek(c, i, &b, &k);
		assert(r >= 0);
		if (r == 0) {
			ended[i] = true;
			left--;
			continue;
		}
		block_record(b, k, &first);
		assert(!(b->v[k].flags & RECORD_PIECE));
		cursor_pin(held = b);
		flags = b->v[k].flags;
		for (uint32_t j = b->first[k]; j < b->first[k + 1] && nc < 64; j++)
			own[nc++] = b->constraints[j];
		buf_add(&whole, first.p, first.n);
		cursor_advance(c, i);
		while (flags & RECORD_MORE) {
			struct record piece;

			assert(cursor_peek(c, i, &b, &k) == 1 && (b->v[k].flags & RECORD_PIECE));
			block_record(b, k, &piece);
			buf_add(&whole, piece.p, piece.n);
			flags = b->v[k].flags;
			cursor_advance(c, i);
		}
		see(&x[i], &first, whole.s, whole.len, own, first.more ? 0 : nc);
		cursor_unpin(c, held);
	}
	cursor_close(c);
	for (unsigned i = 0; i < n; i++)
		free(spec.used[i]);
	free(spec.used);
	free(ended);
}

static void
check_same(const char *what, const char *path, size_t block, unsigned workers, const struct seen *a, const struct seen *b)
{
	if (a->records == b->records && a->sum == b->sum)
		return;
	fprintf(stderr, "%s (%s), blocks of %zu, %u workers: %zu records, %zu wanted\n", path, what, block, workers,
	    b->records, a->records);
	abort();
}

struct feeder {
	const char *path;
	int fd;
};

/* Write a file into a pipe in odd pieces. */
static void *
feed_pipe(void *cookie)
{
	struct feeder *f = cookie;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail why;
	size_t step = 1;

	assert(file_load(f->path, 0, 64 << 20, &b, &why) == 0);
	for (size_t at = 0; at < b.len; at += step, step = step * 5 % 7919 + 1) {
		if (at + step > b.len)
			step = b.len - at;
		if (io_write_all(f->fd, b.s + at, step) < 0)
			break;
	}
	close(f->fd);
	return NULL;
}

enum { PATHS_MAX = 32 };

static void
check_all(char **paths, unsigned n, const struct seen *want, size_t block, unsigned workers)
{
	struct source *v[PATHS_MAX];
	struct seen got[PATHS_MAX];
	struct feeder feeders[PATHS_MAX];
	pthread_t threads[PATHS_MAX];

	for (unsigned i = 0; i < n; i++)
		v[i] = open_path(paths[i]);
	read_by_cursor(v, n, block, workers, got);
	for (unsigned i = 0; i < n; i++) {
		check_same("file", paths[i], block, workers, &want[i], &got[i]);
		source_close(v[i], NULL);
	}
	for (unsigned i = 0; i < n; i++) {
		_cleanup_free_ char *gz = xasprintf("%s/%u.gz", getenv("TMPDIR") ? getenv("TMPDIR") : ".", i);

		v[i] = open_path(gz);
	}
	read_by_cursor(v, n, block, workers, got);
	for (unsigned i = 0; i < n; i++) {
		check_same("compressed", paths[i], block, workers, &want[i], &got[i]);
		source_close(v[i], NULL);
	}
	for (unsigned i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;
		int fds[2];

		assert(pipe2(fds, O_CLOEXEC) == 0);
		path = xasprintf("/dev/fd/%d", fds[0]);
		feeders[i] = (struct feeder){ paths[i], fds[1] };
		assert(pthread_create(&threads[i], NULL, feed_pipe, &feeders[i]) == 0);
		v[i] = open_path(path);
		close(fds[0]);
	}
	read_by_cursor(v, n, block, workers, got);
	for (unsigned i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		check_same("pipe", paths[i], block, workers, &want[i], &got[i]);
		source_close(v[i], NULL);
	}
}

/* Lines of every awkward kind, of which one is longer than a piece. */
static char *
write_awkward(void)
{
	char *path = xasprintf("%s/awkward.log", getenv("TMPDIR") ? getenv("TMPDIR") : ".");
	FILE *f = fopen(path, "w");

	assert(f);
	fputs("before any time\n", f);
	for (int i = 0; i < 2000; i++) {
		fprintf(f, "2026-11-21T20:16:%02d.%06dZ Sent %d\n", i % 60, i * 37, i);
		if (i % 7 == 0)
			fputs("\tat continuation\n\n", f);
		if (i % 11 == 0)
			fprintf(f, "2026-11-21T20:16:%02dZ Received %d\r\n", i % 60, i / 2);
		if (i == 777) {
			fputs("2026-11-21T21:00:00Z long ", f);
			for (int k = 0; k < 400000; k++)
				fputs("0123456789", f);
			fputs("\n and its second line\n", f);
		}
	}
	fputs("2026-11-21T20:17:00Z no newline", f);
	assert(fclose(f) == 0);
	return path;
}

int
main(void)
{
	static const size_t blocks[] = { 37, 4096, 1 << 20 };
	static const unsigned workers[] = { 0, 1, 3 };
	const char *top = getenv("top") ? getenv("top") : ".";
	_cleanup_free_ char *dir = xasprintf("%s/test/data/logs", top), *etc = xasprintf("%s/packaging", top);
	struct seen want[PATHS_MAX];
	char *paths[PATHS_MAX];
	struct dirent *e;
	struct fail f;
	unsigned n = 0;
	DIR *d;

	setenv("REJOIN_CONFIG_DIR", etc, 1);
	assert(formats_load(&formats, &f) == 0);
	assert(rules_parse(&rules, "test", rules_text, sizeof rules_text - 1, &f) == 0);
	d = opendir(dir);
	assert(d);
	while ((e = readdir(d)) && n < PATHS_MAX - 1)
		if (strlen(e->d_name) > 4 && strcmp(e->d_name + strlen(e->d_name) - 4, ".log") == 0)
			paths[n++] = xasprintf("%s/%s", dir, e->d_name);
	closedir(d);
	assert(n >= 5);
	paths[n++] = write_awkward();
	for (unsigned i = 0; i < n; i++) {
		_cleanup_free_ char *cmd = xasprintf("gzip -c '%s' >'%s/%u.gz'", paths[i],
		    getenv("TMPDIR") ? getenv("TMPDIR") : ".", i);

		assert(system(cmd) == 0);
		want[i] = read_plainly(paths[i]);
	}
	for (int b = 0; b < 3; b++)
		for (int w = 0; w < 3; w++)
			check_all(paths, n, want, blocks[b], workers[w]);
	for (unsigned i = 0; i < n; i++)
		free(paths[i]);
	rules_release(&rules);
	formats_release(&formats);
	return 0;
}
