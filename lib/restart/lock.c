#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/access.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "restart/last.h"
#include "restart/lock.h"

/*
 * A burst has ended when no process has asked for QUIET_MS; longer on a busy
 * machine, where processes that were started at once ask one after the other, and
 * at least GAPS times the longest gap so far.  The whole burst is waited for
 * BURST_MS at most.
 */
enum { QUIET_MS = 250, QUIET_MAX_MS = 3000, BURST_MS = 10000, POLL_MS = 20, GAPS = 4 };

/* Small writes at the same place of one page are not torn. */
static void
store_time(int fd)
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
	_cleanup_free_ char *path = restart_last_path(p, "lock"), *copy = xstrdup(path);
	int fd = file_make_dirs(dirname(copy), 0755);

	if (fd == 0)
		fd = lock_open(path, 0600);	/* a file that can be read can be locked */
	if (fd == -EACCES)
		return access_explain(path, f);
	return fd < 0 ? fail_errno(f, fd, "%s", path) : fd;
}

int
restart_lock_take(const struct profile *p, int64_t end_ms, struct fail *f)
{
	int fd = open_lock(p, f), r;
	int64_t left = end_ms - clock_mono_ms();

	if (fd < 0)
		return fd;
	store_time(fd);
	r = lock_wait(fd, left > 0 ? left : 0);
	if (r == 0)
		return fd;
	close(fd);
	return r == -ETIMEDOUT ? fail_set(f, EXIT_TIMEOUT, "%s: timed out waiting for another "
	    "restart of it", p->name) : fail_errno(f, r, "the lock of %s", p->name);
}

/* Runnable tasks per processor: the fourth word of proc_loadavg(5). */
static int64_t
load_per_cpu(void)
{
	_cleanup_fd_ int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	char text[64];
	ssize_t n = fd < 0 ? 0 : io_read(fd, text, sizeof text - 1);
	int64_t runnable = 1;

	text[n > 0 ? n : 0] = '\0';
	(void)sscanf(text, "%*s %*s %*s %" SCNd64 "/", &runnable);
	return processors > 0 ? runnable / processors : runnable;
}

static int64_t
quiet_ms(int64_t gap_ms)
{
	int64_t ms = QUIET_MS * load_per_cpu();

	if (ms < GAPS * gap_ms)
		ms = GAPS * gap_ms;
	return ms < QUIET_MS ? QUIET_MS : ms > QUIET_MAX_MS ? QUIET_MAX_MS : ms;
}

bool
restart_lock_wait_quiet(int fd)
{
	const int64_t begun = clock_boot_ms();
	int64_t last = last_asked(fd), gap = 0;
	bool waited = false;

	for (;;) {
		int64_t now = clock_boot_ms(), asked = last_asked(fd);

		if (asked > last && asked - last > gap)
			gap = asked - last;
		last = asked;
		if (now - asked >= quiet_ms(gap) || now < asked || now - begun > BURST_MS)
			return waited;
		clock_sleep_ms(POLL_MS);
		waited = true;
	}
}
