#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "supervise/segment.h"

enum {
	SEGMENT_NAME = 64, INDEX_BYTES = 64 << 10, INDEX_MAX = 1 << 20,
};

static void
segment_name(char name[SEGMENT_NAME], const char *stream, int64_t start)
{
	snprintf(name, SEGMENT_NAME, "%s.%020" PRId64, stream, start);
}

/* --- writing */

void
segment_log_open(struct segment_log *l, int dir, int64_t max)
{
	*l = (struct segment_log){ .dir = dir, .index_fd = -1, .max = max,
	    .streams = { { .name = "out", .fd = -1 }, { .name = "err", .fd = -1 } } };
}

static int64_t
stream_kept(const struct segment_stream *s)
{
	int64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->sizes[i];
	return n;
}

static void
drop_oldest(struct segment_log *l, struct segment_stream *s)
{
	char name[SEGMENT_NAME];

	segment_name(name, s->name, s->starts[0]);
	if (unlinkat(l->dir, name, 0) < 0 && errno != ENOENT && !l->error)
		l->error = errno;
	s->dropped += s->sizes[0];
	s->n--;
	memmove(s->starts, s->starts + 1, s->n * sizeof *s->starts);
	memmove(s->sizes, s->sizes + 1, s->n * sizeof *s->sizes);
}

/* The stream with more segments loses its oldest one; the last one of each stays. */
static void
make_room(struct segment_log *l)
{
	struct segment_stream *a = &l->streams[0], *b = &l->streams[1];

	while (stream_kept(a) + stream_kept(b) + SEGMENT_SIZE > l->max && (a->n > 1 || b->n > 1))
		drop_oldest(l, a->n >= b->n ? a : b);
}

static int
open_segment(struct segment_log *l, struct segment_stream *s)
{
	char name[SEGMENT_NAME];

	make_room(l);
	segment_name(name, s->name, s->end);
	s->fd = openat(l->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->fd < 0)
		return -errno;
	s->starts = xgrow(s->starts, s->n, &s->starts_cap, sizeof *s->starts);
	s->sizes = xgrow(s->sizes, s->n, &s->sizes_cap, sizeof *s->sizes);
	s->starts[s->n] = s->end;
	s->sizes[s->n++] = 0;
	return 0;
}

static void
close_segment(struct segment_log *l, struct segment_stream *s)
{
	char name[SEGMENT_NAME];

	io_closep(&s->fd);
	s->fd = -1;
	if (s->n == 0 || s->sizes[s->n - 1] > 0)
		return;
	s->n--;		/* nothing was written: its name is free for the next byte */
	segment_name(name, s->name, s->starts[s->n]);
	unlinkat(l->dir, name, 0);
}

