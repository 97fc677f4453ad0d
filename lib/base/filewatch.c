#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/filewatch.h"
#include "base/inotify.h"
#include "base/io.h"
#include "base/xalloc.h"

enum {
	CONTENT_EVENTS = IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF,
	WAY_EVENTS = IN_MOVE_SELF | IN_DELETE_SELF | IN_DONT_FOLLOW | IN_ONLYDIR,
	NAME_EVENTS = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
	WAY_MAX = 64,	/* directories on one way */
	LINKS_MAX = 40,	/* as many as the kernel follows */
};

/* A directory on the way to a file, and the name by which the way goes on. */
struct way {
	int wd;
	char *next;
};

/* What a poll compares. */
struct file_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct filewatch_item {
	struct filewatch *owner;
	char *path, *dir;
	const char *name;		/* of PATH in DIR */
	int flags;
	bool polled;
	bool removed;			/* since filewatch_take_removed() */
	int wd, old_wd, dir_wd;		/* -1 for none */
	struct way way[WAY_MAX];	/* of FILEWATCH_PATH */
	size_t n_way;
	struct file_stamp seen;
	filewatch_fn *fn;
	void *cookie;
};

struct filewatch {
	struct loop *loop;
	int fd;				/* -1: no inotify instance */
	int error;			/* of inotify; 0 for none */
	int mounts_fd;			/* /proc/self/mountinfo, once an item needs it; else -1 */
	int64_t poll_ms;
	struct filewatch_item **items;
	size_t n, cap;
	struct loop_timer poll;
};

static const unsigned long overlay = 0x794c7630;

/* The type of the file system of DIR, as in linux/magic.h; 0 if unknown. */
static unsigned long
file_system_of(const char *dir)
{
	struct statfs fs;

	return statfs(dir, &fs) < 0 ? 0 : (unsigned long)fs.f_type;
}

bool
filewatch_is_silent(const char *dir)
{
	/* NFS, SMB, CIFS, SMB2, AFS, Coda, Ceph, 9P, FUSE; and what the kernel itself changes: sysfs, procfs */
	static const unsigned long quiet[] = { 0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x73757245,
	    0xc36400, 0x01021997, 0x65735546, 0x62656572, 0x9fa0 };
	const unsigned long type = file_system_of(dir);

	for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
		if (type == quiet[i])
			return true;
	return false;
}

static bool
is_used(const struct filewatch *w, int wd)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct filewatch_item *p = w->items[i];

		if (p->wd == wd || p->old_wd == wd || p->dir_wd == wd)
			return true;
		for (size_t k = 0; k < p->n_way; k++)
			if (p->way[k].wd == wd)
				return true;
	}
	return false;
}

static void
drop_watch(struct filewatch *w, int wd)
{
	if (wd >= 0 && w->fd >= 0 && !is_used(w, wd))
		inotify_unwatch(w->fd, wd);
}

/* --- the way to a file */

static bool
is_mount_point(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &st) == 0 &&
	    (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/*
 * Watch the directory DIR for NEXT; where that does not work the item is polled.
 * In a sticky directory, such as /tmp, names come and go all the time: what is
 * there is watched itself instead, as the next step.
 */
static void
watch_step(struct filewatch_item *p, const char *dir, const char *next)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, next);
	struct stat st, there;
	bool is_busy = stat(dir, &st) == 0 && (st.st_mode & S_ISVTX) && lstat(path, &there) == 0 &&
	    S_ISDIR(there.st_mode);
	uint32_t mask = is_busy ? WAY_EVENTS : WAY_EVENTS | NAME_EVENTS;
	int wd = p->n_way < WAY_MAX ? inotify_watch(p->owner->fd, dir, mask) : -ENOSPC;

	if (wd == -ENOSPC)
		p->owner->error = wd;
	if (wd < 0)
		p->polled = true;
	else
		p->way[p->n_way++] = (struct way){ wd, xstrdup(next) };
}

/* A path that is being resolved: DONE is so far, without links; LEFT is still to come. */
struct resolution {
	char done[PATH_MAX], left[PATH_MAX];
	int links;
};

