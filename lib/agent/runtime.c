#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/runtime.h"
#include "agent/status_text.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"

enum { BUSY_WAIT_MS = 2000, SEAT_WAIT_MS = 1000 };

struct runtime {
	char *dir, *status;
	uid_t fifo_uid;		/* fifo-owner; (uid_t)-1 for none */
	gid_t fifo_gid;
	int lock_fd, pipe_fd, busy_fd;
	bool is_busy;
};

static char *
directory_of(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return xstrdup(dirname(copy));
}

static int
take_lock(struct runtime *r, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/lock", r->dir);
	char pid[32] = "";
	int e;

	r->lock_fd = lock_open(path, 0600);
	/* one of a version that made it readable: what can be read can be locked */
	if (r->lock_fd < 0 || fchmod(r->lock_fd, 0600) < 0)
		return fail_errno(f, r->lock_fd < 0 ? r->lock_fd : errno, "%s", path);
	/* a child of one that was killed has it until it is another program */
	e = lock_wait(r->lock_fd, SEAT_WAIT_MS);
	if (e == -ETIMEDOUT) {
		(void)!pread(r->lock_fd, pid, sizeof pid - 1, 0);
		pid[strcspn(pid, "\n")] = '\0';
		return fail_set(f, EXIT_BUSY, "%s: held by another agent, pid %s", path,
		    *pid ? pid : "unknown");
	}
	if (e < 0)
		return fail_errno(f, e, "%s", path);
	snprintf(pid, sizeof pid, "%jd\n", (intmax_t)getpid());
	if (ftruncate(r->lock_fd, 0) < 0 || pwrite(r->lock_fd, pid, strlen(pid), 0) < 0)
		return fail_errno(f, errno, "%s", path);
	return 0;
}

/*
 * 0620 with the profile's group, 0600 without; 0660 with fifo-owner, for agents
 * of others that read it as well.  By the descriptor: mkfifo(2) has a umask.
 */
static int
set_pipe_mode(struct runtime *r, const struct profile *p, struct fail *f)
{
	const bool is_given = r->fifo_uid != (uid_t)-1;
	const gid_t gid = is_given ? r->fifo_gid : p->gid;
	const mode_t mode = is_given ? 0660 : gid != (gid_t)-1 ? 0620 : 0600;

	if ((is_given || gid != (gid_t)-1) && fchown(r->pipe_fd, is_given ? r->fifo_uid : (uid_t)-1, gid) < 0)
		return fail_errno(f, errno, "%s: owner or group", p->retry.path);
	return fchmod(r->pipe_fd, mode) < 0 ? fail_errno(f, errno, "%s", p->retry.path) : 0;
}

static int
open_pipe(struct runtime *r, const struct profile *p, struct fail *f)
{
	const char *path = p->retry.path;
	_cleanup_free_ char *dir = directory_of(path);
	struct stat st;
	int e = file_make_trusted_dir(dir, f);

	if (e < 0)
		return e;
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return fail_errno(f, errno, "%s", path);
	if (lstat(path, &st) == 0 && !S_ISFIFO(st.st_mode))
		return fail_set(f, EXIT_DENIED, "%s: is not a FIFO", path);
	r->pipe_fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (r->pipe_fd < 0 || fstat(r->pipe_fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	if (!S_ISFIFO(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != r->fifo_uid))
		return fail_set(f, EXIT_DENIED, "%s: is not a FIFO of ours (owner uid %ju)", path,
		    (uintmax_t)st.st_uid);
	return set_pipe_mode(r, p, f);
}

static int
open_busy(struct runtime *r, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/busy", r->dir);

	r->busy_fd = lock_open(path, 0600);
	if (r->busy_fd < 0)
		return fail_errno(f, r->busy_fd, "%s", path);
	return fchmod(r->busy_fd, 0600) < 0 ? fail_errno(f, errno, "%s", path) : 0;
}

int
runtime_open(const struct profile *p, uid_t fifo_uid, gid_t fifo_gid, struct runtime **out, struct fail *f)
{
	struct runtime *r;
	int e;

	if (p->retry.method != RETRY_FIFO || p->retry.frame != FRAME_ADU64 ||
	    p->status.method != STATUS_FILE)
		return fail_set(f, EXIT_USAGE, "%s: not a profile for this agent: it needs [retry]"
		    " method = fifo with frame = adu64, and [status] method = file", p->file);
	r = xcalloc(1, sizeof *r);
	*r = (struct runtime){ .dir = directory_of(p->status.path), .status = xstrdup(p->status.path),
	    .fifo_uid = fifo_uid, .fifo_gid = fifo_gid, .lock_fd = -1, .pipe_fd = -1, .busy_fd = -1 };
	e = file_make_trusted_dir(r->dir, f);
	if (e == 0)
		e = take_lock(r, f);
	if (e == 0)
		e = open_pipe(r, p, f);
	if (e == 0)
		e = open_busy(r, f);
	if (e < 0)
		runtime_close(r);
	else
		*out = r;
	return e;
}

void
runtime_close(struct runtime *r)
{
	if (!r)
		return;
	io_closep(&r->busy_fd);
	io_closep(&r->pipe_fd);
	io_closep(&r->lock_fd);
	free(r->dir);
	free(r->status);
	free(r);
}

/* Is PATH the file of FD? */
static bool
is_same_file(const char *path, int fd)
{
	struct stat there, mine;

	return lstat(path, &there) == 0 && fstat(fd, &mine) == 0 && there.st_ino == mine.st_ino &&
	    there.st_dev == mine.st_dev;
}

/* A lock file that was removed does not keep a second agent out: lock a new one before the old one is released. */
static int
renew_lock(struct runtime *r, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/lock", r->dir);
	_cleanup_fd_ int old = -1;

	if (is_same_file(path, r->lock_fd))
		return 0;
	old = r->lock_fd;
	r->lock_fd = -1;
	return take_lock(r, f);
}

int
runtime_repair(struct runtime *r, const struct profile *p, struct fail *f)
{
	_cleanup_free_ char *busy = xasprintf("%s/busy", r->dir);
	const bool had_pipe = is_same_file(p->retry.path, r->pipe_fd), had_busy = is_same_file(busy, r->busy_fd);
	_cleanup_free_ char *lock = xasprintf("%s/lock", r->dir);
	int e;

	if (had_pipe && had_busy && is_same_file(lock, r->lock_fd) && access(r->status, F_OK) == 0)
		return 0;
	e = file_make_trusted_dir(r->dir, f);
	if (e == 0)
		e = renew_lock(r, f);
	if (e == 0 && !had_pipe) {
		io_closep(&r->pipe_fd);
		r->pipe_fd = -1;
		e = open_pipe(r, p, f);
	}
	if (e == 0 && !had_busy) {
		io_closep(&r->busy_fd);
		r->busy_fd = -1;
		e = open_busy(r, f);
		if (e == 0 && r->is_busy)
			runtime_set_busy(r, true);
	}
	return e < 0 ? e : 1;
}

int
runtime_pipe(const struct runtime *r)
{
	return r->pipe_fd;
}

/* A process that waits for idle holds the lock only for an instant, so a cycle never waits long for it. */
void
runtime_set_busy(struct runtime *r, bool busy)
{
	r->is_busy = busy;
	if (busy)
		lock_wait(r->busy_fd, BUSY_WAIT_MS);
	else
		lock_release(r->busy_fd);
}

int
runtime_publish(struct runtime *r, const struct status *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	status_text_format(s, &b);
	return file_replace(r->status, b.s, b.len, 0644, 0);
}
