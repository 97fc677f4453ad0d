#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "input/rotation.h"
#include "input/tail.h"

enum { LOOK_AHEAD = 64 << 10 };

/* A file of it, the oldest first. */
struct part {
	int fd;
	struct rotation_place at;	/* up to here it has been handed out */
	int64_t whole;			/* a line longer than what is read at once ends here */
	int64_t looked;			/* up to here there is no end of a line */
	bool last_newline;		/* its last byte was one */
};

/* The feed's bytes from STREAM on were read at this place. */
struct mark {
	int64_t stream;
	struct rotation_place at;
};

struct tail {
	struct feed feed;
	char *path;
	struct filewatch *filewatch;
	struct filewatch_item *watched;
	struct part *parts;		/* the first is being read */
	size_t n, cap;
	bool names;			/* the path may be another file by now */
	bool restored;
	int64_t given, passed;
	struct rotation_place here;	/* behind what was handed out last; with nothing yet, its time is that of the start */
	struct mark *marks;		/* from the one before PASSED on */
	size_t n_marks, marks_cap;
	int64_t skip;			/* so much behind its restored place had passed, too */
};

static struct part *
add_part(struct tail *t, int fd, const struct rotation_file *f, int64_t off)
{
	struct part *p;

	t->parts = xgrow(t->parts, t->n, &t->cap, sizeof *t->parts);
	p = &t->parts[t->n++];
	*p = (struct part){ .fd = fd, .at = { .dev = f->dev, .ino = f->ino, .off = off, .mtime_ns = f->mtime_ns },
	    .whole = off, .looked = off, .last_newline = true };
	if (off)
		rotation_mark(fd, &p->at);
	return p;
}

/* All files of R from the one at FROM on; the first at OFF. */
static void
add_parts(struct tail *t, struct rotation *r, size_t from, int64_t off)
{
	for (size_t i = from; i < r->n; i++) {
		add_part(t, r->v[i].fd, &r->v[i], off);
		r->v[i].fd = -1;
		off = 0;
	}
}

static int64_t
modified_ns(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec : 0;
}

static void
drop_part(struct tail *t)
{
	io_closep(&t->parts[0].fd);
	memmove(t->parts, t->parts + 1, --t->n * sizeof *t->parts);
}

/* The first of R that nothing was read of, where nothing was read of the current one. */
static size_t
first_unread(const struct tail *t, const struct rotation *r)
{
	ssize_t i = t->here.n_tail ? rotation_find(r, &t->here) : -1;

	return i >= 0 ? (size_t)i + 1 : rotation_newer(r, t->here.mtime_ns);
}

/*
 * The first bytes of the current file have been read.  What it held before may
 * have been copied and truncated away meanwhile: then that is to be read first.
 */
static bool
is_first(struct tail *t)
{
	struct part *p = &t->parts[0];
	struct rotation r;
	bool yes = true;
	size_t k;

	if (rotation_open(t->path, &r) < 0)
		return true;
	k = first_unread(t, &r);
	if (k < r.n && (r.v[k].ino != p->at.ino || r.v[k].dev != p->at.dev)) {
		for (size_t i = k; i < r.n; i++)
			yes &= r.v[i].ino != p->at.ino || r.v[i].dev != p->at.dev;
		if (!yes) {
			while (t->n)
				drop_part(t);
			add_parts(t, &r, k, 0);
		}
	}
	rotation_release(&r);
	return yes;
}

/* The path is a file that was not there before: the first one, or what came after the last. */
static void
find_next(struct tail *t)
{
	struct rotation r;

	t->names = false;
	if (rotation_open(t->path, &r) < 0)
		return;
	if (t->n) {
		struct part *last = &t->parts[t->n - 1];

		last->at.mtime_ns = modified_ns(last->fd);
		add_parts(t, &r, rotation_after(&r, &last->at), 0);
	} else {
		add_parts(t, &r, first_unread(t, &r), 0);
	}
	rotation_release(&r);
	filewatch_renew(t->watched);
}

