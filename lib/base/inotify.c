#include <errno.h>
#include <libgen.h>

#include "base/inotify.h"
#include "base/io.h"
#include "base/xalloc.h"

enum {
	BLOCK = 8192,
	ROUNDS = 64,	/* blocks in one call: a directory that changes all the time must not hold up others */
};

int
inotify_open(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int
inotify_watch(int fd, const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(fd, path, mask | IN_MASK_ADD);

	return wd < 0 ? -errno : wd;
}

int
inotify_watch_parent(int fd, const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return inotify_watch(fd, dirname(copy), IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
	    IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
}

void
inotify_unwatch(int fd, int wd)
{
	inotify_rm_watch(fd, wd);
}

int
inotify_drain(int fd)
{
	_Alignas(struct inotify_event) char b[BLOCK];
	int any = 0;

	for (int i = 0; i < ROUNDS && io_read(fd, b, sizeof b) > 0; i++)
		any = 1;
	return any;
}

void
inotify_dispatch(int fd, inotify_fn *fn, void *cookie)
{
	_Alignas(struct inotify_event) char b[BLOCK];
	ssize_t n;

	for (int i = 0; i < ROUNDS && (n = io_read(fd, b, sizeof b)) > 0; i++)
		for (const char *p = b; p < b + n; ) {
			const struct inotify_event *e = (const void *)p;

			p += sizeof *e + e->len;
			fn(e->mask & IN_Q_OVERFLOW ? -1 : e->wd, e->mask, e->len ? e->name : "", cookie);
		}
}
