#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/trust.h"
#include "base/xalloc.h"

enum { LINKS_MAX = 40, OVERFLOW_UID = 65534 };

struct walk {
	const char *path;	/* as given, for messages */
	gid_t group;
	struct fail *f;
	int fd;			/* O_PATH: the directory reached so far */
	struct stat dir;	/* of it, unless IS_NEW */
	bool is_new;
	struct buf done;	/* its path without links; "" for "/" */
	char *rest;		/* the path, or what a link made of it */
	const char *left;	/* in REST: what is still to come */
	int links;
};

/* --- owners and modes */

/* Is GID the caller's primary group, named like it, with no other member? */
static bool
is_private_group(gid_t gid)
{
	const uid_t uid = geteuid();
	const struct passwd *pw = uid == 0 ? NULL : getpwuid(uid);
	_cleanup_free_ char *name = pw ? xstrdup(pw->pw_name) : NULL;
	const struct group *gr;

	if (!pw || pw->pw_gid != gid)
		return false;
	gr = getgrgid(gid);
	if (!gr || strcmp(gr->gr_name, name) != 0)
		return false;
	for (char **m = gr->gr_mem; *m; m++)
		if (strcmp(*m, name) != 0)
			return false;
	return true;
}

/* Has uid 0 of the machine no uid here?  Then its files are shown as the overflow uid's. */
static bool
is_without_root(void)
{
	unsigned long first, outer, count;
	FILE *map = fopen("/proc/self/uid_map", "re");
	bool whole = false;

	if (!map)
		return false;
	while (fscanf(map, "%lu %lu %lu", &first, &outer, &count) == 3)
		whole |= outer == 0;
	fclose(map);
	return !whole;
}

/* WHAT, and the cure CURE, of the directory DONE, or of the file where IS_FILE. */
static int
walk_refuse(struct walk *w, bool is_file, const char *what, const char *cure)
{
	const char *where = w->done.len ? w->done.s : "/";
	int r = is_file ? fail_set(w->f, EXIT_DENIED, "%s: %s", w->path, what) :
	    fail_set(w->f, EXIT_DENIED, "%.200s: directory %.200s is %s", w->path, where, what);

	fail_hint(w->f, "%s %s", cure, where);
	return r;
}

/* DONE is the object of ST, and NEXT, for a directory, what follows in it. */
static int
check_object(struct walk *w, const struct stat *st, bool is_last, const struct stat *next)
{
	const bool is_dir = next != NULL, group_write = st->st_mode & S_IWGRP;
	const unsigned mode = st->st_mode & 07777;
	_cleanup_free_ char *what = NULL;

	if (st->st_uid != 0 && st->st_uid != geteuid() && !(is_dir && st->st_uid == OVERFLOW_UID &&
	    !(mode & (S_IWGRP | S_IWOTH)) && is_without_root())) {
		what = xasprintf("owned by uid %ju, which is neither root nor the caller", (uintmax_t)st->st_uid);
		return walk_refuse(w, !is_dir, what, "chown root");
	}
	/* a name that is another user's could be replaced by that user */
	if (is_dir && (mode & S_ISVTX) && st->st_uid == 0) {
		if (next->st_uid == 0 || next->st_uid == geteuid())
			return 0;
		what = xasprintf("sticky, and what is used in it is owned by uid %ju", (uintmax_t)next->st_uid);
		return walk_refuse(w, false, what, "move it out of");
	}
	if (mode & S_IWOTH) {
		what = xasprintf("writable by others (mode %04o)", mode);
		return walk_refuse(w, !is_dir, what, "chmod o-w");
	}
	if (!group_write || st->st_gid == 0 || (is_last && st->st_gid == w->group) || is_private_group(st->st_gid))
		return 0;
	what = xasprintf("writable by group %ju (mode %04o)", (uintmax_t)st->st_gid, mode);
	return walk_refuse(w, !is_dir, what, "chmod g-w");
}

/* --- the walk */

static const char *
slashes_skip(const char *s)
{
	while (*s == '/')
		s++;
	return s;
}

/* LEFT without its first component, which is copied to NAME; false at the end. */
static bool
next_name(struct walk *w, char name[NAME_MAX + 1])
{
	const char *s = slashes_skip(w->left);
	size_t len = (size_t)(strchrnul(s, '/') - s);

	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(name, s, len);
	name[len] = '\0';
	w->left = s + len;
	return true;
}

static int
go_to_root(struct walk *w)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	io_closep(&w->fd);
	w->fd = fd;
	w->is_new = true;
	buf_reset(&w->done);
	return 0;
}

static int
link_follow(struct walk *w, int link)
{
	/* not on the stack: each page of it that is touched takes as long as several calls */
	_cleanup_free_ char *target = xrealloc(NULL, PATH_MAX, 1);
	char *rest;
	ssize_t n = readlinkat(link, "", target, PATH_MAX - 1);

	if (n < 0)
		return -errno;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	target[n] = '\0';
	if (strlen(target) + strlen(w->left) >= PATH_MAX)
		return -ENAMETOOLONG;
	rest = xconcat(target, w->left, NULL);
	free(w->rest);
	w->left = w->rest = rest;
	return *target == '/' ? go_to_root(w) : 0;
}

