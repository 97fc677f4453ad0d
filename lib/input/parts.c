#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "input/parts.h"

enum {
	TRIES = 20,		/* listings of a directory whose names are moved on meanwhile */
	RETRY_MS = 500,
};

/* --- which file belongs to which list */

static bool
is_file(const struct rotation_file *f, dev_t dev, ino_t ino)
{
	return f->ino == ino && f->dev == dev;
}

/* Is file I of R one that LIST reads or has read? */
static bool
has_read(const struct parts *list, struct rotation *r, size_t i)
{
	const struct rotation_file *f = &r->v[i];

	for (size_t k = 0; k < list->n; k++)
		if (is_file(f, list->v[k].at.dev, list->v[k].at.ino))
			return true;
	for (size_t k = 0; k < list->n_read && k < PARTS_READ; k++) {
		const struct rotation_place *at = &list->read[k];

		/* The number alone may be that of a file that was made since. */
		if (is_file(f, at->dev, at->ino) && at->n_tail && rotation_fd(r, i) >= 0 && rotation_holds(f->fd, at))
			return true;
	}
	return false;
}

/* Is file I of R what the path of LIST leads to now? */
static bool
is_named(const struct parts *list, const struct rotation *r, size_t i)
{
	struct stat st;

	return !list->pinned && stat(list->path, &st) == 0 && is_file(&r->v[i], st.st_dev, st.st_ino);
}

/* Does file I of R, which LIST would read, belong to another list?  One file may be followed under two names. */
static bool
is_anothers(const struct parts *list, struct rotation *r, size_t i)
{
	const bool mine = r->current && i == r->n - 1;

	for (size_t k = 0; k < list->all->n; k++) {
		const struct parts *u = list->all->v[k];

		if (u == list)
			continue;
		if (mine ? has_read(u, r, i) && !is_named(u, r, i) : is_named(u, r, i) || (u->pinned && has_read(u, r, i)))
			return true;
	}
	return false;
}

/* --- opening them */

static void
tell_trouble(struct parts *list, int error)
{
	if (error == list->trouble)
		return;
	if (error == 0 && list->trouble != ENOENT)
		feed_tell(list->feed, EXIT_OK, "can be read now");
	else if (error == EMFILE || error == ENFILE)
		feed_tell(list->feed, EXIT_TROUBLE, "%s: raise the limit of open files (ulimit -n)", strerror(error));
	else if (error != 0 && error != ENOENT)
		feed_tell(list->feed, EXIT_TROUBLE, "%s; trying again", strerror(error));
	list->trouble = error;
}

/* What cannot be opened now is tried again. */
static void
try_again(struct parts *list, int error)
{
	tell_trouble(list, error);
	if (!list->again.set && error != ENOENT)
		loop_timer_set(list->feed->loop, &list->again, RETRY_MS);
}

void
parts_drop_first(struct parts *list)
{
	list->read[list->n_read++ % PARTS_READ] = list->v[0].at;
	io_closep(&list->v[0].fd);
	memmove(list->v, list->v + 1, --list->n * sizeof *list->v);
	list->close_first = false;
	if (list->feed->loop)
		loop_timer_stop(list->feed->loop, &list->unlinked);
}

void
parts_close(struct parts *list)
{
	for (size_t i = 0; i < list->n; i++)
		io_closep(&list->v[i].fd);
	list->n = 0;
}

/* Add all files of R from the one at FROM on, the first at OFF, up to one that cannot be opened. */
static int
add_parts(struct parts *list, struct rotation *r, size_t from, int64_t off)
{
	for (size_t i = from; i < r->n; i++, off = 0) {
		int error;

		if ((i > from || off == 0) && is_anothers(list, r, i))
			continue;
		list->v = xgrow(list->v, list->n, &list->cap, sizeof *list->v);
		error = part_open(&list->v[list->n], r, i, off);
		if (error == -ESTALE)
			return error;		/* it was renamed since: those behind it must wait for it */
		if (error == -EIO && r->v[i].packed) {
			feed_tell(list->feed, EXIT_TROUBLE, "%s: cannot be decompressed", r->v[i].path);
			feed_gap(list->feed, NULL);
			continue;
		}
		if (error < 0) {
			try_again(list, -error);
			return error;
		}
		list->n++;
		tell_trouble(list, 0);
	}
	return 0;
}

/* The first of R that nothing was read of, where nothing was read of the current one. */
static size_t
first_unread(const struct parts *list, struct rotation *r)
{
	ssize_t i = list->here.n_tail ? rotation_find(r, &list->here) : -1;

	return i >= 0 ? (size_t)i + 1 : rotation_newer(r, list->here.mtime_ns);
}

/* List the files in R, and set K to the first behind the part LAST, or, where that is NULL, behind what was read. */
static int
list_unread(struct parts *list, const struct part *last, struct rotation *r, size_t *k)
{
	for (int i = 0; i < TRIES; i++) {
		int error = rotation_open(list->path, r);

		if (error < 0)
			return error;
		*k = last ? rotation_after(r, &last->at) : first_unread(list, r);
		if (!r->stale)
			return 0;
		rotation_release(r);
	}
	return -ESTALE;
}

bool
parts_is_first(struct parts *list)
{
	struct part *p = &list->v[0];
	struct rotation r;
	bool yes = true;
	size_t k;

	if (list->pinned || part_modified_ns(p) == p->opened_ns || list_unread(list, NULL, &r, &k) < 0)
		return true;
	if (k < r.n && !is_file(&r.v[k], p->at.dev, p->at.ino) && !is_anothers(list, &r, k)) {
		for (size_t i = k; i < r.n; i++)
			yes &= !is_file(&r.v[i], p->at.dev, p->at.ino);
		if (!yes) {
			parts_close(list);
			list->names = add_parts(list, &r, k, 0) == -ESTALE;
		}
	}
	rotation_release(&r);
	return yes;
}

