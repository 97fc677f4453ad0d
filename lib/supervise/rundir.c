#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "supervise/lease.h"
#include "supervise/rundir.h"

enum { STATUS_ROOM = 4096 };

static const char status_tmp[] = ".status";

int
rundir_load(int dir, const char *name, size_t max, struct buf *out)
{
	_cleanup_fd_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	ssize_t n;

	buf_reset(out);
	if (fd < 0)
		return -errno;
	while ((n = io_read_buf(fd, out)) > 0)
		if (out->len > max)
			return -EFBIG;
	return (int)n;
}

int
rundir_write_started(int dir, const struct started *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_fd_ int fd = openat(dir, "started", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int r;

	if (fd < 0)
		return -errno;
	started_format(s, &b);
	r = io_write_all(fd, b.s, b.len);
	if (r == 0 && (fsync(fd) < 0 || fsync(dir) < 0))
		r = -errno;
	if (r < 0)
		unlinkat(dir, "started", 0);	/* nothing will be executed */
	return r;
}

/* Blanks, not a hole: they are what takes the room. */
int
rundir_reserve_status(int dir)
{
	_cleanup_fd_ int fd = openat(dir, status_tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	char blanks[STATUS_ROOM];

	memset(blanks, ' ', sizeof blanks);
	return fd < 0 ? -errno : io_write_all(fd, blanks, sizeof blanks);
}

int
rundir_write_status(int dir, const struct outcome *o)
{
	_cleanup_fd_ int fd = openat(dir, status_tmp, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	_cleanup_buf_ struct buf b = BUF_INIT;
	ssize_t n;

	if (fd < 0)
		return -errno;
	outcome_format(o, &b);
	n = pwrite(fd, b.s, b.len, 0);
	if (n < (ssize_t)b.len)
		return n < 0 ? -errno : -ENOSPC;
	if (ftruncate(fd, (off_t)b.len) < 0 || fsync(fd) < 0 || renameat(dir, status_tmp, dir, "status") < 0)
		return -errno;
	return fsync(dir) < 0 ? -errno : 0;
}

int
rundir_load_end(int dir, int64_t grace_ms, struct rundir_end *e)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_json_ struct json v = JSON_ABSENT, signo = JSON_ABSENT, grace = JSON_ABSENT;
	const char *name;
	struct fail f;
	int64_t n;
	int r = rundir_load(dir, "end", RUNDIR_SMALL, &b);

	*e = (struct rundir_end){ WHY_KILL, SIGTERM, grace_ms };
	if (r < 0)
		return r;
	if (json_parse(NULL, b.s, b.len, &v, &f) < 0)
		return 0;	/* its presence is the request */
	signo = json_get(v, "signal");
	grace = json_get(v, "grace_ms");
	name = json_get_text(v, "why");
	if (!name || !outcome_why_parse(name, &e->why))
		e->why = WHY_KILL;
	if (json_get_whole(signo, &n) && n > 0 && n < NSIG)
		e->signo = (int)n;
	if (json_get_whole(grace, &n) && n >= 0)
		e->grace_ms = n;
	return 0;
}

bool
rundir_is_removed(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && st.st_nlink == 0;
}

int64_t
rundir_lease_left(int dir, bool required, const char *boot)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_json_ struct json v = JSON_ABSENT, file = JSON_ABSENT;
	struct lease l;
	struct fail f;
	int r = rundir_load(dir, "lease", RUNDIR_SMALL, &b);

	if (r == -ENOENT && !required)
		return -1;
	if (r < 0 || json_parse(NULL, b.s, b.len, &v, &f) < 0)
		return 0;
	file = json_get(v, "file");
	if (json_kind(file) == JSON_NULL)
		return -1;
	if (!json_get_string(file) || lease_read(dir, json_get_string(file), &l) < 0)
		return 0;
	return lease_left_ns(&l, boot, lease_now_ns());
}
