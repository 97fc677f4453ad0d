#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "agent/process_view.h"
#include "agent/status_method.h"
#include "agent/status_text.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"

enum { STATUS_FILE_MAX = 65536, POLL_MS = 20 };

/* The path of NAME in the directory of the status file PATH.  To be freed. */
static char *
path_beside(const char *path, const char *name)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return xasprintf("%s/%s", dirname(copy), name);
}

/* Is the lock NAME beside the status file held: 1, 0 (also if it does not exist), or an error. */
static int
is_held(const char *path, const char *name)
{
	_cleanup_free_ char *lock = path_beside(path, name);
	_cleanup_fd_ int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return lock_is_held(fd);
}

/* The locks are root's alone; other users see by the process whether the agent runs. */
static int
is_running(const char *path, const struct status *s)
{
	int held = is_held(path, "lock");

	if (held != -EACCES || s->pid <= 0)
		return held < 0 ? -1 : held;
	held = incarnation_is(s->pid, s->incarnation);
	/* one that is not visible may run */
	return held < 0 || (held == 0 && process_view_read() != PROCESS_VIEW_ALL) ? -1 : held;
}

/*
 * A status file of a user that is neither root, nor the caller, nor the agent may
 * name any file as its report; so that is not followed.
 */
static void
check_owner(const struct profile *p, struct status *s)
{
	struct stat st;

	if (!*s->report || lstat(p->status.path, &st) < 0)
		return;
	s->owner = st.st_uid;
	if (st.st_uid == 0 || st.st_uid == geteuid() || st.st_uid == p->uid)
		return;
	*s->report = '\0';
	snprintf(s->note, sizeof s->note, "%.150s is owned by uid %ju, so its report is not read",
	    p->status.path, (uintmax_t)st.st_uid);
}

static int
read_file(const struct profile *p, struct status *s, struct fail *f)
{
	const char *path = p->status.path;
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = file_load(path, FILE_NOFOLLOW, STATUS_FILE_MAX, &b, f);

	if (r == -ENOENT) {
		s->running = is_running(path, s);
		s->state = s->running < 0 ? AGENT_UNKNOWN : s->running ? AGENT_STARTING : AGENT_STOPPED;
		return 0;
	}
	if (r < 0)
		return r;
	status_text_parse(b.s, b.len, s);
	s->running = is_running(path, s);
	check_owner(p, s);
	if (s->running == 0 && s->state != AGENT_STOPPED) {
		snprintf(s->note, sizeof s->note, "exited without a message while %s",
		    status_text_state(s->state));
		s->state = AGENT_STOPPED;
	}
	return 0;
}

static int
wait_idle_file(const struct profile *p, bool for_request, int64_t timeout_ms, struct fail *f)
{
	_cleanup_free_ char *path = path_beside(p->status.path, "busy");
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	(void)for_request;
	/* without the file no cycle has ever run */
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && errno == EACCES)
		return status_method_poll_idle(p, false, timeout_ms, f);	/* it keeps what it is asked while it starts */
	r = fd < 0 ? -errno : lock_wait_free(fd, timeout_ms);
	if (r == 0 || r == -ETIMEDOUT)
		return r;
	fail_set(f, EXIT_BUSY, "the state of %s is unknown: %s: %s", p->name, path, strerror(-r));
	return -ENODATA;
}

const struct status_method status_method_file = { read_file, wait_idle_file, POLL_MS, POLL_MS, true };
