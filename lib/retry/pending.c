#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/access.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/xalloc.h"
#include "retry/pending.h"

enum { MARK_MAX = 4096 };

/*
 * Marks are shared by all who may ask that agent, so a user of its group marks
 * where the system's services look, not in a runtime directory of its own.
 */
static char *
directory(const struct profile *p)
{
	char *dir = xasprintf("%s/retry/%s", dirs_runtime_system(), p->name);

	if (!secure_getenv("REJOIN_RUNTIME_DIR") && access(dir, W_OK | X_OK) == 0)
		return dir;
	free(dir);
	return xasprintf("%s/retry/%s", dirs_runtime(), p->name);
}

void
pending_init(struct pending *m, const struct profile *p)
{
	char *dir = directory(p);

	*m = (struct pending){
		.dir = dir,
		.pending = xasprintf("%s/pending", dir),
		.sending = xasprintf("%s/sending", dir),
		.lock = xasprintf("%s/lock", dir),
		.delivered = xasprintf("%s/delivered", dir),
		.gid = p->gid,
		.uid = p->uid,
		.mode = p->gid == (gid_t)-1 ? 0644 : 0660,
	};
}

void
pending_release(struct pending *m)
{
	free(m->dir);
	free(m->pending);
	free(m->sending);
	free(m->lock);
	free(m->delivered);
	*m = (struct pending){ 0 };
}

/* PATH could not be opened, or used, because of ERR. */
static int
refused(const char *path, int err, struct fail *f)
{
	switch (abs(err)) {
	case EACCES:
	case EPERM:
		return access_explain(path, f);
	case ELOOP:
	case ENOTDIR:
	case EISDIR:
	case ENXIO:
		return fail_set(f, EXIT_DENIED, "%s: %s", path, abs(err) == ELOOP ?
		    "is a symbolic link" : "is not what belongs there");
	default:
		return fail_errno(f, err, "%s", path);
	}
}

static bool
is_trusted_owner(const struct pending *m, uid_t uid)
{
	return uid == 0 || uid == geteuid() || uid == m->uid;
}

static int
check_dir(const struct pending *m, const struct stat *st, struct fail *f)
{
	if (!S_ISDIR(st->st_mode))
		return fail_set(f, EXIT_DENIED, "%s: is not a directory", m->dir);
	if (!is_trusted_owner(m, st->st_uid))
		return fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, who is neither root nor the "
		    "caller nor the agent", m->dir, (uintmax_t)st->st_uid);
	if (st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && st->st_gid != m->gid &&
	    st->st_gid != 0))
		return fail_set(f, EXIT_DENIED, "%s: writable by more than the agent's group (mode "
		    "%04o, group %ju)", m->dir, st->st_mode & 07777, (uintmax_t)st->st_gid);
	return 0;
}

/* Give the directory that we made to the group, where we may, else keep it ours. */
static int
finish_dir(const struct pending *m, struct fail *f)
{
	bool given = m->gid != (gid_t)-1 && lchown(m->dir, (uid_t)-1, m->gid) == 0;

	return chmod(m->dir, given ? 02770 : 0755) < 0 ? fail_errno(f, errno, "%s", m->dir) : 0;
}

static int
make_dir(const struct pending *m, struct fail *f)
{
	_cleanup_free_ char *parent = xstrndup(m->dir, (size_t)(strrchr(m->dir, '/') - m->dir));
	int r = file_make_dirs(parent, 0755);

	if (r < 0)
		return refused(parent, r, f);
	if (mkdir(m->dir, 0700) < 0)
		return errno == EEXIST ? 0 : refused(m->dir, errno, f);
	return finish_dir(m, f);
}

int
pending_open(const struct pending *m, struct fail *f)
{
	struct stat st;
	int r;

	if (lstat(m->dir, &st) < 0) {
		if (errno != ENOENT)
			return refused(m->dir, errno, f);
		r = make_dir(m, f);
		if (r < 0)
			return r;
		if (lstat(m->dir, &st) < 0)
			return fail_errno(f, errno, "%s", m->dir);
	}
	r = check_dir(m, &st, f);
	/* 0700 is what one killed while making it left behind */
	if (r == 0 && (st.st_mode & 07777) == 0700 && st.st_uid == geteuid())
		r = finish_dir(m, f);
	return r;
}

/* Is the file behind FD one of ours?  More than one name: a link to another's file. */
static int
check_file(const struct pending *m, int fd, const char *path, struct fail *f)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return refused(path, ENXIO, f);
	if (!is_trusted_owner(m, st.st_uid) && (m->gid == (gid_t)-1 || st.st_gid != m->gid))
		return fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, who is neither root nor the "
		    "caller nor of the agent's group", path, (uintmax_t)st.st_uid);
	return 0;
}