static bool
is_replaced(const struct tail *t)
{
	const struct part *last = &t->parts[t->n - 1];
	struct stat st;

	return stat(t->path, &st) == 0 && (st.st_ino != last->at.ino || st.st_dev != last->at.dev);
}

/* The first part is not what it was: a copy may be. */
static void
find_copy(struct tail *t)
{
	struct rotation_place at = t->parts[0].at;
	struct rotation r;
	ssize_t i = -1;

	if (rotation_open(t->path, &r) == 0)
		i = rotation_find(&r, &at);
	while (t->n)			/* those behind it are found again */
		drop_part(t);
	if (i >= 0) {
		add_parts(t, &r, (size_t)i, at.off);
	} else {
		feed_tell(&t->feed, EXIT_OK, "was truncated: reading it from its beginning");
		feed_gap(&t->feed, NULL);
		if (r.current)
			add_parts(t, &r, r.n - 1, 0);
	}
	rotation_release(&r);
	filewatch_renew(t->watched);
	t->names = true;
}

static void
remember(struct rotation_place *at, const char *p, size_t n)
{
	size_t keep = n >= ROTATION_TAIL ? 0 : ROTATION_TAIL - n;

	if (keep > at->n_tail)
		keep = at->n_tail;
	memmove(at->tail, at->tail + at->n_tail - keep, keep);
	if (n > ROTATION_TAIL) {
		p += n - ROTATION_TAIL;
		n = ROTATION_TAIL;
	}
	memcpy(at->tail + keep, p, n);
	at->n_tail = keep + n;
}

/* Is there the end of a line behind what was looked at?  Then WHOLE is behind it. */
static void
look_ahead(struct part *p)
{
	_cleanup_free_ char *b = xrealloc(NULL, LOOK_AHEAD, 1);
	ssize_t n;

	while ((n = pread(p->fd, b, LOOK_AHEAD, p->looked)) > 0) {
		const char *nl = memrchr(b, '\n', (size_t)n);

		if (nl) {
			p->whole = p->looked + (nl + 1 - b);
			return;
		}
		p->looked += n;
	}
}

/* How many of the N bytes of TO, which are all that could be read or LESS, are of whole lines. */
static size_t
whole_lines(struct part *p, const char *to, size_t n, bool less)
{
	const char *nl = memrchr(to, '\n', n);
	int64_t end = p->at.off + (int64_t)n;

	if (nl)
		return (size_t)(nl + 1 - to);
	if (less)
		return 0;
	if (p->whole < end) {
		p->looked = p->looked > end ? p->looked : end;
		look_ahead(p);
	}
	return p->whole >= end ? n : 0;
}

/*
 * The next bytes of P: whole lines, or with TORN all; 0 where there are none,
 * -ESTALE where they are others, -EINTR where other parts come before it.
 */
static ssize_t
read_part(struct tail *t, struct part *p, char *to, size_t n, bool torn)
{
	char tail[ROTATION_TAIL];
	struct iovec iov[2] = { { tail, p->at.n_tail }, { to, n } };
	size_t got, take;
	ssize_t r;

	r = preadv(p->fd, iov, 2, p->at.off - (int64_t)p->at.n_tail);
	if (r < 0)
		return -errno;
	if ((size_t)r < p->at.n_tail || memcmp(tail, p->at.tail, p->at.n_tail) != 0)
		return -ESTALE;
	got = (size_t)r - p->at.n_tail;
	take = torn ? got : whole_lines(p, to, got, got < n);
	if (take == 0)
		return 0;
	if (p->at.off == 0 && t->n == 1 && !torn && !is_first(t))
		return -EINTR;
	p->at.mtime_ns = modified_ns(p->fd);
	t->marks = xgrow(t->marks, t->n_marks, &t->marks_cap, sizeof *t->marks);
	t->marks[t->n_marks++] = (struct mark){ t->given, p->at };
	remember(&p->at, to, take);
	p->at.off += (int64_t)take;
	t->here = p->at;
	p->last_newline = to[take - 1] == '\n';
	return (ssize_t)take;
}

