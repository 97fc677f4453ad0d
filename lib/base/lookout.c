#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/lookout.h"
#include "base/notify.h"
#include "base/xalloc.h"

enum { CONTENT = IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF };

struct lookout_post {
	char *path, *dir;
	const char *name;		/* of PATH in it */
	bool content, polled;
	int wd, old_wd, dir_wd;		/* -1 for none */
	lookout_fn *fn;
	void *cookie;
};

struct lookout {
	struct loop *loop;
	int fd;				/* -1: inotify does not work at all */
	struct lookout_post **posts;
	size_t n, cap;
	struct loop_timer poll;
};

/* Is the directory one whose changes are told to this machine? */
static bool
tells(const char *dir)
{
	/* NFS, SMB, CIFS, SMB2, AFS, Coda, Ceph, 9P, FUSE, as in linux/magic.h */
	static const unsigned long quiet[] = { 0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x73757245,
	    0xc36400, 0x01021997, 0x65735546 };
	struct statfs fs;

	if (statfs(dir, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
		if ((unsigned long)fs.f_type == quiet[i])
			return false;
	return true;
}

static void
arm(struct lookout *o, struct lookout_post *p)
{
	p->polled = o->fd < 0 || !tells(p->dir);
	if (p->polled)
		return;
	p->dir_wd = notify_watch(o->fd, p->path);
	p->polled = p->dir_wd < 0;
	if (!p->content || p->polled)
		return;
	p->wd = inotify_add_watch(o->fd, p->path, CONTENT);
	/* That it is not there is told by its directory. */
	p->polled = p->wd < 0 && errno != ENOENT;
}

static void
set_poll(struct lookout *o)
{
	bool any = false;

	for (size_t i = 0; i < o->n; i++)
		any |= o->posts[i]->polled;
	if (any && !o->poll.set)
		loop_timer_set(o->loop, &o->poll, LOOKOUT_POLL_MS);
	else if (!any)
		loop_timer_stop(o->loop, &o->poll);
}

static void
poll_now(void *cookie)
{
	struct lookout *o = cookie;

	for (size_t i = 0; i < o->n; i++) {
		struct lookout_post *p = o->posts[i];

		if (!p->polled)
			continue;
		arm(o, p);
		p->fn(true, p->cookie);
	}
	set_poll(o);
}

/* WD is that of an event, NAME what it names in a directory, "" for nothing; -1 where events were lost. */
static void
tell(struct lookout *o, int wd, unsigned mask, const char *name)
{
	for (size_t i = 0; i < o->n; i++) {
		struct lookout_post *p = o->posts[i];
		bool file = wd >= 0 && (p->wd == wd || p->old_wd == wd), dir = wd < 0 || p->dir_wd == wd;

		/* What else goes on in a directory is nothing to the one file; what it is renamed to is. */
		if (p->content && *name && strncmp(name, p->name, strlen(p->name)) != 0)
			dir = false;

		if (!file && !dir)
			continue;
		if (mask & IN_IGNORED) {
			p->wd = p->wd == wd ? -1 : p->wd;
			p->old_wd = p->old_wd == wd ? -1 : p->old_wd;
			p->polled |= dir;
		}
		p->fn(dir || (mask & ~(unsigned)IN_MODIFY), p->cookie);
	}
}

static void
events(int fd, short revents, void *cookie)
{
	_Alignas(struct inotify_event) char b[4096];
	struct lookout *o = cookie;
	ssize_t n;

	(void)revents;
	do {
		n = io_read(fd, b, sizeof b);
		for (char *p = b; n > 0 && p < b + n; p += sizeof(struct inotify_event) + ((struct inotify_event *)(void *)p)->len) {
			const struct inotify_event *e = (struct inotify_event *)(void *)p;

			tell(o, e->wd, e->mask, e->len ? e->name : "");
		}
	} while (n > (ssize_t)(sizeof b / 2));
	set_poll(o);
}

struct lookout *
lookout_new(struct loop *l)
{
	struct lookout *o = xcalloc(1, sizeof *o);

	o->loop = l;
	o->poll = (struct loop_timer){ .fn = poll_now, .cookie = o };
	o->fd = notify_open();
	if (o->fd >= 0)
		loop_watch(l, o->fd, POLLIN, events, o);
	return o;
}

void
lookout_free(struct lookout *o)
{
	if (!o)
		return;
	loop_timer_stop(o->loop, &o->poll);
	if (o->fd >= 0) {
		loop_unwatch(o->loop, o->fd);
		close(o->fd);
	}
	while (o->n)
		lookout_remove(o, o->posts[o->n - 1]);
	free(o->posts);
	free(o);
}

struct lookout_post *
lookout_add(struct lookout *o, const char *path, bool content, lookout_fn *fn, void *cookie)
{
	struct lookout_post *p = xcalloc(1, sizeof *p);
	_cleanup_free_ char *copy = xstrdup(path);
	const char *slash;

	*p = (struct lookout_post){ .path = xstrdup(path), .dir = xstrdup(dirname(copy)), .content = content, .wd = -1,
	    .old_wd = -1, .dir_wd = -1, .fn = fn, .cookie = cookie };
	slash = strrchr(p->path, '/');
	p->name = slash ? slash + 1 : p->path;
	o->posts = xgrow(o->posts, o->n, &o->cap, sizeof *o->posts);
	o->posts[o->n++] = p;
	arm(o, p);
	set_poll(o);
	return p;
}

static bool
is_used(const struct lookout *o, int wd)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->posts[i]->wd == wd || o->posts[i]->old_wd == wd || o->posts[i]->dir_wd == wd)
			return true;
	return false;
}

static void
drop(struct lookout *o, int *wd)
{
	int old = *wd;

	*wd = -1;
	if (old >= 0 && o->fd >= 0 && !is_used(o, old))
		inotify_rm_watch(o->fd, old);
}

void
lookout_remove(struct lookout *o, struct lookout_post *p)
{
	size_t i = 0;

	while (o->posts[i] != p)
		i++;
	drop(o, &p->wd);
	drop(o, &p->old_wd);
	drop(o, &p->dir_wd);
	o->posts[i] = o->posts[--o->n];
	free(p->path);
	free(p->dir);
	free(p);
}

void
lookout_renew(struct lookout *o, struct lookout_post *p)
{
	int wd = p->wd;

	arm(o, p);
	if (p->wd != wd && wd >= 0) {
		drop(o, &p->old_wd);
		p->old_wd = wd;
	}
	set_poll(o);
}
