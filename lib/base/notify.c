#include <errno.h>
#include <libgen.h>
#include <sys/inotify.h>

#include "base/io.h"
#include "base/notify.h"
#include "base/xalloc.h"

int
notify_open(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int
notify_watch(int fd, const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);
	int wd = inotify_add_watch(fd, dirname(copy), IN_CLOSE_WRITE | IN_MOVED_TO |
	    IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);

	return wd < 0 ? -errno : wd;
}

int
notify_read(int fd)
{
	_Alignas(struct inotify_event) char b[4096];
	int any = 0;

	while (io_read(fd, b, sizeof b) > 0)
		any = 1;
	return any;
}
