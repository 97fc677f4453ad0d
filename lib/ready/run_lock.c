#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "ready/readiness.h"
#include "ready/run_lock.h"

/* A holder that was just killed takes a moment to end; one that is not known has this long. */
enum { MOMENT_MS = 200, UNKNOWN_MS = 10000 };

struct holder {
	pid_t pid;
	char incarnation[INCARNATION_TEXT];
	char agent[READINESS_ID];
};

static void
holder_read(int fd, struct holder *h)
{
	char text[512] = "", *incarnation, *agent;
	int64_t pid;

	*h = (struct holder){ 0 };
	if (pread(fd, text, sizeof text - 1, 0) <= 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	incarnation = strchr(text, ' ');
	agent = incarnation ? strchr(incarnation + 1, ' ') : NULL;
	if (!agent)
		return;
	*incarnation++ = *agent++ = '\0';
	if (num_parse(text, 1, INT32_MAX, &pid) < 0)
		return;
	h->pid = (pid_t)pid;
	snprintf(h->incarnation, sizeof h->incarnation, "%s", incarnation);
	snprintf(h->agent, sizeof h->agent, "%.*s", READINESS_ID - 1, agent);
}

/* A pidfd of H, -1 if it has ended: its incarnation tells it from another process of its pid. */
static int
holder_open(const struct holder *h)
{
	_cleanup_fd_ int fd = h->pid > 0 ? pidfd_open(h->pid, 0) : -1;
	struct pollfd end = { .fd = fd, .events = POLLIN };

	if (fd < 0 || poll(&end, 1, 0) != 0 || incarnation_is(h->pid, h->incarnation) != 1)
		return -1;
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* Wait for the end of the holder H behind FD; -EAGAIN when it has ended. */
static int
holder_wait(const struct run_lock_spec *spec, int fd, const struct holder *h, struct fail *f)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };
	bool same = strcmp(h->agent, spec->agent) == 0;
	struct fail news;

	if (!same) {
		fail_set(&news, EXIT_OK, "%s: waiting for the end of pid %jd, the run of agent incarnation %s",
		    spec->peer, (intmax_t)h->pid, h->agent);
		spec->report(&news, spec->cookie);
	}
	if (poll(&end, 1, same ? MOMENT_MS : -1) == 0)
		return fail_set(f, EXIT_BUSY, "%s: pid %jd runs the cycle of this agent incarnation, %s",
		    spec->peer, (intmax_t)h->pid, h->agent);
	return -EAGAIN;
}

static int
wait_lock(const struct run_lock_spec *spec, int fd, struct fail *f)
{
	int64_t unknown_ms = 0;
	struct holder h;
	int r;

	while ((r = lock_try(fd)) == -EAGAIN) {
		_cleanup_fd_ int pid_fd = -1;

		holder_read(fd, &h);
		pid_fd = holder_open(&h);
		if (pid_fd >= 0) {
			r = holder_wait(spec, pid_fd, &h, f);
			if (r != -EAGAIN)
				return r;
			unknown_ms = 0;
			continue;
		}
		/* it has the lock, and has not written its name yet; or it ends just now */
		if (unknown_ms == 0)
			unknown_ms = clock_mono_ms();
		if (clock_mono_ms() - unknown_ms > UNKNOWN_MS)
			return fail_set(f, EXIT_BUSY, "%s: locked by a process that the file does not name",
			    spec->path);
		r = lock_wait(fd, MOMENT_MS);
		if (r != -ETIMEDOUT && r != -EINTR)
			break;
	}
	return r < 0 ? fail_errno(f, r, "%s", spec->path) : 0;
}

static int
write_holder(const struct run_lock_spec *spec, int fd, struct fail *f)
{
	_cleanup_free_ char *text = NULL;
	char own[INCARNATION_TEXT];
	int r = incarnation_of(getpid(), own);

	if (r < 0)
		return fail_errno(f, r, "/proc");
	text = xasprintf("%jd %s %s\n", (intmax_t)getpid(), own, spec->agent);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
		return fail_errno(f, errno, "%s", spec->path);
	return 0;
}

int
run_lock_acquire(const struct run_lock_spec *spec, struct fail *f)
{
	int fd = lock_open(spec->path, spec->mode), r = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		r = fail_errno(f, fd < 0 ? fd : errno, "%s", spec->path);
	/* it is written to, so it must not be another name of a file of somewhere else */
	else if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		r = fail_set(f, EXIT_DENIED, "%s: is not a regular file with one name", spec->path);
	if (r == 0)
		r = wait_lock(spec, fd, f);
	if (r == 0)
		r = write_holder(spec, fd, f);
	if (r == 0)
		return fd;
	io_closep(&fd);
	return r;
}
