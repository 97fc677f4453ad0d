#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "agent/record.h"
#include "agent/slot.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/xalloc.h"

/* As long as rejoin-watch lets a burst of edges last, and at most ten times that. */
enum { QUIET_MS = 250, BURST_MAX = 10 };

/* Nobody else's asking is torn: one small write at one place of one page. */
static void
leave_time(int fd)
{
	const int64_t now = clock_boot_ms();

	(void)!pwrite(fd, &now, sizeof now, 0);
}

static int64_t
last_asked(int fd)
{
	int64_t at;

	return pread(fd, &at, sizeof at, 0) == sizeof at ? at : 0;
}

static int
open_lock(const struct profile *p, struct fail *f)
{
	_cleanup_free_ char *path = record_path(p, "lock"), *copy = xstrdup(path);
	int fd = file_make_dirs(dirname(copy), 0755);

	if (fd == 0)
		fd = lock_open(path, 0600);	/* who can read it can lock it */
	return fd < 0 ? fail_errno(f, fd, "%s", path) : fd;
}

int
slot_take(const struct profile *p, int64_t end_ms, struct fail *f)
{
	int fd = open_lock(p, f), r;
	int64_t left = end_ms - clock_mono_ms();

	if (fd < 0)
		return fd;
	leave_time(fd);
	r = lock_wait(fd, left > 0 ? left : 0);
	if (r == 0)
		return fd;
	close(fd);
	return r == -ETIMEDOUT ? fail_set(f, EXIT_TIMEOUT, "%s: is being restarted by another, "
	    "which does not end", p->name) : fail_errno(f, r, "the lock of %s", p->name);
}

void
slot_let_burst_end(int fd)
{
	const int64_t begun = clock_boot_ms();

	for (;;) {
		int64_t now = clock_boot_ms(), left = last_asked(fd) + QUIET_MS - now;

		if (left <= 0 || left > QUIET_MS || now - begun > BURST_MAX * QUIET_MS)
			return;
		clock_sleep_ms(left);
	}
}
