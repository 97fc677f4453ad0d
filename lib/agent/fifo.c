#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/access.h"
#include "agent/fifo.h"
#include "base/clock.h"
#include "base/io.h"

enum { OPEN_TRIES = 30, OPEN_PAUSE_MS = 1 };
enum { YIELDS = 100, POLL_MIN_NS = 20000, POLL_MAX_NS = 5000000 };

static int
check_fifo(const struct profile *p, const char *path, int fd, struct fail *f)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	if (!S_ISFIFO(st.st_mode))
		return fail_set(f, EXIT_DENIED, "%s: is not a FIFO", path);
	if (p->uid != (uid_t)-1 ? st.st_uid != p->uid : st.st_uid != 0 && st.st_uid != geteuid())
		return fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, not by %s", path,
		    (uintmax_t)st.st_uid, p->user ? p->user : "root or the caller");
	if (p->gid != (gid_t)-1 && st.st_gid != p->gid)
		return fail_set(f, EXIT_DENIED, "%s: is of group %ju, not of %s", path,
		    (uintmax_t)st.st_gid, p->group);
	if (st.st_mode & S_IWOTH)
		return fail_set(f, EXIT_DENIED, "%s: writable by others (mode %04o)", path,
		    st.st_mode & 07777);
	return 0;
}

static int
set_absent(const struct profile *p, const char *path, const char *why, struct fail *f)
{
	return fail_set(f, EXIT_ABSENT, "%s: not running: %s: %s", p->name, path, why);
}

/* The Azure agent closes and reopens its end, so ENXIO is retried for a short time. */
static int
open_writer(const char *path)
{
	int fd = -1;

	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0)
			return fd;
		if (errno == ENXIO)
			clock_sleep_ms(OPEN_PAUSE_MS);
		else if (errno != EINTR)
			break;
	}
	return -errno;
}

int
fifo_open_at(const struct profile *p, const char *path, struct fail *f)
{
	struct stat st;
	int fd, r;

	/* checked before, too: a socket gives ENXIO, and to open a device may have effects */
	if (lstat(path, &st) == 0 && !S_ISFIFO(st.st_mode))
		return fail_set(f, EXIT_DENIED, "%s: is %s, not a FIFO", path,
		    S_ISLNK(st.st_mode) ? "a symbolic link" :
		    S_ISREG(st.st_mode) ? "a regular file" :
		    S_ISDIR(st.st_mode) ? "a directory" : "something else");
	fd = open_writer(path);
	switch (-fd) {
	case ENXIO:
		return set_absent(p, path, "has no reader", f);
	case ENOENT:
		return set_absent(p, path, "no such file", f);
	case EACCES:
	case EPERM:
		return access_explain(path, f);
	case ELOOP:
		return fail_set(f, EXIT_DENIED, "%s: is a symbolic link, not a FIFO", path);
	}
	if (fd < 0)
		return fail_errno(f, fd, "%s", path);
	r = check_fifo(p, path, fd, f);
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

int
fifo_open(const struct profile *p, struct fail *f)
{
	return fifo_open_at(p, p->retry.path, f);
}

int
fifo_unread(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? -errno : n;
}

/* Write FRAME by one write(2), waiting for room in a full pipe. */
static int
write_frame(int fd, const struct profile *p, const struct buf *frame, int64_t end_ms, struct fail *f)
{
	for (;;) {
		ssize_t n = io_write(fd, frame->s, frame->len);
		int64_t left = end_ms - clock_mono_ms();
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };

		if (n >= 0)	/* at most PIPE_BUF bytes: all or nothing */
			return 0;
		if (n == -EPIPE)
			return -EPIPE;
		if (n != -EAGAIN)
			return fail_errno(f, (int)n, "%s", p->retry.path);
		if (left <= 0)
			return fail_set(f, EXIT_TIMEOUT, "%s: timed out: the pipe is full, and %s does not "
			    "read",
			    p->retry.path, p->name);
		poll(&pfd, 1, left > INT32_MAX ? INT32_MAX : (int)left);
	}
}

static bool
has_reader(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	return poll(&pfd, 1, 0) <= 0 || !(pfd.revents & POLLERR);
}

/*
 * The kernel does not notify a writer when its pipe has been emptied, so this
 * polls; first without sleeping, as a waiting reader is faster than a sleep.
 */
static int
wait_read(int fd, const struct profile *p, int64_t end_ms, struct fail *f)
{
	struct timespec pause = { 0, POLL_MIN_NS };

	for (int i = 0; ; i++) {
		int n = fifo_unread(fd);

		if (n <= 0)
			return n < 0 ? fail_errno(f, n, "%s", p->retry.path) : 0;
		if (i < YIELDS) {
			sched_yield();
			continue;
		}
		if (clock_mono_ms() >= end_ms)
			break;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < POLL_MAX_NS)
			pause.tv_nsec += pause.tv_nsec / 2;
	}
	if (!has_reader(fd))
		return set_absent(p, p->retry.path, "the reader ended before it read the request", f);
	return fail_set(f, EXIT_TIMEOUT, "%s: timed out waiting for %s to read the request", p->retry.path,
	    p->name);
}

int
fifo_send(int fd, const struct profile *p, const struct buf *frame, int64_t end_ms,
    struct fail *f)
{
	int r = write_frame(fd, p, frame, end_ms, f);

	return r < 0 ? r : wait_read(fd, p, end_ms, f);
}
