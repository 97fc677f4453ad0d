#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/file.h"
#include "base/io.h"
#include "base/trust.h"
#include "base/xalloc.h"

static char *
parent_path(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return xstrdup(dirname(copy));
}

static int
open_regular(const char *path, int flags, struct stat *st, struct fail *f)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY |
	    (flags & FILE_NOFOLLOW ? O_NOFOLLOW : 0));
	int r;

	if (fd < 0 && errno == ELOOP && flags & FILE_NOFOLLOW)
		return fail_set(f, EXIT_TROUBLE, "%s: is a symbolic link", path);
	if (fd < 0 && errno == ENXIO)
		return fail_set(f, EXIT_TROUBLE, "%s: is not a regular file", path);
	if (fd < 0 || fstat(fd, st) < 0)
		return fail_errno(f, errno, "%s", path);
	if (!S_ISREG(st->st_mode))
		return fail_set(f, EXIT_TROUBLE, "%s: is not a regular file", path);
	r = fd;
	fd = -1;
	return r;
}

static int
contents_load(const char *path, int flags, gid_t group, size_t max, struct buf *out, struct fail *f)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;
	ssize_t n;

	buf_reset(out);
	fd = flags & FILE_TRUSTED ? trust_open(path, group, flags & FILE_NOFOLLOW ? TRUST_NOFOLLOW : 0, f) :
	    open_regular(path, flags, &st, f);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	if ((uintmax_t)st.st_size > max)
		return fail_set(f, EXIT_TROUBLE, "%s: %jd bytes are too many, at most %zu",
		    path, (intmax_t)st.st_size, max);
	/* a short read is the end of a regular file; those of /proc have no size */
	if (st.st_size > 0) {
		buf_reserve(out, (size_t)st.st_size + 1);
		n = io_read(fd, out->s, (size_t)st.st_size + 1);
		if (n < 0)
			return fail_errno(f, (int)n, "%s", path);
		out->len = (size_t)n;
		out->s[n] = '\0';
		if (n <= st.st_size)
			return 0;
	}
	while ((n = io_read_buf(fd, out)) > 0)
		if (out->len > max)
			return fail_set(f, EXIT_TROUBLE, "%s: more than %zu bytes", path, max);
	return n < 0 ? fail_errno(f, (int)n, "%s", path) : 0;
}

int
file_load(const char *path, int flags, size_t max, struct buf *out, struct fail *f)
{
	return contents_load(path, flags, (gid_t)-1, max, out, f);
}

int
file_load_trusted(const char *path, gid_t group, size_t max, struct buf *out, struct fail *f)
{
	return contents_load(path, FILE_TRUSTED, group, max, out, f);
}

/* ".rejoin.XXXXXX", as mkostemp(3) names them. */
void
file_remove_temporaries(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, ".rejoin.", 8) == 0 && strlen(e->d_name) == 14)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

