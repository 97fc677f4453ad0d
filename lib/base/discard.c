#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/io.h"

enum { LARGE = 16 << 20, BLOCK_UNIT = 512 };	/* bytes; st_blocks counts in the second */

/* Is NAME a large file that goes with this name? */
static bool
is_large(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    (int64_t)st.st_blocks * BLOCK_UNIT >= LARGE;
}

/*
 * A process that has FD and nothing else, and ends: the last close of the file is its own.  The one
 * between makes it no child of the caller, which may wait for its own by pidfd alone.
 */
static void
close_elsewhere(int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (fork() == 0) {
			if (fd > 0)
				close_range(0, (unsigned)fd - 1, 0);
			close_range((unsigned)fd + 1, ~0U, 0);
			(void)!chdir("/");
		}
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int
discard_at(int dir, const char *name)
{
	_cleanup_fd_ int fd = is_large(dir, name) ? openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (unlinkat(dir, name, 0) < 0)
		return -errno;
	if (fd >= 0)
		close_elsewhere(fd);
	return 0;
}
