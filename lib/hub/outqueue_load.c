#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/json.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "hub/outqueue_parts.h"

enum { CURSOR_MAX = 4096 };

/* --- the cursor */

int
outqueue_cursor_write(struct outqueue *q, bool durable)
{
	_cleanup_free_ char *path = xasprintf("%s/cursor", q->path);
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_printf(&b, "{\"confirmed\":%" PRId64 ",\"dropped\":%" PRId64 ",\"droppedId\":%" PRId64
	    ",\"droppedPrev\":%" PRId64 ",\"droppedAll\":%" PRId64 "}\n", q->confirmed, q->dropped.n,
	    q->dropped.id, q->dropped.prev, q->dropped.all);
	return file_replace(path, b.s, b.len, 0600, durable && q->durable ? FILE_DURABLE : 0);
}

/* One that cannot be read is that of an empty queue: records are given out again, none is lost. */
static void
cursor_read(struct outqueue *q)
{
	_cleanup_free_ char *path = xasprintf("%s/cursor", q->path);
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;

	if (json_load(path, FILE_NOFOLLOW, CURSOR_MAX, &v, &f) < 0)
		return;
	q->confirmed = json_get_positive(v, "confirmed");
	q->dropped.n = json_get_positive(v, "dropped");
	q->dropped.id = json_get_positive(v, "droppedId");
	q->dropped.prev = json_get_positive(v, "droppedPrev");
	q->dropped.all = json_get_positive(v, "droppedAll");
}

/* --- the segments */

static int
by_first(const void *a, const void *b)
{
	const struct outqueue_segment *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static int
list_segments(struct outqueue *q)
{
	int fd = openat(q->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		io_closep(&fd);
		return -errno;
	}
	while ((e = readdir(d))) {
		char digits[17];
		struct stat st;
		int64_t first;

		if (strlen(e->d_name) != 22 || strcmp(e->d_name + 16, ".jsonl") != 0)
			continue;
		memcpy(digits, e->d_name, 16);
		digits[16] = '\0';
		if (num_parse(digits, 0, INT64_MAX, &first) < 0 ||
		    fstatat(q->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		q->v = xgrow(q->v, q->n, &q->cap, sizeof *q->v);
		q->v[q->n++] = (struct outqueue_segment){ .first = first, .size = st.st_size };
	}
	closedir(d);
	if (q->n > 0)
		qsort(q->v, q->n, sizeof *q->v, by_first);
	return 0;
}

/* Count what V[I] holds; a torn last line is left out of its size. */
static int
scan_segment(struct outqueue *q, size_t i)
{
	struct outqueue_segment *s = &q->v[i];
	_cleanup_buf_ struct buf line = BUF_INIT;
	int64_t at = 0;
	int r;

	q->committed = (struct outqueue_mark){ .n = i + 1, .end = s->size, .records = q->committed.records };
	while ((r = outqueue_line_read(q, i, at, &line)) > 0) {
		int64_t next = at + (int64_t)line.len + 1, id = outqueue_line_id(line.s, line.len);

		if (next > s->size) {
			s->size = at;
			break;
		}
		at = next;
		if (id <= s->last)
			q->damaged++;
		else
			s->last = id;
		q->committed.records += id >= 0 && id > outqueue_base(q);
		if (i == 0 && id <= outqueue_base(q) && at > q->head)
			q->head = at;
	}
	return r < 0 ? r : 0;
}

static int
open_last(struct outqueue *q)
{
	struct outqueue_segment *s = &q->v[q->n - 1];
	char name[OUTQUEUE_SEGMENT_NAME];

	outqueue_segment_name(name, s->first);
	q->fd = openat(q->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return q->fd < 0 || ftruncate(q->fd, s->size) < 0 ? -errno : 0;
}

int
outqueue_load(struct outqueue *q)
{
	int r;

	cursor_read(q);
	r = list_segments(q);

	for (size_t i = 0; r == 0 && i < q->n; ) {
		r = scan_segment(q, i);
		if (r < 0)
			break;
		if (q->v[i].last <= outqueue_base(q)) {
			outqueue_remove_segment(q, i);
			q->committed.n--;
			q->head = 0;
			continue;
		}
		q->last = q->v[i].last;
		i++;
	}
	if (r == 0 && q->n > 0)
		r = open_last(q);
	if (outqueue_base(q) > q->last)
		q->last = outqueue_base(q);
	outqueue_mark_committed(q);
	return r;
}
