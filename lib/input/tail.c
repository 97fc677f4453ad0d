#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "input/own_output.h"
#include "input/part.h"
#include "input/tail.h"

enum {
	TRIES = 20,		/* listings of a directory whose names are moved on meanwhile */
	READ_PLACES = 8,	/* of files that were read to their end, by which they are recognised */
	UNLINKED_MS = 5000,	/* for so long a file without a name may still be written to by a program that has it open */
	UNLINKED_SHORT_MS = 100,	/* the same where descriptors are scarce */
	RETRY_MS = 500,
};

/* The feed's bytes from STREAM on were read at this place. */
struct mark {
	int64_t stream;
	struct rotation_place at;
};

struct tail {
	struct feed feed;
	char *path;
	struct tails *all;
	struct filewatch_item *watched;
	struct part *parts;		/* the oldest first; the first is being read */
	size_t n, cap;
	bool pinned;
	bool names;			/* the path may be another file by now */
	bool restored;
	bool close_first;		/* nothing more is expected in the first part */
	int trouble;			/* why it cannot be opened: an errno that was reported; 0 for none */
	int64_t given, passed;
	struct rotation_place here;	/* behind what was handed out last; with nothing yet, its time is that of the start */
	struct rotation_place read[READ_PLACES];
	size_t n_read;
	struct mark *marks;		/* from the one before PASSED on */
	size_t n_marks, marks_cap;
	int64_t skip;			/* so much behind its restored place had passed, too */
	struct loop_timer again, unlinked;
};

struct tails {
	struct filewatch *filewatch;
	struct tail **v;
	size_t n, cap;
};

struct tails *
tails_new(struct filewatch *filewatch)
{
	struct tails *all = xcalloc(1, sizeof *all);

	all->filewatch = filewatch;
	return all;
}

void
tails_free(struct tails *all)
{
	if (all)
		free(all->v);
	free(all);
}

/* --- which file belongs to which tail */

static bool
is_file(const struct rotation_file *f, dev_t dev, ino_t ino)
{
	return f->ino == ino && f->dev == dev;
}

/* Is file I of R one that T reads or has read? */
static bool
has_read(const struct tail *t, struct rotation *r, size_t i)
{
	const struct rotation_file *f = &r->v[i];

	for (size_t k = 0; k < t->n; k++)
		if (is_file(f, t->parts[k].at.dev, t->parts[k].at.ino))
			return true;
	for (size_t k = 0; k < t->n_read && k < READ_PLACES; k++) {
		const struct rotation_place *at = &t->read[k];

		/* The number alone may be that of a file that was made since. */
		if (is_file(f, at->dev, at->ino) && at->n_tail && rotation_fd(r, i) >= 0 && rotation_holds(f->fd, at))
			return true;
	}
	return false;
}

/* Is file I of R what the path of T leads to now? */
static bool
is_named(const struct tail *t, const struct rotation *r, size_t i)
{
	struct stat st;

	return !t->pinned && stat(t->path, &st) == 0 && is_file(&r->v[i], st.st_dev, st.st_ino);
}

/* Does file I of R, which T would read, belong to another tail?  One file may be followed under two names. */
static bool
is_anothers(const struct tail *t, struct rotation *r, size_t i)
{
	const bool mine = r->current && i == r->n - 1;

	for (size_t k = 0; k < t->all->n; k++) {
		const struct tail *u = t->all->v[k];

		if (u == t)
			continue;
		if (mine ? has_read(u, r, i) && !is_named(u, r, i) : is_named(u, r, i) || (u->pinned && has_read(u, r, i)))
			return true;
	}
	return false;
}

/* --- parts */

static void
tell_trouble(struct tail *t, int error)
{
	if (error == t->trouble)
		return;
	if (error == 0 && t->trouble != ENOENT)
		feed_tell(&t->feed, EXIT_OK, "can be read now");
	else if (error == EMFILE || error == ENFILE)
		feed_tell(&t->feed, EXIT_TROUBLE, "%s: raise the limit of open files (ulimit -n)", strerror(error));
	else if (error != 0 && error != ENOENT)
		feed_tell(&t->feed, EXIT_TROUBLE, "%s; trying again", strerror(error));
	t->trouble = error;
}