/* LEFT without its first component, which is copied to NAME; false at the end. */
static bool
next_component(struct resolution *r, char name[NAME_MAX + 1])
{
	const char *s = r->left + strspn(r->left, "/");
	size_t len = strcspn(s, "/");

	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(name, s, len);
	name[len] = '\0';
	memmove(r->left, s + len, strlen(s + len) + 1);
	return true;
}

/* DONE/NAME is a link: what it points to is to come first. */
static bool
follow_link(struct resolution *r, const char *path)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof target - 1);

	if (n < 0 || ++r->links > LINKS_MAX)
		return false;
	target[n] = '\0';
	if (snprintf(rest, sizeof rest, "%s%s", target, r->left) >= (int)sizeof rest)
		return false;
	memcpy(r->left, rest, sizeof rest);
	if (*target == '/')
		*r->done = '\0';
	return true;
}

static bool
begin_resolution(struct resolution *r, const char *path)
{
	char cwd[PATH_MAX];

	r->links = 0;
	*r->done = '\0';
	if (*path == '/')
		return snprintf(r->left, sizeof r->left, "%s", path) < (int)sizeof r->left;
	return getcwd(cwd, sizeof cwd) &&
	    snprintf(r->left, sizeof r->left, "%s/%s", cwd, path) < (int)sizeof r->left;
}

/*
 * Watch each directory on the way, as the kernel resolves it.  A directory is
 * watched before the next component is read in it, so one that is replaced
 * meanwhile is reported.
 */
static void
watch_way(struct filewatch_item *p)
{
	char name[NAME_MAX + 1], path[PATH_MAX];
	struct resolution r;
	struct stat st;

	if (!begin_resolution(&r, p->path)) {
		p->polled = true;
		return;
	}
	while (next_component(&r, name)) {
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			*(strrchr(r.done, '/') ? strrchr(r.done, '/') : r.done) = '\0';
			continue;
		}
		watch_step(p, *r.done ? r.done : "/", name);
		if (snprintf(path, sizeof path, "%s/%s", r.done, name) >= (int)sizeof path ||
		    lstat(path, &st) < 0)
			return;		/* it is not there yet */
		if (S_ISLNK(st.st_mode)) {
			p->polled = true;
			if (!follow_link(&r, path))
				return;
			continue;
		}
		p->polled |= is_mount_point(path);
		if (!S_ISDIR(st.st_mode))
			return;
		memcpy(r.done, path, sizeof path);
	}
}

/* --- arming */

static struct file_stamp
read_stamp(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? (struct file_stamp){ 0 } :
	    (struct file_stamp){ st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim };
}

static bool
is_same_stamp(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
	    a->ctime.tv_sec == b->ctime.tv_sec && a->ctime.tv_nsec == b->ctime.tv_nsec;
}

static void
item_arm(struct filewatch_item *p)
{
	struct filewatch *w = p->owner;
	const int old_dir = p->dir_wd, old_file = p->wd, older_file = p->old_wd;
	struct way old[WAY_MAX];
	size_t n_old = p->n_way;

	/* in an overlay the first write makes another file of it */
	p->polled = w->fd < 0 || filewatch_is_silent(p->dir) || file_system_of(p->dir) == overlay;
	if (w->fd < 0)
		return;
	memcpy(old, p->way, sizeof old);
	p->n_way = 0;
	if (p->flags & FILEWATCH_PATH)
		watch_way(p);
	p->dir_wd = inotify_watch_parent(w->fd, p->path);
	if (p->dir_wd == -ENOSPC)
		w->error = p->dir_wd;
	/* the way tells when a missing directory is made */
	p->polled |= p->dir_wd < 0 && !(p->flags & FILEWATCH_PATH && p->dir_wd == -ENOENT);
	if (p->flags & FILEWATCH_CONTENT) {
		p->wd = inotify_watch(w->fd, p->path, CONTENT_EVENTS);
		/* where it does not exist, its directory reports it */
		p->polled |= p->wd < 0 && p->wd != -ENOENT;
	}
	if (p->wd != old_file && old_file >= 0) {
		p->old_wd = old_file;	/* it may be written to until its writer opens the new one */
		if (older_file != old_file)
			drop_watch(w, older_file);
	}
	if (old_dir != p->dir_wd)
		drop_watch(w, old_dir);
	for (size_t i = 0; i < n_old; i++) {
		drop_watch(w, old[i].wd);
		free(old[i].next);
	}
}