/* The part has been replaced by others, of which one has something: what is left of it, and it is done. */
static ssize_t
finish_part(struct tail *t, char *to, size_t n)
{
	ssize_t r = read_part(t, &t->parts[0], to, n, true);
	bool torn = !t->parts[0].last_newline;

	if (r != 0)
		return r;
	drop_part(t);
	if (!torn)
		return 0;
	*to = '\n';
	return 1;
}

/* Has any part behind the first one something? */
static bool
goes_on(const struct tail *t)
{
	for (size_t i = 1; i < t->n; i++) {
		struct stat st;

		if (i + 1 < t->n || (fstat(t->parts[i].fd, &st) == 0 && st.st_size > 0))
			return true;
	}
	return false;
}

static ssize_t
read_some(struct tail *t, char *to, size_t n)
{
	for (;;) {
		bool after;
		ssize_t r;

		if (t->n == 0 && t->names)
			find_next(t);
		if (t->n == 0)
			return -EAGAIN;
		/* First whether it has a successor, then its end: what was written before is then read. */
		after = goes_on(t);
		r = read_part(t, &t->parts[0], to, n, false);
		if (r == 0 && after) {
			r = finish_part(t, to, n);
			if (r == 0)
				continue;
		}
		if (r == -ESTALE)
			find_copy(t);
		if (r == -ESTALE || r == -EINTR)
			continue;
		if (r != 0)
			return r;
		if (!t->names)
			return -EAGAIN;
		t->names = false;
		if (is_replaced(t))
			find_next(t);
	}
}

static ssize_t
tail_read(struct feed *f, char *to, size_t n)
{
	struct tail *t = (struct tail *)f;
	ssize_t r = read_some(t, to, n);

	if (r > 0)
		t->given += r;
	return r == -EAGAIN && f->once ? 0 : r;
}

/* Is a whole line there?  Its format is told by the first of them. */
static bool
tail_ready(struct feed *f)
{
	struct tail *t = (struct tail *)f;

	if (t->n == 0 || (t->names && is_replaced(t)))
		find_next(t);
	for (size_t i = 0; i < t->n; i++) {
		struct part *p = &t->parts[i];
		struct stat st;

		if (fstat(p->fd, &st) < 0 || st.st_size <= p->at.off)
			continue;
		p->looked = p->at.off;
		look_ahead(p);
		if (i + 1 < t->n || p->whole > p->at.off)
			return true;
	}
	return f->once;
}

static ssize_t
tail_sample(struct feed *f, char *to, size_t n)
{
	const struct tail *t = (const struct tail *)f;
	ssize_t r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++)
		r = pread(t->parts[i].fd, to, n, 0);
	return r < 0 ? -errno : r;
}

static void
look(bool names, void *cookie)
{
	struct tail *t = cookie;

	t->names |= names;
	feed_wake(&t->feed);
}

/* Go on where the run before was. */
static void
resume(struct tail *t)
{
	struct rotation r;
	ssize_t i;

	if (rotation_open(t->path, &r) < 0)
		return;
	i = t->here.n_tail ? rotation_find(&r, &t->here) : -1;
	if (i >= 0) {
		int64_t off = t->here.off + t->skip;

		/* A newline that stood for a torn end is not in the file. */
		add_parts(t, &r, (size_t)i, off < r.v[i].size ? off : r.v[i].size);
		t->here = t->parts[0].at;
		t->skip = 0;
	} else {
		if (t->here.n_tail) {
			feed_tell(&t->feed, EXIT_OK, "what was read last is not there any more: something may be missing");
			feed_gap(&t->feed, NULL);
		}
		add_parts(t, &r, first_unread(t, &r), 0);
	}
	rotation_release(&r);
}

