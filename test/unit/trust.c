/* Whose files are used: each directory on the way, links, sticky directories, groups. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trust.h"
#include "base/xalloc.h"

enum { OTHER = 4711 };	/* a uid and gid that nothing here belongs to */

static struct fail f;

static bool
is_trusted(const char *path)
{
	return trust_check(path, (gid_t)-1, &f) == 0;
}

/* PATH is refused, with WHAT in the message and CURE in the hint. */
static bool
is_refused(const char *path, const char *what, const char *cure)
{
	return trust_check(path, (gid_t)-1, &f) < 0 && f.status == EXIT_DENIED && strstr(f.text, what) &&
	    strstr(f.hint, cure);
}

static void
each_directory_counts(void)
{
	assert(is_trusted("a/b/c/file"));
	assert(chmod("a", 0777) == 0);
	assert(is_refused("a/b/c/file", "/a is writable by others (mode 0777)", "chmod o-w "));
	assert(is_refused("a/b/../b/c/file", "/a is writable by others", "chmod o-w "));
	assert(is_refused("./a/b/c/./file", "/a is writable by others", "chmod o-w "));
	assert(chmod("a", 0755) == 0 && chmod("a/b", 0775) == 0);
	assert(chown("a/b", 0, OTHER) == 0);
	assert(is_refused("a/b/c/file", "is writable by group 4711", "chmod g-w "));
	/* the group that may write may write to the file and its directory alone */
	assert(trust_check("a/b/c/file", OTHER, &f) < 0);
	assert(chown("a/b", 0, 0) == 0 && is_trusted("a/b/c/file"));	/* root's group is root */
	assert(chmod("a/b", 0755) == 0);
	assert(chown("a/b/c", 0, OTHER) == 0 && chmod("a/b/c", 0775) == 0);
	assert(trust_check("a/b/c/file", OTHER, &f) == 0 && !is_trusted("a/b/c/file"));
	assert(chown("a/b/c", OTHER, 0) == 0 && chmod("a/b/c", 0755) == 0);
	assert(is_refused("a/b/c/file", "owned by uid 4711, which is neither root nor the caller", "chown root "));
	assert(chown("a/b/c", 0, 0) == 0);
}

static void
sticky_directories(void)
{
	assert(mkdir("s", 0755) == 0 && chmod("s", 01777) == 0);
	assert(mkdir("s/mine", 0755) == 0 && file_replace("s/mine/file", "x", 1, 0644, 0) == 0);
	assert(file_replace("s/file", "x", 1, 0644, 0) == 0);
	assert(is_trusted("s/mine/file") && is_trusted("s/file"));
	assert(mkdir("s/theirs", 0755) == 0 && chown("s/theirs", OTHER, 0) == 0);
	assert(file_replace("s/theirs/file", "x", 1, 0644, 0) == 0);
	assert(is_refused("s/theirs/file", "is sticky, and what is used in it is owned by uid 4711", "move it out of "));
	/* a link of another user's, to a file that is trusted */
	assert(symlink("../a/b/c/file", "s/link") == 0 && lchown("s/link", OTHER, 0) == 0);
	assert(!is_trusted("s/link"));
	/* sticky, and not root's */
	assert(chown("s", OTHER, 0) == 0 && !is_trusted("s/mine/file"));
	assert(chown("s", 0, 0) == 0);
}

static void
links(void)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	_cleanup_free_ char *absolute = xasprintf("%s/a/b/c", cwd);
	int fd;

	assert(symlink("a/b", "down") == 0 && symlink(absolute, "abs") == 0 && symlink("a/b/c/file", "leaf") == 0);
	assert(is_trusted("down/c/file") && is_trusted("abs/file") && is_trusted("leaf"));
	fd = trust_open("leaf", (gid_t)-1, TRUST_NOFOLLOW, &f);
	assert(fd < 0 && strstr(f.text, "symbolic link"));
	assert(mkdir("open", 0755) == 0 && chmod("open", 0777) == 0 && symlink("../a/b/c/file", "open/link") == 0);
	assert(!is_trusted("open/link"));	/* the link can be replaced */
	assert(file_replace("open/file", "x", 1, 0644, 0) == 0 && symlink("open/file", "to") == 0);
	assert(!is_trusted("to"));		/* the file can */
	assert(symlink("l2", "l1") == 0 && symlink("l1", "l2") == 0 && trust_check("l1", (gid_t)-1, &f) == -ELOOP);
}

static void
files(void)
{
	char text[8] = "";
	int fd = trust_open("a/b/c/file", (gid_t)-1, 0, &f);

	assert(fd >= 0 && read(fd, text, sizeof text) == 1 && *text == 'x');
	close(fd);
	assert(trust_check("a/b/none", (gid_t)-1, &f) == -ENOENT);
	assert(trust_check("a/b/c/file/x", (gid_t)-1, &f) == -ENOTDIR);
	assert(trust_check("a/b", (gid_t)-1, &f) < 0 && strstr(f.text, "not a regular file"));
	assert(mkfifo("a/pipe", 0600) == 0);
	assert(trust_check("a/pipe", (gid_t)-1, &f) < 0 && strstr(f.text, "not a regular file"));
	assert(chown("a/b/c/file", 65534, 0) == 0);
	assert(!is_trusted("a/b/c/file"));	/* never a file of the overflow uid */
	assert(chown("a/b/c/file", 0, 0) == 0);
}

int
main(void)
{
	_cleanup_free_ char *dir = xasprintf("%s/rejoin-trust.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	if (geteuid() != 0) {
		printf("not root: owners cannot be set\n");
		return 0;
	}
	umask(022);
	assert(mkdtemp(dir) && chmod(dir, 0755) == 0 && chdir(dir) == 0);
	assert(file_make_dirs("a/b/c", 0755) == 0 && file_replace("a/b/c/file", "x", 1, 0644, 0) == 0);
	each_directory_counts();
	sticky_directories();
	links();
	files();
	assert(chdir("/") == 0);
	return file_remove_tree(dir) < 0;
}
