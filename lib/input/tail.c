#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "input/own_output.h"
#include "input/parts.h"
#include "input/tail.h"

enum {
	UNLINKED_MS = 5000,	/* for so long a file without a name may still be written to by a program that has it open */
	UNLINKED_SHORT_MS = 100,	/* the same where descriptors are scarce */
};

/* The feed's bytes from STREAM on were read at this place. */
struct mark {
	int64_t stream;
	struct rotation_place at;
};

struct tail {
	struct feed feed;
	char *path;
	struct parts parts;
	bool restored;
	int64_t given, passed;
	struct mark *marks;		/* from the one before PASSED on */
	size_t n_marks, marks_cap;
	int64_t skip;			/* so much behind its restored place had passed, too */
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

/* --- reading */

/* As part_read() of the first part, and taken; -EINTR where other parts come before it. */
static ssize_t
read_first(struct tail *t, char *to, size_t n, bool torn)
{
	struct part *p = &t->parts.v[0];
	ssize_t r = part_read(p, to, n, torn);

	if (r <= 0)
		return r;
	if (p->at.off == 0 && t->parts.n == 1 && !torn && !parts_is_first(&t->parts))
		return -EINTR;
	t->marks = xgrow(t->marks, t->n_marks, &t->marks_cap, sizeof *t->marks);
	t->marks[t->n_marks] = (struct mark){ t->given, p->at };
	part_take(p, to, (size_t)r);
	t->marks[t->n_marks++].at.mtime_ns = p->at.mtime_ns;
	t->parts.here = p->at;
	return r;
}

/* Nothing more will come in the first part: what is left of it, and it is done. */
static ssize_t
finish_first(struct tail *t, char *to, size_t n)
{
	ssize_t r = read_first(t, to, n, true);
	bool torn = !t->parts.v[0].last_newline;

	if (r != 0)
		return r;
	parts_drop_first(&t->parts);
	if (!torn)
		return 0;
	*to = '\n';
	return 1;
}

/* Is there anything to read behind the first part? */
static bool
has_later_bytes(const struct tail *t)
{
	for (size_t i = 1; i < t->parts.n; i++)
		if (i + 1 < t->parts.n || part_has_bytes(&t->parts.v[i]))
			return true;
	return false;
}

/* The end of the last part was reached: it need not stay open if it has no name, or was rotated before. */
static void
rest_at_end(struct tail *t)
{
	struct part *p = &t->parts.v[0];
	struct rlimit limit;
	bool scarce;

	if (t->parts.n > 1 || t->feed.once)
		return;
	if (t->parts.pinned && !part_has_bytes(p)) {
		t->parts.here = p->at;
		parts_drop_first(&t->parts);
		return;
	}
	if (t->parts.unlinked.set || !(t->parts.pinned || part_is_unlinked(p)))
		return;
	scarce = t->parts.pinned || (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)p->fd > limit.rlim_cur / 2);
	loop_timer_set(t->feed.loop, &t->parts.unlinked, scarce ? UNLINKED_SHORT_MS : UNLINKED_MS);
}

static ssize_t
read_some(struct tail *t, char *to, size_t n)
{
	for (;;) {
		bool after;
		ssize_t r;

		if (t->parts.n == 0 && t->parts.names && t->parts.pinned)
			parts_reopen(&t->parts);
		if (t->parts.n == 0 && t->parts.names)
			parts_find_next(&t->parts);
		if (t->parts.n == 0)
			return -EAGAIN;
		/* First whether it has a successor, then its end: what was written before is then read. */
		after = has_later_bytes(t) || t->parts.close_first;
		r = read_first(t, to, n, false);
		if (r == 0 && after) {
			r = finish_first(t, to, n);
			if (r == 0)
				continue;
		}
		if (r == -ESTALE)
			parts_find_copy(&t->parts);
		if (r == -ESTALE || r == -EINTR)
			continue;
		if (r != 0)
			return r;
		if (!t->parts.names) {
			rest_at_end(t);
			return -EAGAIN;
		}
		t->parts.names = false;
		if (parts_is_replaced(&t->parts))
			parts_find_next(&t->parts);
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

	if (t->parts.n == 0 && t->parts.pinned)
		parts_reopen(&t->parts);
	else if (t->parts.n == 0 || (t->parts.names && parts_is_replaced(&t->parts)))
		parts_find_next(&t->parts);
	for (size_t i = 0; i < t->parts.n; i++)
		if (part_has_bytes(&t->parts.v[i]) &&
		    (part_has_line(&t->parts.v[i]) || i + 1 < t->parts.n || t->parts.close_first))
			return true;
	if (t->parts.close_first)
		parts_drop_first(&t->parts);	/* it is empty: what comes next tells the format */
	else if (t->parts.n)
		rest_at_end(t);
	return f->once;
}

static ssize_t
tail_sample(struct feed *f, char *to, size_t n)
{
	const struct tail *t = (const struct tail *)f;
	ssize_t r = 0;

	for (size_t i = 0; i < t->parts.n && r == 0; i++)
		r = pread(t->parts.v[i].fd, to, n, 0);
	return r < 0 ? -errno : r;
}

/* --- events */

static void
path_changed(bool names, void *cookie)
{
	struct tail *t = cookie;

	t->parts.names |= names || t->parts.pinned;
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

	t->parts.close_first = t->parts.n == 1 && (t->parts.pinned || part_is_unlinked(&t->parts.v[0]));
	feed_wake(&t->feed);
}

/* --- start and end */

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
		t->parts.here.mtime_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	if (!f->once)
		t->parts.watched = filewatch_add(t->parts.all->filewatch, t->path, FILEWATCH_CONTENT | FILEWATCH_PATH,
		    path_changed, t);
	if (!t->restored)
		parts_begin(&t->parts);
	else if (parts_resume(&t->parts, t->skip))
		t->skip = 0;
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
	rotation_save(t->passed == t->given || !t->n_marks ? &t->parts.here : &t->marks[0].at, state);
	json_set(state, "and", json_number((double)more));
}

static int
tail_restore(struct feed *f, struct json state, struct fail *why)
{
	struct tail *t = (struct tail *)f;
	_cleanup_json_ struct json and = json_get(state, "and");
	int r = rotation_restore(&t->parts.here, state);

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

	parts_release(&t->parts);
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
	parts_init(&t->parts, t->path, &t->feed, all);
	t->parts.again = (struct loop_timer){ .fn = open_again, .cookie = t };
	t->parts.unlinked = (struct loop_timer){ .fn = close_time_over, .cookie = t };
	return &t->feed;
}

struct feed *
tail_new_pinned(const char *path, struct tails *all)
{
	struct feed *f = tail_new(path, all);

	((struct tail *)f)->parts.pinned = true;
	return f;
}
