#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"

static int
lock_set(int fd, int cmd, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET };

	return fcntl(fd, cmd, &l) < 0 ? -errno : 0;
}

int
lock_open(const char *path, mode_t mode)
{
	int fd;

	do {
		/* most often it is there */
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 || errno != ENOENT)
			break;
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (fd >= 0)
			fchmod(fd, mode);	/* ours, just made: cannot fail */
	} while (fd < 0 && errno == EEXIST);	/* made in between */
	return fd < 0 ? -errno : fd;
}

int
lock_try(int fd)
{
	int r = lock_set(fd, F_OFD_SETLK, F_WRLCK);

	return r == -EACCES ? -EAGAIN : r;
}

static void
wait_interrupt(int sig)
{
	(void)sig;
}

/*
 * The kernel has no lock with a deadline, so a timer interrupts the wait; it
 * goes on ticking, as its first signal may come just before the call.
 */
static int
wait_for(int fd, short type, int64_t timeout_ms)
{
	const int64_t end = clock_mono_ms() + timeout_ms;
	struct itimerval t = { { 0, 10000 }, { timeout_ms / 1000, timeout_ms % 1000 * 1000 } };
	struct itimerval old_t;
	struct sigaction sa = { .sa_handler = wait_interrupt }, old_sa;
	int r = lock_set(fd, F_OFD_SETLK, type);

	if (r != -EAGAIN && r != -EACCES)
		return r;
	if (timeout_ms == 0)
		return -ETIMEDOUT;
	if (timeout_ms < 0)
		return lock_set(fd, F_OFD_SETLKW, type);
	sigaction(SIGALRM, &sa, &old_sa);
	setitimer(ITIMER_REAL, &t, &old_t);
	r = lock_set(fd, F_OFD_SETLKW, type);
	setitimer(ITIMER_REAL, &old_t, NULL);
	sigaction(SIGALRM, &old_sa, NULL);
	return r == -EINTR && clock_mono_ms() >= end ? -ETIMEDOUT : r;
}

int
lock_wait(int fd, int64_t timeout_ms)
{
	return wait_for(fd, F_WRLCK, timeout_ms);
}

int
lock_wait_free(int fd, int64_t timeout_ms)
{
	int r = wait_for(fd, F_RDLCK, timeout_ms);

	if (r == 0)
		lock_release(fd);
	return r;
}

void
lock_release(int fd)
{
	lock_set(fd, F_OFD_SETLK, F_UNLCK);
}

int
lock_is_held(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &l) < 0 ? -errno : l.l_type != F_UNLCK;
}