/* What cannot be opened now is tried again. */
static void
try_again(struct tail *t, int error)
{
	tell_trouble(t, error);
	if (!t->again.set && error != ENOENT)
		loop_timer_set(t->feed.loop, &t->again, RETRY_MS);
}

static void
drop_part(struct tail *t)
{
	t->read[t->n_read++ % READ_PLACES] = t->parts[0].at;
	io_closep(&t->parts[0].fd);
	memmove(t->parts, t->parts + 1, --t->n * sizeof *t->parts);
	t->close_first = false;
	if (t->feed.loop)
		loop_timer_stop(t->feed.loop, &t->unlinked);
}

/* Forget all parts: they are found again. */
static void
drop_parts(struct tail *t)
{
	for (size_t i = 0; i < t->n; i++)
		io_closep(&t->parts[i].fd);
	t->n = 0;
}

/* Add all files of R from the one at FROM on, the first at OFF, up to one that cannot be opened. */
static int
add_parts(struct tail *t, struct rotation *r, size_t from, int64_t off)
{
	for (size_t i = from; i < r->n; i++, off = 0) {
		int error;

		if ((i > from || off == 0) && is_anothers(t, r, i))
			continue;
		t->parts = xgrow(t->parts, t->n, &t->cap, sizeof *t->parts);
		error = part_open(&t->parts[t->n], r, i, off);
		if (error == -ESTALE)
			return error;		/* it was renamed since: those behind it must wait for it */
		if (error == -EIO && r->v[i].packed) {
			feed_tell(&t->feed, EXIT_TROUBLE, "%s: cannot be decompressed", r->v[i].path);
			feed_gap(&t->feed, NULL);
			continue;
		}
		if (error < 0) {
			try_again(t, -error);
			return error;
		}
		t->n++;
		tell_trouble(t, 0);
	}
	return 0;
}

/* The first of R that nothing was read of, where nothing was read of the current one. */
static size_t
first_unread(const struct tail *t, struct rotation *r)
{
	ssize_t i = t->here.n_tail ? rotation_find(r, &t->here) : -1;

	return i >= 0 ? (size_t)i + 1 : rotation_newer(r, t->here.mtime_ns);
}

/* List the files in R, and set K to the first behind the part LAST, or, where that is NULL, behind what was read. */
static int
list_unread(struct tail *t, const struct part *last, struct rotation *r, size_t *k)
{
	for (int i = 0; i < TRIES; i++) {
		int error = rotation_open(t->path, r);

		if (error < 0)
			return error;
		*k = last ? rotation_after(r, &last->at) : first_unread(t, r);
		if (!r->stale)
			return 0;
		rotation_release(r);
	}
	return -ESTALE;
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

	if (t->pinned || part_modified_ns(p) == p->opened_ns || list_unread(t, NULL, &r, &k) < 0)
		return true;
	if (k < r.n && !is_file(&r.v[k], p->at.dev, p->at.ino) && !is_anothers(t, &r, k)) {
		for (size_t i = k; i < r.n; i++)
			yes &= !is_file(&r.v[i], p->at.dev, p->at.ino);
		if (!yes) {
			drop_parts(t);
			t->names = add_parts(t, &r, k, 0) == -ESTALE;
		}
	}
	rotation_release(&r);
	return yes;
}

static void
watch_again(struct tail *t)
{
	if (t->watched)
		filewatch_renew(t->watched);
}

