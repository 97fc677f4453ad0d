#include <dirent.h>
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

enum { FILE_MAX = 4096, REASONS_MAX = 1024 };

/*
 * The system's directory is used where the caller may write there, as a member
 * of the agent's group may, so that the system's units see the request; else
 * the directory is in the caller's own runtime directory.
 */
static char *
choose_directory(const struct profile *p)
{
	char *dir = xconcat(dirs_runtime_system(), "/retry/", p->name, NULL);

	if (!secure_getenv("REJOIN_RUNTIME_DIR") && access(dir, W_OK | X_OK) == 0)
		return dir;
	free(dir);
	return xconcat(dirs_runtime(), "/retry/", p->name, NULL);
}

void
pending_init(struct pending *m, const struct profile *p)
{
	char *dir = choose_directory(p);

	*m = (struct pending){
		.dir = dir,
		.pending = xconcat(dir, "/pending", NULL),
		.sending = xconcat(dir, "/sending", NULL),
		.again = xconcat(dir, "/again", NULL),
		.again_sending = xconcat(dir, "/again-sending", NULL),
		.lock = xconcat(dir, "/lock", NULL),
		.delivered = xconcat(dir, "/delivered", NULL),
		.gid = p->gid,
		.uid = p->uid,
		.mode = p->gid == (gid_t)-1 ? 0644 : 0660,
		.lock_mode = p->gid == (gid_t)-1 ? 0600 : 0660,
	};
}

void
pending_release(struct pending *m)
{
	free(m->dir);
	free(m->pending);
	free(m->sending);
	free(m->again);
	free(m->again_sending);
	free(m->lock);
	free(m->delivered);
	*m = (struct pending){ 0 };
}

static const char *
type_name(mode_t mode)
{
	return S_ISLNK(mode) ? "a symbolic link" : S_ISDIR(mode) ? "a directory" :
	    S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/* PATH was opened or used in vain, with the errno ERR; fill F with the reason. */
static int
set_refused(const char *path, int err, struct fail *f)
{
	struct stat st;

	switch (abs(err)) {
	case EACCES:
	case EPERM:
		return access_explain(path, f);
	case EINVAL:
	case EISDIR:
	case ELOOP:
	case ENOTDIR:
	case ENXIO:
		if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
			return fail_set(f, EXIT_DENIED, "%s: is %s, not a regular file", path,
			    type_name(st.st_mode));
	}
	return fail_errno(f, err, "%s", path);
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
		return fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, which is neither root nor "
		    "the caller nor the user of the agent", m->dir, (uintmax_t)st->st_uid);
	if (st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && st->st_gid != m->gid &&
	    st->st_gid != 0))
		return fail_set(f, EXIT_DENIED, "%s: writable by others than the agent's group "
		    "(mode %04o, group %ju)", m->dir, st->st_mode & 07777, (uintmax_t)st->st_gid);
	return 0;
}

/* Give the new directory to the agent's group, where the caller may, else close it to others. */
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
		return set_refused(parent, r, f);
	if (mkdir(m->dir, 0700) < 0)
		return errno == EEXIST ? 0 : set_refused(m->dir, errno, f);
	return finish_dir(m, f);
}

int
pending_open(const struct pending *m, struct fail *f)
{
	struct stat st;
	int r;

	if (lstat(m->dir, &st) < 0) {
		if (errno != ENOENT)
			return set_refused(m->dir, errno, f);
		r = make_dir(m, f);
		if (r < 0)
			return r;
		if (lstat(m->dir, &st) < 0)
			return fail_errno(f, errno, "%s", m->dir);
	}
	r = check_dir(m, &st, f);
	/* mode 0700 is left behind by a process that was killed between mkdir and chmod */
	if (r == 0 && (st.st_mode & 07777) == 0700 && st.st_uid == geteuid())
		r = finish_dir(m, f);
	return r;
}

/* A file with more than one name may be a hard link to a file of somewhere else. */
static int
check_file(const struct pending *m, int fd, const char *path, struct fail *f)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return set_refused(path, EINVAL, f);
	if (st.st_nlink > 1)
		return fail_set(f, EXIT_DENIED, "%s: has another name (a hard link)", path);
	if (!is_trusted_owner(m, st.st_uid) && (m->gid == (gid_t)-1 || st.st_gid != m->gid))
		return fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, which is neither root nor "
		    "the caller nor in the agent's group", path, (uintmax_t)st.st_uid);
	return 0;
}

/*
 * Open PATH for writing, and create it if it is missing.  -EACCES may mean that
 * another member of the group has created it and not set its mode yet.
 */