static int
go_up(struct walk *w)
{
	const char *slash = strrchr(w->done.s, '/');
	int fd = openat(w->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	io_closep(&w->fd);
	w->fd = fd;
	w->is_new = true;
	if (slash) {
		w->done.len = (size_t)(slash - w->done.s);
		w->done.s[w->done.len] = '\0';
	}
	return 0;
}

static bool
is_at_end(const struct walk *w)
{
	return *slashes_skip(w->left) == '\0';
}

/* One component; 1 where it is the file, whose O_PATH descriptor FD is then. */
static int
walk_step(struct walk *w, const char *name, int flags, int *file)
{
	_cleanup_fd_ int fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || (w->is_new && fstat(w->fd, &w->dir) < 0))
		return fail_errno(w->f, errno, "%s", w->path);
	w->is_new = false;
	r = check_object(w, &w->dir, is_at_end(w), &st);
	if (r < 0)
		return r;
	if (S_ISLNK(st.st_mode)) {
		if (is_at_end(w) && flags & TRUST_NOFOLLOW)
			return fail_set(w->f, EXIT_TROUBLE, "%s: is a symbolic link", w->path);
		r = link_follow(w, fd);
		return r < 0 ? fail_errno(w->f, r, "%s", w->path) : 0;
	}
	buf_putc(&w->done, '/');
	buf_puts(&w->done, name);
	if (w->done.len >= PATH_MAX)
		return fail_errno(w->f, ENAMETOOLONG, "%s", w->path);
	if (is_at_end(w)) {
		if (!S_ISREG(st.st_mode))
			return fail_set(w->f, EXIT_TROUBLE, "%s: is not a regular file", w->path);
		r = check_object(w, &st, true, NULL);
		if (r < 0)
			return r;
		*file = fd;
		fd = -1;
		return 1;
	}
	if (!S_ISDIR(st.st_mode))
		return fail_errno(w->f, ENOTDIR, "%s", w->path);
	io_closep(&w->fd);
	w->fd = fd;
	w->dir = st;
	fd = -1;
	return 0;
}

static int
walk_begin(struct walk *w)
{
	_cleanup_free_ char *cwd = NULL;
	int r = go_to_root(w);

	if (r < 0)
		return fail_errno(w->f, r, "/");
	if (*w->path == '/')
		w->rest = xstrdup(w->path);
	else if ((cwd = getcwd(NULL, 0)))
		w->rest = xasprintf("%s/%s", cwd, w->path);
	else
		return fail_errno(w->f, errno, "%s", w->path);
	w->left = w->rest;
	return strlen(w->rest) < PATH_MAX ? 0 : fail_errno(w->f, ENAMETOOLONG, "%s", w->path);
}

/* An O_PATH descriptor of the file; one of its directory in *DIR and its name in LAST, unless they are NULL. */
static int
path_walk(const char *path, gid_t group, int flags, int *dir, char *last, struct fail *f)
{
	struct walk walk = { .path = path, .group = group, .f = f, .fd = -1, .done = BUF_INIT }, *w = &walk;
	char name[NAME_MAX + 1];
	int file = -1, r;

	r = walk_begin(w);
	while (r == 0) {
		if (!next_name(w, name))
			r = fail_set(f, EXIT_TROUBLE, "%s: is not a regular file", path);
		else if (strcmp(name, "..") == 0)
			r = go_up(w);
		else if (strcmp(name, ".") != 0)
			r = walk_step(w, name, flags, &file);
	}
	if (dir && r >= 0) {
		*dir = w->fd;
		w->fd = -1;
		memcpy(last, name, sizeof name);
	}
	io_closep(&w->fd);
	free(w->rest);
	buf_release(&w->done);
	return r < 0 ? r : file;
}

static bool
is_same_file(int a, int b)
{
	struct stat s, t;

	return fstat(a, &s) == 0 && fstat(b, &t) == 0 && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

int
trust_open(const char *path, gid_t group, int flags, struct fail *f)
{
	char last[NAME_MAX + 1], proc[32];
	_cleanup_fd_ int dir = -1;
	_cleanup_fd_ int file = path_walk(path, group, flags, &dir, last, f);
	int fd;

	if (file < 0)
		return file;
	/* by the name in its directory, which takes half as long as by /proc, if it is still the same file */
	fd = openat(dir, last, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && is_same_file(fd, file))
		return fd;
	io_closep(&fd);
	/* the same inode: the link in /proc is of the descriptor, not of the name */
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", file);
	fd = open(proc, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? fail_errno(f, errno, "%s", path) : fd;
}

int
trust_check(const char *path, gid_t group, struct fail *f)
{
	_cleanup_fd_ int file = path_walk(path, group, 0, NULL, NULL, f);

	return file < 0 ? file : 0;
}

int
trust_check_dir(const char *path, gid_t group, struct fail *f)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		r = fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, which is neither root nor the caller", path,
		    (uintmax_t)st.st_uid);
		fail_hint(f, "chown root %s", path);
	} else if (st.st_mode & S_IWOTH || (st.st_mode & S_IWGRP && st.st_gid != 0 && st.st_gid != group &&
	    !is_private_group(st.st_gid))) {
		r = fail_set(f, EXIT_DENIED, "%s: writable by %s (mode %04o)", path,
		    st.st_mode & S_IWOTH ? "others" : "its group", st.st_mode & 07777);
		fail_hint(f, "chmod go-w %s", path);
	}
	return r;
}