/* The path is a file that was not there before: the first one, or what came after the last. */
static void
find_next(struct tail *t)
{
	int error = -ESTALE;

	t->names = false;
	if (t->pinned)
		return;
	for (int i = 0; error == -ESTALE && i < TRIES; i++) {
		struct part *last = t->n ? &t->parts[t->n - 1] : NULL;
		struct rotation r;
		size_t k;

		if (last)
			last->at.mtime_ns = part_modified_ns(last);
		error = list_unread(t, last, &r, &k);
		if (error < 0)
			continue;
		error = add_parts(t, &r, k, 0);
		rotation_release(&r);
	}
	if (error < 0)
		try_again(t, -error);
	watch_again(t);
}

static bool
is_replaced(const struct tail *t)
{
	const struct part *last = &t->parts[t->n - 1];
	struct stat st;

	return !t->pinned && stat(t->path, &st) == 0 && (st.st_ino != last->at.ino || st.st_dev != last->at.dev);
}

/* List the files in R; returns which one holds the place AT, -1 for none. */
static ssize_t
list_place(const struct tail *t, struct rotation *r, const struct rotation_place *at)
{
	ssize_t k = -1;

	*r = (struct rotation){ .v = NULL };
	for (int i = 0; i < TRIES; i++) {
		rotation_release(r);
		if (rotation_open(t->path, r) < 0)
			return -1;
		k = at->n_tail ? rotation_find(r, at) : -1;
		if (!r->stale)
			break;
	}
	return k;
}

/* The first part is not what it was: a copy may be. */
static void
find_copy(struct tail *t)
{
	struct rotation_place at = t->parts[0].at;
	struct rotation r = { .v = NULL };
	ssize_t i = -1;

	drop_parts(t);
	if (t->pinned) {
		t->here.ino = 0;	/* what was copied over it belongs to another */
		return;
	}
	i = list_place(t, &r, &at);
	if (i >= 0) {
		add_parts(t, &r, (size_t)i, at.off);
	} else {
		feed_tell(&t->feed, EXIT_OK, "was truncated: reading it from its beginning");
		feed_gap(&t->feed, NULL);
		if (r.current)
			add_parts(t, &r, r.n - 1, 0);
	}
	rotation_release(&r);
	watch_again(t);
	t->names = true;
}

/* --- reading */

/* As part_read() of the first part, and taken; -EINTR where other parts come before it. */
static ssize_t
read_first(struct tail *t, char *to, size_t n, bool torn)
{
	struct part *p = &t->parts[0];
	ssize_t r = part_read(p, to, n, torn);

	if (r <= 0)
		return r;
	if (p->at.off == 0 && t->n == 1 && !torn && !is_first(t))
		return -EINTR;
	t->marks = xgrow(t->marks, t->n_marks, &t->marks_cap, sizeof *t->marks);
	t->marks[t->n_marks] = (struct mark){ t->given, p->at };
	part_take(p, to, (size_t)r);
	t->marks[t->n_marks++].at.mtime_ns = p->at.mtime_ns;
	t->here = p->at;
	return r;
}

/* Nothing more will come in the first part: what is left of it, and it is done. */
static ssize_t
finish_first(struct tail *t, char *to, size_t n)
{
	ssize_t r = read_first(t, to, n, true);
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
	for (size_t i = 1; i < t->n; i++)
		if (i + 1 < t->n || part_has_bytes(&t->parts[i]))
			return true;
	return false;
}

/* The end of the last part was reached: it need not stay open if it has no name, or was rotated before. */
static void
rest_at_end(struct tail *t)
{
	struct part *p = &t->parts[0];
	struct rlimit limit;
	bool scarce;

	if (t->n > 1 || t->feed.once)
		return;
	if (t->pinned && !part_has_bytes(p)) {
		t->here = p->at;
		drop_part(t);
		return;
	}
	if (t->unlinked.set || !(t->pinned || part_is_unlinked(p)))
		return;
	scarce = t->pinned || (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)p->fd > limit.rlim_cur / 2);
	loop_timer_set(t->feed.loop, &t->unlinked, scarce ? UNLINKED_SHORT_MS : UNLINKED_MS);
}