static void
watch_again(struct parts *list)
{
	if (list->watched)
		filewatch_renew(list->watched);
}

void
parts_find_next(struct parts *list)
{
	int error = -ESTALE;

	list->names = false;
	if (list->pinned)
		return;
	for (int i = 0; error == -ESTALE && i < TRIES; i++) {
		struct part *last = list->n ? &list->v[list->n - 1] : NULL;
		struct rotation r;
		size_t k;

		if (last)
			last->at.mtime_ns = part_modified_ns(last);
		error = list_unread(list, last, &r, &k);
		if (error < 0)
			continue;
		error = add_parts(list, &r, k, 0);
		rotation_release(&r);
	}
	if (error < 0)
		try_again(list, -error);
	watch_again(list);
}

bool
parts_is_replaced(const struct parts *list)
{
	const struct part *last = &list->v[list->n - 1];
	struct stat st;

	return !list->pinned && stat(list->path, &st) == 0 && (st.st_ino != last->at.ino || st.st_dev != last->at.dev);
}

/* List the files in R; returns which one holds the place AT, -1 for none. */
static ssize_t
list_place(const struct parts *list, struct rotation *r, const struct rotation_place *at)
{
	ssize_t k = -1;

	*r = (struct rotation){ .v = NULL };
	for (int i = 0; i < TRIES; i++) {
		rotation_release(r);
		if (rotation_open(list->path, r) < 0)
			return -1;
		k = at->n_tail ? rotation_find(r, at) : -1;
		if (!r->stale)
			break;
	}
	return k;
}

void
parts_find_copy(struct parts *list)
{
	struct rotation_place at = list->v[0].at;
	struct rotation r = { .v = NULL };
	ssize_t i = -1;

	parts_close(list);
	if (list->pinned) {
		list->here.ino = 0;	/* what was copied over it belongs to another */
		return;
	}
	i = list_place(list, &r, &at);
	if (i >= 0) {
		add_parts(list, &r, (size_t)i, at.off);
	} else {
		feed_tell(list->feed, EXIT_OK, "was truncated: reading it from its beginning");
		feed_gap(list->feed, NULL);
		if (r.current)
			add_parts(list, &r, r.n - 1, 0);
	}
	rotation_release(&r);
	watch_again(list);
	list->names = true;
}

void
parts_reopen(struct parts *list)
{
	struct part *p;
	struct stat st;
	int fd;

	if (list->n || !list->names || stat(list->path, &st) < 0 || st.st_ino != list->here.ino ||
	    st.st_dev != list->here.dev || st.st_size <= list->here.off)
		return;
	fd = open(list->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	list->v = xgrow(list->v, list->n, &list->cap, sizeof *list->v);
	p = &list->v[list->n++];
	*p = (struct part){ .fd = fd, .at = list->here, .opened_ns = list->here.mtime_ns, .whole = list->here.off,
	    .scanned = list->here.off, .last_newline = true };
}

/* Is what the path leads to the rotated file of another log, whose tail reads it? */
static bool
is_current_anothers(const struct parts *list, struct rotation *r)
{
	return r->current && is_anothers(list, r, r->n - 1);
}

bool
parts_resume(struct parts *list, int64_t more)
{
	struct rotation r;
	ssize_t i = list_place(list, &r, &list->here);
	int error = 0;

	if (i >= 0) {
		const int64_t off = list->here.off + more;

		/* A newline that stood for a torn end is not in the file. */
		error = add_parts(list, &r, (size_t)i, off < r.v[i].size ? off : r.v[i].size);
		if (list->n)
			list->here = list->v[0].at;
	} else if (!list->pinned) {
		if (list->here.n_tail && !is_current_anothers(list, &r)) {
			feed_tell(list->feed, EXIT_OK, "what was read last is not there any more: something may be missing");
			feed_gap(list->feed, NULL);
		}
		error = add_parts(list, &r, rotation_newer(&r, list->here.mtime_ns), 0);
	}
	rotation_release(&r);
	if (error == -ESTALE)
		parts_find_next(list);
	return i >= 0;
}

void
parts_begin(struct parts *list)
{
	struct rotation one = { .v = xcalloc(1, sizeof *one.v), .n = 1, .current = true };
	struct stat st;

	if (stat(list->path, &st) == 0) {
		one.v[0] = (struct rotation_file){ .fd = -1, .path = xstrdup(list->path), .dev = st.st_dev, .ino = st.st_ino,
		    .size = st.st_size, .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec };
		add_parts(list, &one, 0, 0);
	} else {
		one.n = 0;
		try_again(list, errno);
	}
	rotation_release(&one);
}

void
parts_init(struct parts *list, const char *path, struct feed *feed, struct tails *all)
{
	list->feed = feed;
	list->path = path;
	list->all = all;
	all->v = xgrow(all->v, all->n, &all->cap, sizeof(struct parts *));
	all->v[all->n++] = list;
}

void
parts_release(struct parts *list)
{
	struct tails *all = list->all;
	size_t i = 0;

	while (all->v[i] != list)
		i++;
	all->v[i] = all->v[--all->n];
	if (list->watched)
		filewatch_remove(list->watched);
	if (list->feed->loop) {
		loop_timer_stop(list->feed->loop, &list->again);
		loop_timer_stop(list->feed->loop, &list->unlinked);
	}
	parts_close(list);
	free(list->v);
}
