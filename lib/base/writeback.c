#include <errno.h>
#include <fcntl.h>

#include "base/writeback.h"

enum { WINDOW = 8 << 20 };

/* A file system that does not know it writes when it likes. */
static int
sync_window(int fd, int64_t offset, unsigned flags)
{
	if (sync_file_range(fd, offset, WINDOW, flags) == 0)
		return 0;
	return errno == EIO || errno == ENOSPC || errno == EDQUOT ? -errno : 0;
}

int
writeback_add(struct writeback *w, int fd, size_t n)
{
	int r = 0;

	w->end += (int64_t)n;
	while (r == 0 && w->end - w->begun >= WINDOW) {
		r = sync_window(fd, w->begun, SYNC_FILE_RANGE_WRITE);
		if (r == 0 && w->begun >= WINDOW)
			r = sync_window(fd, w->begun - WINDOW,
			    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
		w->begun += WINDOW;
	}
	return r;
}
