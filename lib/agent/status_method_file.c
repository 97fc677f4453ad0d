#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/status_method.h"
#include "agent/status_text.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"

enum { STATUS_FILE_MAX = 65536, POLL_MS = 20 };

/* NAME in the directory of the status file PATH.  To be freed. */
static char *
beside(const char *path, const char *name)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return xasprintf("%s/%s", dirname(copy), name);
}

/* Is the lock NAME beside the status file held: 1, 0 (also where it is not there), or an error. */
static int
held(const char *path, const char *name)
{
	_cleanup_free_ char *lock = beside(path, name);
	_cleanup_fd_ int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return lock_is_held(fd);
}

/* Without access to the lock: does the process of the file still live?  1, 0, or -1 where that is unknown. */
static int
is_incarnation(const struct status *s)
{
	char now[INCARNATION_TEXT];
	int r = s->pid > 0 ? incarnation_of(s->pid, now) : -ESRCH;

	return r == 0 ? strcmp(now, s->incarnation) == 0 : r == -ESRCH || r == -ENOENT ? 0 : -1;
}

static int
read_file(const struct profile *p, struct status *s, struct fail *f)
{
	const char *path = p->status.path;
	_cleanup_buf_ struct buf b = BUF_INIT;
	int alive = held(path, "lock");
	int r = file_load(path, FILE_NOFOLLOW, STATUS_FILE_MAX, &b, f);

	if (r == -ENOENT) {
		*s = (struct status){ .running = alive < 0 ? -1 : alive,
		    .state = alive < 0 ? AGENT_UNKNOWN : alive ? AGENT_STARTING : AGENT_STOPPED };
		return 0;
	}
	if (r < 0)
		return r;
	status_text_parse(b.s, b.len, s);
	s->running = alive < 0 ? -1 : alive;
	if (alive == -EACCES)
		s->running = alive = is_incarnation(s);
	if (alive == 0 && s->state != AGENT_STOPPED) {
		snprintf(s->note, sizeof s->note, "ended without a word while %s",
		    status_text_state(s->state));
		s->state = AGENT_STOPPED;
	}
	return 0;
}

/* For a reader without access to the lock: poll the status file. */
static int
poll_idle(const struct profile *p, int64_t timeout_ms, struct fail *f)
{
	const int64_t end = timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;
	struct status s;

	for (;;) {
		int r = read_file(p, &s, f);

		if (r < 0 || s.state == AGENT_UNKNOWN)
			return -ENODATA;
		if (s.state != AGENT_BUSY)
			return 0;
		if (clock_mono_ms() >= end)
			return -ETIMEDOUT;
		clock_sleep_ms(POLL_MS);
	}
}

static int
wait_idle_file(const struct profile *p, int64_t timeout_ms, struct fail *f)
{
	_cleanup_free_ char *path = beside(p->status.path, "busy");
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	/* without the file no cycle has ever run */
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && errno == EACCES)
		return poll_idle(p, timeout_ms, f);
	r = fd < 0 ? -errno : lock_wait_free(fd, timeout_ms);
	if (r == 0 || r == -ETIMEDOUT)
		return r;
	fail_set(f, EXIT_BUSY, "the state of %s is unknown: %s: %s", p->name, path, strerror(-r));
	return -ENODATA;
}

const struct status_method status_method_file = { read_file, wait_idle_file, POLL_MS, true };
