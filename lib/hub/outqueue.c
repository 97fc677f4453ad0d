#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "hub/outqueue.h"
#include "hub/outqueue_parts.h"

enum {
	SEGMENT_SIZE = 1 << 20, PIECE = 4096,
	SPENT_SIZE = 64 << 10,	/* a last segment of this size is unlinked once all in it is confirmed */
};

void
outqueue_segment_name(char name[OUTQUEUE_SEGMENT_NAME], int64_t first)
{
	snprintf(name, OUTQUEUE_SEGMENT_NAME, "%016" PRId64 ".jsonl", first);
}

int64_t
outqueue_line_id(const char *s, size_t n)
{
	static const char begin[] = "{\"id\":";
	const size_t m = sizeof begin - 1;
	int64_t id = 0;
	size_t i;

	if (n < m + 2 || memcmp(s, begin, m) != 0 || s[n - 1] != '}')
		return -1;
	for (i = m; i < n && s[i] >= '0' && s[i] <= '9' && id < INT64_MAX / 10 - 1; i++)
		id = id * 10 + (s[i] - '0');
	return i > m && (s[i] == ',' || s[i] == '}') ? id : -1;
}

int64_t
outqueue_base(const struct outqueue *q)
{
	return q->dropped.n > 0 && q->dropped.id > q->confirmed ? q->dropped.id : q->confirmed;
}

/* --- reading */

