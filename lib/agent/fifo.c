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
enum { YIELDS = 100, LOOK_MIN_NS = 20000, LOOK_MAX_NS = 5000000 };

static int
check(const struct profile *p, const char *path, int fd, struct fail *f)
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
absent(const struct profile *p, const char *path, const char *why, struct fail *f)
{
	return fail_set(f, EXIT_ABSENT, "%s: not running: %s: %s", p->name, path, why);
}

/* Open it, as often as it takes the agent to open its own end again. */
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

	/* one look before: ENXIO is also what a socket gives, and a device may do things when opened */
	if (lstat(path, &st) == 0 && !S_ISFIFO(st.st_mode))
		return fail_set(f, EXIT_DENIED, "%s: is %s, not a FIFO", path,
		    S_ISLNK(st.st_mode) ? "a symbolic link" :
		    S_ISREG(st.st_mode) ? "a regular file" :
		    S_ISDIR(st.st_mode) ? "a directory" : "something else");
	fd = open_writer(path);
	switch (-fd) {
	case ENXIO:
		return absent(p, path, "nobody reads it", f);
	case ENOENT:
		return absent(p, path, "is not there", f);
	case EACCES:
	case EPERM:
		return access_explain(path, f);
	case ELOOP:
		return fail_set(f, EXIT_DENIED, "%s: is a symbolic link, not a FIFO", path);
	}
	if (fd < 0)
		return fail_errno(f, fd, "%s", path);
	r = check(p, path, fd, f);
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

/* One write; a full pipe is waited for. */
static int
put(int fd, const struct profile *p, const struct buf *frame, int64_t end_ms, struct fail *f)
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
			return fail_set(f, EXIT_TIMEOUT, "%s: the pipe is full, and %s reads nothing",
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
 * The kernel does not tell a writer that its pipe was emptied, so it is looked
 * at: a reader that waits for us takes less time than a sleep would.
 */
static int
wait_taken(int fd, const struct profile *p, int64_t end_ms, struct fail *f)
{
	struct timespec pause = { 0, LOOK_MIN_NS };

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
		if (pause.tv_nsec < LOOK_MAX_NS)
			pause.tv_nsec += pause.tv_nsec / 2;
	}
	if (!has_reader(fd))
		return absent(p, p->retry.path, "ended before it read the request", f);
	return fail_set(f, EXIT_TIMEOUT, "%s: %s did not read the request in time", p->retry.path,
	    p->name);
}

int
fifo_send(int fd, const struct profile *p, const struct buf *frame, int64_t end_ms,
    struct fail *f)
{
	int r = put(fd, p, frame, end_ms, f);

	return r < 0 ? r : wait_taken(fd, p, end_ms, f);
}