static int
tail_start(struct feed *f, struct fail *why)
{
	struct tail *t = (struct tail *)f;
	struct timespec now;
	struct stat st;
	int fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && (errno != ENOENT || f->once))
		return fail_errno(why, errno, "%s", t->path);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return fail_errno(why, EISDIR, "%s", t->path);
	}
	if (fd >= 0)
		close(fd);
	else
		feed_tell(f, EXIT_OK, "is not there yet");
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (!t->restored)
		t->here.mtime_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	t->watched = filewatch_add(t->filewatch, t->path, FILEWATCH_CONTENT, look, t);
	t->names = true;
	if (t->restored)
		resume(t);
	else
		find_next(t);
	return 0;
}

/* The place of what is asked for next is kept. */
static void
tail_ack(struct feed *f, int64_t off)
{
	struct tail *t = (struct tail *)f;
	size_t drop = 0;

	t->passed = off;
	while (drop + 1 < t->n_marks && t->marks[drop + 1].stream <= off)
		drop++;
	if (drop == 0)
		return;
	t->n_marks -= drop;
	memmove(t->marks, t->marks + drop, t->n_marks * sizeof *t->marks);
}

static void
tail_save(struct feed *f, struct json *state)
{
	struct tail *t = (struct tail *)f;
	char hex[2 * ROTATION_TAIL + 1] = "";
	struct rotation_place at;
	int64_t more = 0;

	at = t->passed == t->given || !t->n_marks ? t->here : t->marks[0].at;
	if (t->given == 0)
		more = t->skip;
	else if (t->passed < t->given && t->n_marks)
		more = t->passed - t->marks[0].stream;
	for (size_t i = 0; i < at.n_tail; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)at.tail[i]);
	json_set(state, "device", json_number((double)at.dev));
	json_set(state, "inode", json_number((double)at.ino));
	json_set(state, "offset", json_number((double)at.off));
	json_set_text(state, "before", hex);
	json_set(state, "and", json_number((double)more));
	json_set(state, "modified_us", json_number((double)(at.mtime_ns / 1000)));
}

static int64_t
whole_of(struct json state, const char *key)
{
	_cleanup_json_ struct json v = json_get(state, key);
	int64_t n = 0;

	return json_get_whole(v, &n) ? n : 0;
}

static int
tail_restore(struct feed *f, struct json state, struct fail *why)
{
	struct tail *t = (struct tail *)f;
	const char *hex = json_get_text(state, "before");
	struct rotation_place at = { .dev = (dev_t)whole_of(state, "device"), .ino = (ino_t)whole_of(state, "inode"),
	    .off = whole_of(state, "offset"), .mtime_ns = whole_of(state, "modified_us") * 1000 };

	if (!hex)
		return 0;		/* nothing of it had been read */
	for (; at.n_tail < ROTATION_TAIL && hex[2 * at.n_tail] && hex[2 * at.n_tail + 1]; at.n_tail++) {
		char two[3] = { hex[2 * at.n_tail], hex[2 * at.n_tail + 1], '\0' };

		at.tail[at.n_tail] = (char)strtoul(two, NULL, 16);
	}
	if (at.off < 0 || (int64_t)at.n_tail > at.off)
		return fail_set(why, EXIT_TROUBLE, "%s: the saved state is damaged", t->path);
	t->here = at;
	t->restored = true;
	t->skip = whole_of(state, "and");
	return 0;
}

static void
tail_free(struct feed *f)
{
	struct tail *t = (struct tail *)f;

	if (t->watched)
		filewatch_remove(t->watched);
	for (size_t i = 0; i < t->n; i++)
		io_closep(&t->parts[i].fd);
	free(t->parts);
	free(t->marks);
	free(t->path);
	feed_release(f);
	free(t);
}

struct feed *
tail_new(const char *path, struct filewatch *filewatch)
{
	static const struct feed_ops ops = { .start = tail_start, .read = tail_read, .ready = tail_ready,
	    .ack = tail_ack, .save = tail_save, .restore = tail_restore, .sample = tail_sample,
	    .free = tail_free };
	struct tail *t = xcalloc(1, sizeof *t);

	feed_init(&t->feed, &ops, path);
	t->path = xstrdup(path);
	t->filewatch = filewatch;
	return &t->feed;
}