int
file_sync_dir(const char *path)
{
	_cleanup_free_ char *dir = parent_path(path);
	_cleanup_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int
file_replace(const char *path, const void *p, size_t n, mode_t mode, int flags)
{
	_cleanup_free_ char *dir = parent_path(path);
	_cleanup_free_ char *tmp = xasprintf("%s/.rejoin.XXXXXX", dir);
	_cleanup_fd_ int fd = mkostemp(tmp, O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = io_write_all(fd, p, n);
	if (r == 0 && (fchmod(fd, mode) < 0 || (flags & FILE_DURABLE && fsync(fd) < 0)))
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	fd = -1;
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(tmp);
	return r == 0 && flags & FILE_DURABLE ? file_sync_dir(path) : r;
}

/* A device, a FIFO or a link that was renamed over would be gone. */
int
file_write(const char *path, const void *p, size_t n)
{
	mode_t mask = umask(0);
	struct stat st;
	int fd, r;

	umask(mask);
	if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
		return file_replace(path, p, n, 0666 & ~mask, 0);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	if (fd < 0)
		return -errno;
	r = io_write_all(fd, p, n);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static int
make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		return chmod(path, mode) < 0 ? -errno : 0;	/* whatever the umask */
	return errno == EEXIST ? 0 : -errno;
}

/* From the end: most often only the last one is missing. */
int
file_make_dirs(const char *path, mode_t mode)
{
	_cleanup_free_ char *above = NULL;
	int r = make_dir(path, mode);

	if (r != -ENOENT)
		return r;
	above = parent_path(path);
	if (strcmp(above, path) == 0)
		return r;
	r = file_make_dirs(above, mode);
	return r < 0 ? r : make_dir(path, mode);
}

int
file_make_trusted_dir(const char *path, struct fail *f)
{
	const int r = file_make_dirs(path, 0755);

	return r < 0 ? fail_errno(f, r, "%s", path) : trust_check_dir(path, (gid_t)-1, f);
}

enum { REMOVE_DEPTH = 32, REMOVE_PASSES = 1 << 16 };

/* The removal of a tree.  What is deeper than REMOVE_DEPTH is moved up first: each level takes a descriptor. */
struct removal {
	int top;
	dev_t dev;
	unsigned long moves;	/* of the current pass */
};

static int remove_at(struct removal *rm, int dir, const char *name, int depth);

/* All that is in the directory FD, which is closed; what stays keeps nothing else there. */
static int
remove_below(struct removal *rm, int fd, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int r = 0, one;

	if (!d) {
		r = -errno;
		close(fd);
		return r;
	}
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		one = remove_at(rm, dirfd(d), e->d_name, depth);
		if (one < 0)
			r = one;
	}
	closedir(d);
	return r;
}

/* The directory NAME of DIR under a new name in the top directory, for the next pass. */
static int
move_up(struct removal *rm, int dir, const char *name)
{
	char new[48];
	int r;

	do {
		snprintf(new, sizeof new, ".rejoin-removed.%lu", rm->moves++);
		r = renameat2(dir, name, rm->top, new, RENAME_NOREPLACE);
	} while (r < 0 && errno == EEXIST && rm->moves < REMOVE_PASSES);
	return r < 0 ? -errno : 0;
}

/*
 * By descriptors, not by paths: another user with write permission below could
 * replace a directory by a link while it is entered.
 */
static int
remove_at(struct removal *rm, int dir, const char *name, int depth)
{
	struct stat st;
	int fd, r;

	r = discard_at(dir, name);
	if (r == 0 || r == -ENOENT)
		return 0;
	if (r != -EISDIR)
		return r;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != rm->dev) {
		r = fd < 0 ? -errno : -EXDEV;
		io_closep(&fd);
		return r;
	}
	if (depth == REMOVE_DEPTH) {
		close(fd);
		return move_up(rm, dir, name);
	}
	r = remove_below(rm, fd, depth + 1);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int
file_remove_tree(const char *path)
{
	_cleanup_fd_ int top = -1;
	struct removal rm = { .moves = 0 };
	struct stat st;
	int r = 0;

	r = discard_at(AT_FDCWD, path);
	if (r == 0 || r == -ENOENT)
		return 0;
	if (r != -EISDIR)
		return r;
	r = 0;
	top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0 || fstat(top, &st) < 0)
		return -errno;
	rm.top = top;
	rm.dev = st.st_dev;
	for (int pass = 0; pass < REMOVE_PASSES && r == 0; pass++) {
		int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		rm.moves = 0;
		r = fd < 0 ? -errno : remove_below(&rm, fd, 1);
		if (rm.moves == 0)
			break;
	}
	return r == 0 && rmdir(path) < 0 && errno != ENOENT ? -errno : r;
}

char *
file_encode(const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	struct buf b = BUF_INIT;
	uint64_t hash = UINT64_C(14695981039346656037);	/* FNV-1a */

	for (const char *s = name; *s; s++) {
		hash = (hash ^ (unsigned char)*s) * UINT64_C(1099511628211);
		if (b.len > 180)
			continue;
		if (strchr(plain, *s) || (*s == '.' && s > name))
			buf_putc(&b, *s);
		else
			buf_printf(&b, "%%%02X", (unsigned char)*s);
	}
	if (b.len > 180)
		buf_printf(&b, "%%%016jX", (uintmax_t)hash);
	if (b.len == 0)
		buf_putc(&b, '%');
	return buf_steal(&b);
}

int
file_open_nameless(void)
{
	const char *dir = getenv("TMPDIR");
	int fd = dir && *dir ? open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}