/*
 * PATH for writing, made where it is missing; *MADE says so.  With -EACCES it
 * is there, but another's of the group who has not yet let us write.
 */
static int
open_file(const struct pending *m, const char *path, int flags)
{
	for (int i = 0; i < 100; i++) {
		int fd = open(path, flags | O_CREAT | O_EXCL | O_CLOEXEC, m->mode);

		if (fd >= 0) {
			fchmod(fd, m->mode);	/* whatever the umask */
			return fd;
		}
		if (errno == EEXIST)
			fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 || (errno != ENOENT && errno != EINTR))
			return fd < 0 ? -errno : fd;
		/* taken between the two: another round makes a new one */
		if (access(m->dir, F_OK) < 0)
			return -errno;
	}
	return -EBUSY;
}

/* The mark is there already; a reason that does not fit is not worth an error. */
static int
add_reason(int fd, const char *reason)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char now[CLOCK_TEXT];
	struct stat st;

	if (!*reason || (fstat(fd, &st) == 0 && st.st_size > MARK_MAX))
		return 0;
	buf_printf(&b, "%s %s\n", clock_now(now), reason);
	return io_write_all(fd, b.s, b.len);
}

int
pending_add(const struct pending *m, const char *reason, struct fail *f)
{
	_cleanup_fd_ int fd = open_file(m, m->pending, O_WRONLY | O_APPEND);
	struct stat st;
	int r;

	if (fd == -EACCES && lstat(m->pending, &st) == 0 && S_ISREG(st.st_mode))
		return 0;
	if (fd < 0)
		return refused(m->pending, fd, f);
	r = check_file(m, fd, m->pending, f);
	if (r == 0)
		(void)add_reason(fd, reason);
	return r;
}

static bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool
pending_is_new(const struct pending *m)
{
	return is_there(m->pending);
}

bool
pending_exists(const struct pending *m)
{
	return is_there(m->pending) || is_there(m->sending);
}

int
pending_claim(const struct pending *m, struct fail *f)
{
	int r;

	do
		r = rename(m->pending, m->sending);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno != ENOENT)
		return refused(m->pending, errno, f);
	return 0;
}

void
pending_reason(const struct pending *m, char *reason, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_MAX(2 * MARK_MAX);
	struct stat st;
	struct fail f;
	char *line, *blank;

	*reason = '\0';
	if (lstat(m->sending, &st) < 0 || st.st_size == 0 ||
	    file_load(m->sending, FILE_NOFOLLOW, 2 * MARK_MAX, &b, &f) < 0)
		return;
	while (b.len > 0 && b.s[b.len - 1] == '\n')
		b.s[--b.len] = '\0';
	line = strrchr(b.s, '\n');
	blank = strchr(line ? line : b.s, ' ');
	if (blank)
		snprintf(reason, size, "%s", blank + 1);
}

/* What overwrites a newer "pending" here loses its reason, not the request. */
void
pending_unclaim(const struct pending *m)
{
	int r;

	do
		r = rename(m->sending, m->pending);
	while (r < 0 && errno == EINTR);
}

int
pending_clear(const struct pending *m, struct fail *f)
{
	int r;

	do
		r = unlink(m->sending);
	while (r < 0 && errno == EINTR);
	return r < 0 && errno != ENOENT ? refused(m->sending, errno, f) : 0;
}

int
pending_open_lock(const struct pending *m, struct fail *f)
{
	int fd = lock_open(m->lock, m->mode);
	int r;

	if (fd < 0)
		return refused(m->lock, fd, f);
	r = check_file(m, fd, m->lock, f);
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

int
pending_write_delivery(const struct pending *m, const char *text, size_t len, struct fail *f)
{
	_cleanup_fd_ int fd = open_file(m, m->delivered, O_WRONLY);
	int r;

	if (fd < 0)
		return refused(m->delivered, fd, f);
	r = check_file(m, fd, m->delivered, f);
	if (r < 0)
		return r;
	r = ftruncate(fd, 0) < 0 ? -errno : io_write_all(fd, text, len);
	return r < 0 ? fail_errno(f, r, "%s", m->delivered) : 0;
}

int
pending_read_delivery(const struct pending *m, struct buf *out, struct fail *f)
{
	return file_load(m->delivered, FILE_NOFOLLOW, MARK_MAX, out, f);
}