static int
open_file(const struct pending *m, const char *path, int flags)
{
	for (int i = 0; i < 100; i++) {
		int fd = open(path, flags | O_CREAT | O_EXCL | O_CLOEXEC, m->mode);

		if (fd >= 0) {
			fchmod(fd, m->mode);	/* independent of the umask */
			return fd;
		}
		if (errno == EEXIST)
			fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 || (errno != ENOENT && errno != EINTR))
			return fd < 0 ? -errno : fd;
		/* it was renamed between the two calls: try again */
		if (access(m->dir, F_OK) < 0)
			return -errno;
	}
	return -EBUSY;
}

/* The request is recorded already; a reason that does not fit is not worth an error. */
static int
append_reason(int fd, const char *reason)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char now[CLOCK_TEXT];
	struct stat st;

	if (!*reason || (fstat(fd, &st) == 0 && st.st_size > FILE_MAX))
		return 0;
	buf_printf(&b, "%s %s\n", clock_now(now), reason);
	return io_write_all(fd, b.s, b.len);
}

/* Create the file PATH, or append REASON to it. */
static int
add_to_file(const struct pending *m, const char *path, const char *reason, struct fail *f)
{
	_cleanup_fd_ int fd = open_file(m, path, O_WRONLY | O_APPEND);
	struct stat st;
	int r;

	if (fd == -EACCES && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		return 0;
	if (fd < 0)
		return set_refused(path, fd, f);
	r = check_file(m, fd, path, f);
	if (r == 0)
		(void)append_reason(fd, reason);
	return r;
}

/* "again" comes first: a process that claims "pending" then finds it. */
int
pending_add(const struct pending *m, const char *reason, bool again, struct fail *f)
{
	int r = again ? add_to_file(m, m->again, "", f) : 0;

	return r < 0 ? r : add_to_file(m, m->pending, reason, f);
}

static bool
file_is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool
pending_is_new(const struct pending *m)
{
	return file_is_there(m->pending);
}

bool
pending_exists(const struct pending *m)
{
	return file_is_there(m->pending) || file_is_there(m->sending);
}

/* Rename FROM to TO, which no signal interrupts; 0 also where FROM does not exist. */
static int
rename_file(const char *from, const char *to)
{
	int r;

	do
		r = rename(from, to);
	while (r < 0 && errno == EINTR);
	return r < 0 && errno != ENOENT ? -errno : 0;
}

/* A directory can be renamed as a file can, but not be removed when it was delivered. */
static int
check_regular(const char *path, struct fail *f)
{
	struct stat st;

	return lstat(path, &st) == 0 && !S_ISREG(st.st_mode) ? set_refused(path, EINVAL, f) : 0;
}

int
pending_claim(const struct pending *m, bool *again, struct fail *f)
{
	int r = check_regular(m->sending, f);

	if (r == 0)
		r = check_regular(m->pending, f);
	if (r < 0)
		return r;
	/* a request that is recorded from here on makes a new "pending" */
	r = rename_file(m->pending, m->sending);
	if (r == 0)
		r = rename_file(m->again, m->again_sending);
	if (r < 0)
		return set_refused(m->pending, r, f);
	*again = file_is_there(m->again_sending);
	return *again ? check_regular(m->again_sending, f) : 0;
}

void
pending_reasons(const struct pending *m, struct buf *out)
{
	_cleanup_buf_ struct buf b = BUF_MAX(2 * FILE_MAX);
	struct stat st;
	struct fail f;
	char *rest, *line, *blank;
	size_t begin = out->len;

	if (lstat(m->sending, &st) < 0 || st.st_size == 0 ||
	    file_load(m->sending, FILE_NOFOLLOW, 2 * FILE_MAX, &b, &f) < 0)
		return;
	rest = b.s;
	while ((line = strsep(&rest, "\n"))) {
		blank = strchr(line, ' ');
		if (!blank)
			continue;
		if (out->len - begin + strlen(blank) > REASONS_MAX) {
			buf_puts(out, "; ...");
			return;
		}
		buf_printf(out, "%s%s", out->len > begin ? "; " : "", blank + 1);
	}
}

/* A "pending" recorded meanwhile is overwritten: its reasons are lost, the request is not. */
void
pending_unclaim(const struct pending *m)
{
	(void)rename_file(m->again_sending, m->again);
	(void)rename_file(m->sending, m->pending);
}

static int
remove_file(const char *path)
{
	int r;

	do
		r = unlink(path);
	while (r < 0 && errno == EINTR);
	return r < 0 && errno != ENOENT ? -errno : 0;
}

int
pending_clear(const struct pending *m, bool again, struct fail *f)
{
	int r = remove_file(m->sending);

	if (r == 0 && again)
		r = remove_file(m->again_sending);
	return r < 0 ? set_refused(m->sending, r, f) : 0;
}

/* --- requests for one instance */

static const char of_instance[] = "instance-", of_sending[] = "sending-";

bool
pending_is_instance_name(const char *name)
{
	const size_t n = strlen(name);

	for (const char *s = name; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return n > 0 && n <= PENDING_INSTANCE_MAX;
}

/* DIR/instance-NAME or DIR/sending-NAME, to be freed. */
static char *
instance_path(const struct pending *m, const char *kind, const char *name)
{
	_cleanup_free_ char *encoded = file_encode(name);

	return xconcat(m->dir, "/", kind, encoded, NULL);
}

int
pending_add_instance(const struct pending *m, const char *name, const char *reason, struct fail *f)
{
	_cleanup_free_ char *path = instance_path(m, of_instance, name);

	return add_to_file(m, path, reason, f);
}

static unsigned
hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'A' + 10);
}