static void
write_index(struct segment_log *l, struct segment_stream *s, int64_t now_us)
{
	char line[80];
	int n;

	if (s->indexed_us && s->end - s->indexed < INDEX_BYTES && now_us - s->indexed_us < 1000000)
		return;
	s->indexed = s->end;
	s->indexed_us = now_us;
	if (l->index_fd < 0 || l->index_size >= INDEX_MAX) {
		io_closep(&l->index_fd);
		if (l->index_size >= INDEX_MAX)
			renameat(l->dir, "index", l->dir, "index.1");
		l->index_fd = openat(l->dir, "index", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
		l->index_size = 0;
	}
	n = snprintf(line, sizeof line, "%s %" PRId64 " %" PRId64 "\n", s->name, s->end, now_us);
	if (l->index_fd >= 0 && io_write_all(l->index_fd, line, (size_t)n) == 0)
		l->index_size += n;
}

/* As much of the N bytes as fits into one segment; what cannot be written is counted as dropped. */
static size_t
write_part(struct segment_log *l, struct segment_stream *s, const char *p, size_t n)
{
	size_t done = 0;
	ssize_t w = 0;
	int r = 0;

	if (s->fd >= 0 && s->sizes[s->n - 1] >= SEGMENT_SIZE)
		close_segment(l, s);
	if (s->fd < 0)
		r = open_segment(l, s);
	if (r == 0 && n > (size_t)(SEGMENT_SIZE - s->sizes[s->n - 1]))
		n = (size_t)(SEGMENT_SIZE - s->sizes[s->n - 1]);
	while (r == 0 && done < n) {
		w = io_write(s->fd, p + done, n - done);
		if (w <= 0)
			r = w < 0 ? (int)w : -EIO;
		else
			done += (size_t)w;
	}
	if (done > 0)
		s->sizes[s->n - 1] += (int64_t)done;
	s->end += (int64_t)n;
	s->dropped += (int64_t)(n - done);
	if (r < 0) {
		close_segment(l, s);
		if (!l->error)
			l->error = -r;
	}
	return n;
}

void
segment_log_write(struct segment_log *l, int i, const void *p, size_t n, int64_t now_us)
{
	const char *from = p;

	write_index(l, &l->streams[i], now_us);
	while (n > 0) {
		size_t part = write_part(l, &l->streams[i], from, n);

		from += part;
		n -= part;
	}
}

static int
sync_segment(struct segment_log *l, const struct segment_stream *s, int64_t start)
{
	char name[SEGMENT_NAME];
	_cleanup_fd_ int fd = -1;

	segment_name(name, s->name, start);
	fd = openat(l->dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 || fdatasync(fd) < 0 ? -errno : 0;
}

int
segment_log_sync(struct segment_log *l)
{
	int r = 0, one;

	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < l->streams[i].n; k++) {
			one = sync_segment(l, &l->streams[i], l->streams[i].starts[k]);
			if (one < 0)
				r = one;
		}
	return r;
}

void
segment_log_close(struct segment_log *l)
{
	for (int i = 0; i < 2; i++) {
		close_segment(l, &l->streams[i]);
		free(l->streams[i].starts);
		free(l->streams[i].sizes);
	}
	io_closep(&l->index_fd);
	l->index_fd = -1;
}

/* --- reading */

/* The offset in the file name NAME of the stream; -1 where it is no segment of it. */
static int64_t
segment_offset(const char *name, const char *stream)
{
	size_t n = strlen(stream);
	int64_t at;

	if (strncmp(name, stream, n) != 0 || name[n] != '.' || strlen(name + n + 1) != 20 ||
	    num_parse(name + n + 1, 0, INT64_MAX, &at) < 0)
		return -1;
	return at;
}

/*
 * Of the stream's segments: *AT begins last of those at or before FROM, *AFTER
 * first of those behind it, *FIRST and *LAST first and last of all; -1 for none.
 */
struct segment_places {
	int64_t at, after, first, last;
};

static int
find_segments(int dir, const char *name, int64_t from, struct segment_places *p)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	*p = (struct segment_places){ -1, -1, -1, -1 };
	if (!d) {
		io_closep(&fd);
		return -errno;
	}
	while ((e = readdir(d))) {
		int64_t at = segment_offset(e->d_name, name);

		if (at < 0)
			continue;
		if (at <= from && at > p->at)
			p->at = at;
		if (at > from && (p->after < 0 || at < p->after))
			p->after = at;
		if (p->first < 0 || at < p->first)
			p->first = at;
		if (at > p->last)
			p->last = at;
	}
	closedir(d);
	return 0;
}

void
segment_reader_close(struct segment_reader *r)
{
	io_closep(&r->fd);
	r->fd = -1;
}

static ssize_t
read_at(struct segment_reader *r, int64_t from, void *p, size_t n)
{
	ssize_t got;

	if (r->fd < 0 || from < r->start || from - r->start >= SEGMENT_SIZE)
		return 0;
	do
		got = pread(r->fd, p, n, from - r->start);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static int
open_at(struct segment_reader *r, int64_t start)
{
	char name[SEGMENT_NAME];

	if (r->fd >= 0 && r->start == start)
		return 0;
	segment_reader_close(r);
	segment_name(name, r->name, start);
	r->fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	r->start = start;
	return r->fd < 0 ? -errno : 0;
}

ssize_t
segment_read(struct segment_reader *r, int64_t from, void *p, size_t n, int64_t *next)
{
	struct segment_places places;
	ssize_t got = read_at(r, from, p, n);
	int e;

	if (got != 0)
		return got;
	/* first the list, then the file: what was listed as later came after its last byte */
	e = find_segments(r->dir, r->name, from, &places);
	if (e < 0)
		return e;
	if (places.at >= 0) {
		e = open_at(r, places.at);
		if (e < 0 && e != -ENOENT)	/* dropped meanwhile */
			return e;
		got = e < 0 ? 0 : read_at(r, from, p, n);
		if (got != 0)
			return got;
	}
	if (places.after < 0)
		return 0;
	*next = places.after;
	return -ENODATA;
}

int
segment_bounds(int dir, const char *name, int64_t *first, int64_t *end)
{
	struct segment_places p;
	char last[SEGMENT_NAME];
	struct stat st;
	int r = find_segments(dir, name, 0, &p);

	*first = *end = 0;
	if (r < 0 || p.first < 0)
		return r;
	segment_name(last, name, p.last);
	*first = p.first;
	*end = p.last + (fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (int64_t)st.st_size : 0);
	return 0;
}