static int
read_open(struct outqueue *q, int64_t first)
{
	char name[OUTQUEUE_SEGMENT_NAME];

	if (q->read_fd >= 0 && q->read_first == first)
		return 0;
	io_closep(&q->read_fd);
	outqueue_segment_name(name, first);
	q->read_first = first;
	q->read_fd = openat(q->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return q->read_fd < 0 ? -errno : 0;
}

/* The bytes of segment I that may be read. */
static int64_t
segment_end(const struct outqueue *q, size_t i)
{
	return i + 1 < q->committed.n ? q->v[i].size : i + 1 == q->committed.n ? q->committed.end : 0;
}

int
outqueue_line_read(struct outqueue *q, size_t i, int64_t at, struct buf *line)
{
	const int64_t end = segment_end(q, i);
	int r = at >= end ? 0 : read_open(q, q->v[i].first);

	buf_reset(line);
	while (r == 0 && at < end) {
		size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
		ssize_t got;
		char *newline;

		buf_reserve(line, want);
		got = pread(q->read_fd, line->s + line->len, want, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		newline = memchr(line->s + line->len, '\n', (size_t)got);
		line->len = newline ? (size_t)(newline - line->s) : line->len + (size_t)got;
		line->s[line->len] = '\0';
		if (newline)
			return 1;
		at += got;
	}
	return r < 0 ? r : line->len > 0;
}

static bool
is_accepted(const struct outqueue *q, int64_t id)
{
	for (size_t i = 0; i < q->n_accepted; i++)
		if (q->accepted[i] == id)
			return true;
	return false;
}

static int
give_dropped(struct outqueue *q, struct outqueue_item *item)
{
	*item = (struct outqueue_item){ .id = q->dropped.id, .prev = q->dropped.prev, .dropped = q->dropped.n,
	    .line = item->line };
	buf_reset(&item->line);
	q->given.id = q->dropped.id;
	q->given.n = q->dropped.n;
	return 1;
}

/* Where the search for the item after AFTER begins: the segment, the offset in it, and the id before. */
static size_t
find_place(const struct outqueue *q, int64_t after, int64_t *at, int64_t *prev)
{
	size_t i = 0;

	*at = q->head;
	*prev = outqueue_base(q);
	if (after <= *prev)
		return 0;
	for (i = q->committed.n; i > 1 && q->v[i - 1].first > after; i--)
		;
	i = i > 0 ? i - 1 : 0;
	if (i > 0) {
		*at = 0;
		*prev = q->v[i - 1].last;
	}
	if (i < q->n && q->place.id == after && q->place.first == q->v[i].first) {
		*at = q->place.at;
		*prev = after;
	}
	return i;
}

int
outqueue_next(struct outqueue *q, int64_t after, struct outqueue_item *item)
{
	int64_t at, prev;

	if (q->dropped.n > 0 && after < q->dropped.id)
		return give_dropped(q, item);
	for (size_t i = find_place(q, after, &at, &prev); i < q->committed.n; i++, at = 0) {
		int r;

		while ((r = outqueue_line_read(q, i, at, &item->line)) > 0) {
			int64_t id = outqueue_line_id(item->line.s, item->line.len);

			at += (int64_t)item->line.len + 1;
			if (id > after && id > outqueue_base(q) && !is_accepted(q, id)) {
				item->id = id;
				item->prev = prev;
				item->dropped = 0;
				q->place.id = id;
				q->place.first = q->v[i].first;
				q->place.at = at;
				return 1;
			}
			prev = id > prev ? id : prev;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- appending */

void
outqueue_mark_committed(struct outqueue *q)
{
	q->committed.n = q->n;
	q->committed.end = q->n > 0 ? q->v[q->n - 1].size : 0;
	q->committed.last = q->last;
}

void
outqueue_remove_segment(struct outqueue *q, size_t i)
{
	char name[OUTQUEUE_SEGMENT_NAME];

	outqueue_segment_name(name, q->v[i].first);
	if (q->read_fd >= 0 && q->read_first == q->v[i].first) {
		io_closep(&q->read_fd);
		q->read_fd = -1;
	}
	unlinkat(q->dir, name, 0);
	q->n--;
	memmove(q->v + i, q->v + i + 1, (q->n - i) * sizeof *q->v);
}

/* The first segment, which is not the one that is appended to, and is readable as a whole. */
static void
remove_first(struct outqueue *q)
{
	outqueue_remove_segment(q, 0);
	q->committed.n--;
	q->committed.end = q->committed.n > 0 ? q->committed.end : 0;
	q->head = 0;
}

static int64_t
queue_bytes(const struct outqueue *q)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < q->n; i++)
		bytes += q->v[i].size;
	return bytes;
}

static void
close_last(struct outqueue *q)
{
	io_closep(&q->fd);
	q->fd = -1;
}

static void
forget_accepted(struct outqueue *q, int64_t up_to)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n_accepted; i++)
		if (q->accepted[i] > up_to)
			q->accepted[n++] = q->accepted[i];
	q->n_accepted = n;
}

/* The records of V[0] that are neither confirmed nor dropped; *OPEN of them were not accepted alone either. */
static int64_t
count_head(struct outqueue *q, int64_t *open)
{
	_cleanup_buf_ struct buf line = BUF_INIT;
	int64_t n = 0;

	*open = 0;
	for (int64_t at = q->head; outqueue_line_read(q, 0, at, &line) > 0; at += (int64_t)line.len + 1) {
		int64_t id = outqueue_line_id(line.s, line.len);

		if (id <= outqueue_base(q))
			continue;
		n++;
		*open += !is_accepted(q, id);
	}
	return n;
}

/* The range is written before the segment is unlinked: it is counted once, whatever ends the process. */
static int
drop_first(struct outqueue *q)
{
	int64_t open, n = count_head(q, &open);
	int r;

	if (open > 0 && q->dropped.n == 0)
		q->dropped.prev = q->confirmed;
	q->dropped.n += open;
	q->dropped.all += open;
	if (n > 0 && q->dropped.n > 0)
		q->dropped.id = q->v[0].last;
	else if (n > 0)
		q->confirmed = q->v[0].last;
	q->committed.records -= n;
	forget_accepted(q, outqueue_base(q));
	r = outqueue_cursor_write(q, true);
	if (r == 0)
		remove_first(q);
	return r;
}

/* All in the first segment is confirmed, and it is the last one as well. */
static bool
is_spent(const struct outqueue *q)
{
	return q->n == 1 && q->committed.n == 1 && q->v[0].size > 0 && q->head >= q->v[0].size;
}

static int
remove_spent(struct outqueue *q)
{
	int r = outqueue_cursor_write(q, true);

	if (r < 0)
		return r;
	close_last(q);
	remove_first(q);
	return 0;
}

static int
make_room(struct outqueue *q, size_t n)
{
	int r = 0;

	while (r == 0 && queue_bytes(q) + (int64_t)n > q->max) {
		if (is_spent(q)) {
			r = remove_spent(q);
			continue;
		}
		/* what is dropped was committed as a whole */
		if (q->durable || q->committed.n == 0 || (q->committed.n == 1 && q->committed.end < q->v[0].size))
			return -ENOBUFS;
		if (q->n == 1)
			close_last(q);
		r = drop_first(q);
	}
	return r;
}

static int
open_segment(struct outqueue *q, int64_t id)
{
	char name[OUTQUEUE_SEGMENT_NAME];

	outqueue_segment_name(name, id);
	q->fd = openat(q->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (q->fd < 0)
		return -errno;
	q->v = xgrow(q->v, q->n, &q->cap, sizeof *q->v);
	q->v[q->n++] = (struct outqueue_segment){ .first = id };
	q->is_new_segment = true;
	return 0;
}

int
outqueue_append(struct outqueue *q, int64_t id, const char *line, size_t n)
{
	const int64_t share = q->max / 4 < SEGMENT_SIZE ? q->max / 4 : SEGMENT_SIZE;
	struct outqueue_segment *s;
	int r = make_room(q, n);

	if (r == 0 && q->fd >= 0 && q->v[q->n - 1].size > 0 && q->v[q->n - 1].size + (int64_t)n > share) {
		if (q->durable && fdatasync(q->fd) < 0)
			r = q->unsynced = -errno;
		else
			close_last(q);
	}
	if (r == 0 && q->fd < 0)
		r = open_segment(q, id);
	if (r < 0)
		return r;
	s = &q->v[q->n - 1];
	r = lseek(q->fd, s->size, SEEK_SET) < 0 ? -errno : io_write_all(q->fd, line, n);
	if (r < 0) {
		/* what was written of it is cut off, or else no line; the next one begins a segment */
		if (ftruncate(q->fd, s->size) < 0)
			close_last(q);
		return r;
	}
	s->size += (int64_t)n;
	s->records++;
	s->last = q->last = id;
	return 0;
}

void
outqueue_revert(struct outqueue *q)
{
	const int64_t end = q->committed.end;

	q->unsynced = 0;
	while (q->n > q->committed.n) {
		close_last(q);
		outqueue_remove_segment(q, q->n - 1);
	}
	q->last = q->committed.last;
	if (q->n == 0 || q->v[q->n - 1].size == end)
		return;
	q->v[q->n - 1].records = 0;
	if (q->fd < 0) {
		char name[OUTQUEUE_SEGMENT_NAME];

		outqueue_segment_name(name, q->v[q->n - 1].first);
		q->fd = openat(q->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	}
	if (q->fd >= 0 && ftruncate(q->fd, end) == 0) {
		q->v[q->n - 1].size = end;
		q->v[q->n - 1].last = q->last;
	} else {
		/* they stay, unreadable now; a later process gives them out: twice is better than never */
		close_last(q);
	}
}

int
outqueue_commit(struct outqueue *q)
{
	int r = q->unsynced;

	if (q->last == q->committed.last)
		return 0;
	if (r == 0 && q->durable && q->fd >= 0 && fdatasync(q->fd) < 0)
		r = -errno;
	if (r == 0 && q->durable && q->is_new_segment && fsync(q->dir) < 0)
		r = -errno;
	if (r < 0) {
		outqueue_revert(q);
		return r;
	}
	for (size_t i = q->committed.n > 0 ? q->committed.n - 1 : 0; i < q->n; i++) {
		q->committed.records += q->v[i].records;
		q->v[i].records = 0;
	}
	q->is_new_segment = false;
	outqueue_mark_committed(q);
	return 0;
}

/* --- confirming */

/* The head past each line that is at or before TO, or was accepted; segments before it are unlinked. */
static int
advance_head(struct outqueue *q, int64_t to)
{
	_cleanup_buf_ struct buf line = BUF_INIT;

	while (q->dropped.n == 0 && q->committed.n > 0) {
		int r = outqueue_line_read(q, 0, q->head, &line);
		int64_t id = r > 0 ? outqueue_line_id(line.s, line.len) : 0;

		if (r < 0)
			return r;
		if (r == 0 && q->committed.n == 1)
			break;
		if (r == 0) {
			r = outqueue_cursor_write(q, true);
			if (r < 0)
				return r;
			remove_first(q);
			continue;
		}
		if (id > to && !is_accepted(q, id))
			break;
		q->head += (int64_t)line.len + 1;
		if (id > q->confirmed) {
			q->confirmed = id;
			q->committed.records--;
		}
	}
	return 0;
}

static int
settle_confirmed(struct outqueue *q, int64_t to)
{
	int r = advance_head(q, to);

	forget_accepted(q, q->confirmed);
	if (r == 0)
		r = is_spent(q) && q->v[0].size >= SPENT_SIZE ? remove_spent(q) : outqueue_cursor_write(q, false);
	return r;
}

/* ID is in the range of those that were dropped, of which a first part may have been given out alone. */
static void
confirm_dropped(struct outqueue *q, int64_t id)
{
	if (id >= q->dropped.id) {
		q->confirmed = q->dropped.id;
		q->dropped.n = 0;
	} else if (id == q->given.id && q->given.n > 0 && q->given.n < q->dropped.n) {
		q->confirmed = q->dropped.prev = id;
		q->dropped.n -= q->given.n;
		q->given.n = 0;
	}
}

int
outqueue_confirm_to(struct outqueue *q, int64_t id)
{
	if (id <= q->confirmed)
		return 0;
	if (q->dropped.n > 0)
		confirm_dropped(q, id);
	return settle_confirmed(q, id);
}

int
outqueue_confirm(struct outqueue *q, int64_t id)
{
	if (id <= q->confirmed || id > q->committed.last || is_accepted(q, id))
		return 0;
	if (q->dropped.n > 0 && id <= q->dropped.id) {
		confirm_dropped(q, id);
	} else {
		q->accepted = xgrow(q->accepted, q->n_accepted, &q->accepted_cap, sizeof *q->accepted);
		q->accepted[q->n_accepted++] = id;
	}
	return settle_confirmed(q, q->confirmed);
}

void
outqueue_get_level(const struct outqueue *q, struct outqueue_level *level)
{
	*level = (struct outqueue_level){
		.records = q->committed.records - (int64_t)q->n_accepted, .bytes = queue_bytes(q), .max = q->max,
		.dropped = q->dropped.n, .dropped_all = q->dropped.all, .damaged = q->damaged,
		.confirmed = q->confirmed, .last = q->last > q->confirmed ? q->last : q->confirmed,
	};
}

/* --- opening */

int
outqueue_open(const char *dir, int64_t max, bool durable, struct outqueue **out)
{
	struct outqueue *q = xcalloc(1, sizeof *q);
	int r;

	*q = (struct outqueue){ .path = xstrdup(dir), .dir = -1, .max = max, .durable = durable, .fd = -1, .read_fd = -1 };
	r = file_make_dirs(dir, 0700);
	if (r == 0)
		q->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r == 0 && q->dir < 0)
		r = -errno;
	if (r == 0) {
		file_remove_temporaries(dir);
		r = outqueue_load(q);
	}
	if (r < 0) {
		outqueue_close(q);
		return r;
	}
	*out = q;
	return 0;
}

void
outqueue_close(struct outqueue *q)
{
	if (!q)
		return;
	if (q->dir >= 0)
		outqueue_revert(q);
	close_last(q);
	io_closep(&q->read_fd);
	io_closep(&q->dir);
	free(q->v);
	free(q->accepted);
	free(q->path);
	free(q);
}