static void
arm_poll(struct filewatch *w)
{
	bool any = false;

	for (size_t i = 0; i < w->n; i++)
		any |= w->items[i]->polled;
	if (any && !w->poll.set)
		loop_timer_set(w->loop, &w->poll, w->poll_ms);
	else if (!any)
		loop_timer_stop(w->loop, &w->poll);
}

/*
 * Without an event: has anything happened to it?  Content may change without its
 * times telling, and without FILEWATCH_PATH the path may be a pattern.
 */
static void
item_examine(struct filewatch_item *p)
{
	struct file_stamp now = read_stamp(p->path);
	bool same = p->flags == FILEWATCH_PATH && is_same_stamp(&now, &p->seen);

	item_arm(p);
	p->removed |= p->seen.ino != 0 && now.ino == 0;
	p->seen = now;
	if (!same)
		p->fn(true, p->cookie);
}

static void
poll_items(void *cookie)
{
	struct filewatch *w = cookie;

	for (size_t i = 0; i < w->n; i++)
		if (w->items[i]->polled)
			item_examine(w->items[i]);
	arm_poll(w);
}

static void
mounts_changed(int fd, short events, void *cookie)
{
	struct filewatch *w = cookie;

	(void)fd, (void)events;
	for (size_t i = 0; i < w->n; i++)
		if (w->items[i]->flags & FILEWATCH_PATH)
			item_examine(w->items[i]);
	arm_poll(w);
}

/* --- events */

static bool
is_on_way(const struct filewatch_item *p, int wd, const char *name)
{
	for (size_t i = 0; i < p->n_way; i++)
		if (p->way[i].wd == wd && (!*name || strcmp(p->way[i].next, name) == 0))
			return true;
	return false;
}

/* WD is no watch any more: its inode is gone, or it was removed by us. */
static void
forget_watch(struct filewatch_item *p, int wd)
{
	if (p->wd == wd)
		p->wd = -1;
	if (p->old_wd == wd)
		p->old_wd = -1;
	if (p->dir_wd == wd) {
		p->dir_wd = -1;
		p->polled = true;
	}
	for (size_t i = 0; i < p->n_way; i++)
		if (p->way[i].wd == wd) {
			free(p->way[i].next);
			p->way[i--] = p->way[--p->n_way];
		}
}

/* Does the event remove NAME, which is the file or the next step on its way, or the directory itself? */
static bool
is_removal(const struct filewatch_item *p, int wd, uint32_t mask, const char *name)
{
	if (mask & (IN_DELETE | IN_MOVED_FROM))
		return is_on_way(p, wd, name) || (p->dir_wd == wd && strcmp(name, p->name) == 0);
	return (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) && is_on_way(p, wd, name);
}

static void
item_event(struct filewatch_item *p, int wd, uint32_t mask, const char *name)
{
	const bool lost = wd < 0, own_name = strncmp(name, p->name, strlen(p->name)) == 0;
	const bool is_file = !lost && (p->wd == wd || p->old_wd == wd);
	const bool is_way = !lost && is_on_way(p, wd, name);
	/* other files of the directory do not matter; names that a rotation gives to this one do */
	const bool is_dir = lost || (p->dir_wd == wd && (!p->flags || !*name || own_name));

	if (!is_file && !is_dir && !is_way)
		return;
	p->removed |= lost || is_removal(p, wd, mask, name);
	if (mask & IN_IGNORED)
		forget_watch(p, wd);
	if (p->flags & FILEWATCH_PATH) {
		if (lost || is_way || (mask & IN_IGNORED))
			item_arm(p);
		p->seen = read_stamp(p->path);
	}
	p->fn(is_dir || is_way || (mask & ~(uint32_t)IN_MODIFY), p->cookie);
}