/* The name in the file name FILE; NULL where it is none that pending_add_instance() makes. */
static char *
instance_name(const char *file)
{
	static const char hex[] = "0123456789ABCDEF";
	const bool sending = strncmp(file, of_sending, sizeof of_sending - 1) == 0;
	const char *s = file + (sending ? sizeof of_sending : sizeof of_instance) - 1;
	_cleanup_free_ char *name = NULL, *again = NULL;
	char *out;

	name = out = xcalloc(strlen(s) + 1, 1);
	while (*s)
		if (*s == '%' && s[1] && s[2] && strchr(hex, s[1]) && strchr(hex, s[2])) {
			*out++ = (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
			s += 3;
		} else {
			*out++ = *s++;
		}
	if (!pending_is_instance_name(name))
		return NULL;
	again = file_encode(name);
	return strcmp(strchr(file, '-') + 1, again) == 0 ? TAKE_PTR(name) : NULL;
}

static bool
looks_like_instance(const char *file)
{
	return strncmp(file, of_instance, sizeof of_instance - 1) == 0 ||
	    strncmp(file, of_sending, sizeof of_sending - 1) == 0;
}

/*
 * A file that only looks like a request is removed: the path unit would start its
 * service for it over and over.
 */
char *
pending_find_instance(const struct pending *m)
{
	DIR *d = opendir(m->dir);
	const struct dirent *e;
	char *name = NULL;

	while (d && !name && (e = readdir(d))) {
		if (!looks_like_instance(e->d_name))
			continue;
		name = instance_name(e->d_name);
		if (!name && unlinkat(dirfd(d), e->d_name, 0) < 0)
			(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
	return name;
}

int
pending_claim_instance(const struct pending *m, const char *name, struct fail *f)
{
	_cleanup_free_ char *from = instance_path(m, of_instance, name);
	_cleanup_free_ char *to = instance_path(m, of_sending, name);
	int r = check_regular(to, f);

	if (r == 0)
		r = check_regular(from, f);
	if (r < 0)
		return r;
	r = rename_file(from, to);
	return r < 0 ? set_refused(from, r, f) : 0;
}

void
pending_unclaim_instance(const struct pending *m, const char *name)
{
	_cleanup_free_ char *from = instance_path(m, of_sending, name);
	_cleanup_free_ char *to = instance_path(m, of_instance, name);

	(void)rename_file(from, to);
}

int
pending_clear_instance(const struct pending *m, const char *name, struct fail *f)
{
	_cleanup_free_ char *path = instance_path(m, of_sending, name);
	int r = remove_file(path);

	return r < 0 ? set_refused(path, r, f) : 0;
}

/* An earlier version made the lock 0644: others must not be able to lock it. */
static void
restrict_lock(const struct pending *m, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && (st.st_mode & 07777) != m->lock_mode &&
	    (st.st_uid == geteuid() || geteuid() == 0))
		(void)fchmod(fd, m->lock_mode);
}

int
pending_open_lock(const struct pending *m, struct fail *f)
{
	int fd = lock_open(m->lock, m->lock_mode);
	int r;

	if (fd < 0)
		return set_refused(m->lock, fd, f);
	r = check_file(m, fd, m->lock, f);
	if (r < 0)
		close(fd);
	else
		restrict_lock(m, fd);
	return r < 0 ? r : fd;
}

int
pending_write_delivery(const struct pending *m, const char *text, size_t len, struct fail *f)
{
	_cleanup_fd_ int fd = open_file(m, m->delivered, O_WRONLY);
	int r;

	if (fd < 0)
		return set_refused(m->delivered, fd, f);
	r = check_file(m, fd, m->delivered, f);
	if (r < 0)
		return r;
	r = ftruncate(fd, 0) < 0 ? -errno : io_write_all(fd, text, len);
	return r < 0 ? fail_errno(f, r, "%s", m->delivered) : 0;
}

int
pending_read_delivery(const struct pending *m, struct buf *out, struct fail *f)
{
	return file_load(m->delivered, FILE_NOFOLLOW, FILE_MAX, out, f);
}