/* A pinned file that grew: open it again. */
static void
reopen_pinned(struct tail *t)
{
	struct part *p;
	struct stat st;
	int fd;

	if (t->n || !t->names || stat(t->path, &st) < 0 || st.st_ino != t->here.ino || st.st_dev != t->here.dev ||
	    st.st_size <= t->here.off)
		return;
	fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	t->parts = xgrow(t->parts, t->n, &t->cap, sizeof *t->parts);
	p = &t->parts[t->n++];
	*p = (struct part){ .fd = fd, .at = t->here, .opened_ns = t->here.mtime_ns, .whole = t->here.off,
	    .scanned = t->here.off, .last_newline = true };
}

static ssize_t
read_some(struct tail *t, char *to, size_t n)
{
	for (;;) {
		bool after;
		ssize_t r;

		if (t->n == 0 && t->names && t->pinned)
			reopen_pinned(t);
		if (t->n == 0 && t->names)
			find_next(t);
		if (t->n == 0)
			return -EAGAIN;
		/* First whether it has a successor, then its end: what was written before is then read. */
		after = goes_on(t) || t->close_first;
		r = read_first(t, to, n, false);
		if (r == 0 && after) {
			r = finish_first(t, to, n);
			if (r == 0)
				continue;
		}
		if (r == -ESTALE)
			find_copy(t);
		if (r == -ESTALE || r == -EINTR)
			continue;
		if (r != 0)
			return r;
		if (!t->names) {
			rest_at_end(t);
			return -EAGAIN;
		}
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

static bool
tail_ready(struct feed *f)
{
	struct tail *t = (struct tail *)f;

	if (t->n == 0 && t->pinned)
		reopen_pinned(t);
	else if (t->n == 0 || (t->names && is_replaced(t)))
		find_next(t);
	for (size_t i = 0; i < t->n; i++)
		if (part_has_bytes(&t->parts[i]) && (part_has_line(&t->parts[i]) || i + 1 < t->n || t->close_first))
			return true;
	if (t->close_first)
		drop_part(t);		/* it is empty: what comes next tells the format */
	else if (t->n)
		rest_at_end(t);
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

/* --- events */

static void
path_changed(bool names, void *cookie)
{
	struct tail *t = cookie;

	t->names |= names || t->pinned;
	feed_wake(&t->feed);
}

static void
open_again(void *cookie)
{
	path_changed(true, cookie);
}

static void
close_time_over(void *cookie)
{
	struct tail *t = cookie;

	t->close_first = t->n == 1 && (t->pinned || part_is_unlinked(&t->parts[0]));
	feed_wake(&t->feed);
}

/* --- start and end */

/* Is what the path leads to the rotated file of another log, whose tail reads it? */
static bool
is_current_anothers(const struct tail *t, struct rotation *r)
{
	return r->current && is_anothers(t, r, r->n - 1);
}

/* Go on where the run before was. */
static void
resume(struct tail *t)
{
	struct rotation r;
	ssize_t i = list_place(t, &r, &t->here);
	int error = 0;

	if (i >= 0) {
		int64_t off = t->here.off + t->skip;

		/* A newline that stood for a torn end is not in the file. */
		error = add_parts(t, &r, (size_t)i, off < r.v[i].size ? off : r.v[i].size);
		if (t->n)
			t->here = t->parts[0].at;
		t->skip = 0;
	} else if (!t->pinned) {
		if (t->here.n_tail && !is_current_anothers(t, &r)) {
			feed_tell(&t->feed, EXIT_OK, "what was read last is not there any more: something may be missing");
			feed_gap(&t->feed, NULL);
		}
		error = add_parts(t, &r, rotation_newer(&r, t->here.mtime_ns), 0);
	}
	rotation_release(&r);
	if (error == -ESTALE)
		find_next(t);
}

/* The file itself, without its rotated siblings: those are of the time before. */
static void
tail_begin(struct tail *t)
{
	struct rotation one = { .v = xcalloc(1, sizeof *one.v), .n = 1, .current = true };
	struct stat st;

	if (stat(t->path, &st) == 0) {
		one.v[0] = (struct rotation_file){ .fd = -1, .path = xstrdup(t->path), .dev = st.st_dev, .ino = st.st_ino,
		    .size = st.st_size, .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec };
		add_parts(t, &one, 0, 0);
	} else {
		one.n = 0;
		try_again(t, errno);
	}
	rotation_release(&one);
}

static int
check_path(struct tail *t, struct fail *why)
{
	struct stat st;
	int r = stat(t->path, &st) == 0 ? own_output_check(&st, t->path, why) : 0;

	if (r < 0)
		return r;
	if (stat(t->path, &st) == 0 && S_ISDIR(st.st_mode))
		return fail_errno(why, EISDIR, "%s", t->path);
	if (access(t->path, R_OK) == 0)
		return 0;
	if (t->feed.once || errno == ELOOP || errno == ENAMETOOLONG)
		return fail_errno(why, errno, "%s", t->path);
	if (errno == ENOENT || errno == ENOTDIR)
		feed_tell(&t->feed, EXIT_OK, "is not there yet");
	return 0;
}

static int
tail_start(struct feed *f, struct fail *why)
{
	struct tail *t = (struct tail *)f;
	struct timespec now;
	int r = check_path(t, why);

	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (!t->restored)
		t->here.mtime_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	if (!f->once)
		t->watched = filewatch_add(t->all->filewatch, t->path, FILEWATCH_CONTENT | FILEWATCH_PATH, path_changed, t);
	if (t->restored)
		resume(t);
	else
		tail_begin(t);
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
	int64_t more = 0;

	if (t->given == 0)
		more = t->skip;
	else if (t->passed < t->given && t->n_marks)
		more = t->passed - t->marks[0].stream;
	rotation_save(t->passed == t->given || !t->n_marks ? &t->here : &t->marks[0].at, state);
	json_set(state, "and", json_number((double)more));
}

static int
tail_restore(struct feed *f, struct json state, struct fail *why)
{
	struct tail *t = (struct tail *)f;
	_cleanup_json_ struct json and = json_get(state, "and");
	int r = rotation_restore(&t->here, state);

	if (r < 0)
		return fail_set(why, EXIT_TROUBLE, "%s: the saved state is damaged", t->path);
	t->restored = r > 0;
	json_get_whole(and, &t->skip);
	return 0;
}

static void
tail_free(struct feed *f)
{
	struct tail *t = (struct tail *)f;
	struct tails *all = t->all;
	size_t i = 0;

	while (all->v[i] != t)
		i++;
	all->v[i] = all->v[--all->n];
	if (t->watched)
		filewatch_remove(t->watched);
	if (f->loop) {
		loop_timer_stop(f->loop, &t->again);
		loop_timer_stop(f->loop, &t->unlinked);
	}
	drop_parts(t);
	free(t->parts);
	free(t->marks);
	free(t->path);
	feed_release(f);
	free(t);
}

struct feed *
tail_new(const char *path, struct tails *all)
{
	static const struct feed_ops ops = { .start = tail_start, .read = tail_read, .ready = tail_ready,
	    .ack = tail_ack, .save = tail_save, .restore = tail_restore, .sample = tail_sample,
	    .free = tail_free };
	struct tail *t = xcalloc(1, sizeof *t);

	feed_init(&t->feed, &ops, path);
	t->path = xstrdup(path);
	t->all = all;
	t->again = (struct loop_timer){ .fn = open_again, .cookie = t };
	t->unlinked = (struct loop_timer){ .fn = close_time_over, .cookie = t };
	all->v = xgrow(all->v, all->n, &all->cap, sizeof(struct tail *));
	all->v[all->n++] = t;
	return &t->feed;
}

struct feed *
tail_new_pinned(const char *path, struct tails *all)
{
	struct feed *f = tail_new(path, all);

	((struct tail *)f)->pinned = true;
	return f;
}