static void
on_event(int wd, uint32_t mask, const char *name, void *cookie)
{
	struct filewatch *w = cookie;

	for (size_t i = 0; i < w->n; i++)
		item_event(w->items[i], wd, mask, name);
}

static void
events_ready(int fd, short events, void *cookie)
{
	struct filewatch *w = cookie;

	(void)events;
	inotify_dispatch(fd, on_event, w);
	arm_poll(w);
}

/* --- */

struct filewatch *
filewatch_new(struct loop *l, int64_t poll_ms)
{
	struct filewatch *w = xcalloc(1, sizeof *w);

	*w = (struct filewatch){ .loop = l, .fd = inotify_open(), .mounts_fd = -1, .poll_ms = poll_ms,
	    .poll = { .fn = poll_items, .cookie = w } };
	if (w->fd >= 0)
		loop_watch(l, w->fd, POLLIN, events_ready, w);
	else
		w->error = w->fd;
	return w;
}

static void
unwatch_fd(struct filewatch *w, int *fd)
{
	if (*fd >= 0)
		loop_unwatch(w->loop, *fd);
	io_closep(fd);
	*fd = -1;
}

void
filewatch_free(struct filewatch *w)
{
	if (!w)
		return;
	loop_timer_stop(w->loop, &w->poll);
	unwatch_fd(w, &w->fd);
	unwatch_fd(w, &w->mounts_fd);
	while (w->n)
		filewatch_remove(w->items[w->n - 1]);
	free(w->items);
	free(w);
}

/* poll(2) on it reports POLLPRI when a mount was added or removed: proc(5). */
static void
watch_mounts(struct filewatch *w)
{
	if (w->mounts_fd >= 0)
		return;
	w->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (w->mounts_fd >= 0)
		loop_watch(w->loop, w->mounts_fd, POLLPRI, mounts_changed, w);
}

struct filewatch_item *
filewatch_add(struct filewatch *w, const char *path, int flags, filewatch_fn *fn, void *cookie)
{
	struct filewatch_item *p = xcalloc(1, sizeof *p);
	_cleanup_free_ char *copy = xstrdup(path);
	const char *slash;

	*p = (struct filewatch_item){ .owner = w, .path = xstrdup(path), .dir = xstrdup(dirname(copy)),
	    .flags = flags, .wd = -1, .old_wd = -1, .dir_wd = -1, .fn = fn, .cookie = cookie };
	slash = strrchr(p->path, '/');
	p->name = slash ? slash + 1 : p->path;
	w->items = xgrow(w->items, w->n, &w->cap, sizeof *w->items);
	w->items[w->n++] = p;
	if (flags & FILEWATCH_PATH) {
		watch_mounts(w);
		p->seen = read_stamp(path);
	}
	item_arm(p);
	arm_poll(w);
	return p;
}

void
filewatch_remove(struct filewatch_item *p)
{
	struct filewatch *w = p->owner;
	size_t i = 0;

	while (w->items[i] != p)
		i++;
	w->items[i] = w->items[--w->n];
	drop_watch(w, p->wd);
	drop_watch(w, p->old_wd);
	drop_watch(w, p->dir_wd);
	for (i = 0; i < p->n_way; i++) {
		drop_watch(w, p->way[i].wd);
		free(p->way[i].next);
	}
	free(p->path);
	free(p->dir);
	free(p);
}

void
filewatch_renew(struct filewatch_item *p)
{
	item_arm(p);
	arm_poll(p->owner);
}

bool
filewatch_is_polled(const struct filewatch_item *p)
{
	return p->polled;
}

bool
filewatch_take_removed(struct filewatch_item *p)
{
	bool removed = p->removed;

	p->removed = false;
	return removed;
}

int
filewatch_error(const struct filewatch *w)
{
	return w->error;
}
