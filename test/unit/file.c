#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trust.h"
#include "base/xalloc.h"

static char *
load(const char *path, int flags, size_t max, struct fail *f)
{
	struct buf b = BUF_INIT;
	int r = file_load(path, flags, max, &b, f);

	if (r < 0) {
		buf_release(&b);
		errno = -r;
		return NULL;
	}
	return buf_steal(&b);
}

static void
is_read_whole_and_bounded(void)
{
	_cleanup_free_ char *s = NULL;
	struct fail f;

	assert(file_replace("a", "0123456789", 10, 0640, 0) == 0);
	s = load("a", 0, 10, &f);
	assert(s && strcmp(s, "0123456789") == 0);
	assert(!load("a", 0, 9, &f) && f.status == EXIT_TROUBLE && strstr(f.text, "too many"));
	assert(!load("none", 0, 9, &f) && errno == ENOENT);
}

static void
what_is_no_file_is_refused(void)
{
	_cleanup_free_ char *s = NULL;
	struct fail f;

	assert(symlink("a", "link") == 0 && mkfifo("pipe", 0600) == 0 && mkdir("dir", 0700) == 0);
	s = load("link", 0, 10, &f);
	assert(s);
	assert(!load("link", FILE_NOFOLLOW, 10, &f) && strstr(f.text, "symbolic link"));
	assert(!load("pipe", 0, 10, &f) && strstr(f.text, "not a regular file"));
	assert(!load("dir", 0, 10, &f));
	assert(!load("/dev/zero", 0, 10, &f) && strstr(f.text, "not a regular file"));
}

static void
what_others_may_write_is_not_trusted(void)
{
	_cleanup_free_ char *s = NULL;
	struct fail f;

	s = load("a", FILE_TRUSTED, 10, &f);
	assert(s && trust_check("a", (gid_t)-1, &f) == 0);
	assert(chmod("a", 0666) == 0);
	assert(!load("a", FILE_TRUSTED, 10, &f) && f.status == EXIT_DENIED);
	assert(strstr(f.text, "a: writable by others (mode 0666)"));
	assert(chmod("a", 0644) == 0 && chmod(".", 0777) == 0);
	assert(!load("a", FILE_TRUSTED, 10, &f) && f.status == EXIT_DENIED);
	assert(chmod(".", 0755) == 0);
	if (geteuid() != 0)
		return;
	assert(chown("a", 1, 0) == 0 && !load("a", FILE_TRUSTED, 10, &f) && f.status == EXIT_DENIED);
	assert(chown("a", 0, 4711) == 0 && chmod("a", 0664) == 0);
	assert(!load("a", FILE_TRUSTED, 10, &f) && strstr(f.text, "writable by group 4711"));
	assert(trust_check("a", 4711, &f) == 0 && trust_check("a", 4712, &f) < 0);
	assert(chown("a", 0, 0) == 0);
}

static void
is_replaced_whole(void)
{
	_cleanup_free_ char *s = NULL;
	struct stat st;
	struct fail f;

	umask(077);
	assert(file_replace("a", "new", 3, 0664, FILE_DURABLE) == 0);
	umask(022);
	assert(stat("a", &st) == 0 && (st.st_mode & 07777) == 0664);
	s = load("a", 0, 10, &f);
	assert(strcmp(s, "new") == 0);
	assert(file_replace("link", "x", 1, 0600, 0) == 0);	/* the link itself */
	assert(lstat("link", &st) == 0 && S_ISREG(st.st_mode));
	assert(file_replace("none/a", "x", 1, 0600, 0) == -ENOENT);
	assert(file_replace("dir", "x", 1, 0600, 0) < 0);
	assert(system("test -z \"$(find . -name '.rejoin.*')\"") == 0);
}

static size_t
descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* As on a full disk: the old file stays, and nothing of the new one. */
static void
what_cannot_be_written_leaves_nothing(void)
{
	const struct rlimit none = { 0, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
	const size_t before = descriptors();
	_cleanup_free_ char *s = NULL;
	struct fail f;

	signal(SIGXFSZ, SIG_IGN);
	assert(setrlimit(RLIMIT_FSIZE, &none) == 0);
	assert(file_replace("a", "newer", 5, 0644, 0) == -EFBIG);
	assert(setrlimit(RLIMIT_FSIZE, &all) == 0);
	assert(descriptors() == before);
	s = load("a", 0, 10, &f);
	assert(strcmp(s, "new") == 0);
	assert(system("test -z \"$(find . -name '.rejoin.*')\"") == 0);
}

static void
trees_come_and_go(void)
{
	struct stat st;

	assert(file_make_dirs("t/u/v", 0750) == 0 && file_make_dirs("t/u/v", 0700) == 0);
	assert(stat("t/u", &st) == 0 && (st.st_mode & 07777) == 0750);
	assert(file_make_dirs("a/b", 0700) < 0);
	assert(symlink("..", "t/u/up") == 0 && file_replace("t/u/v/f", "", 0, 0600, 0) == 0);
	assert(file_remove_tree("t") == 0 && access("t", F_OK) < 0 && access("a", F_OK) == 0);
}

/* Deeper than there are descriptors, and than a path can name. */
static void
deep_trees_are_removed(void)
{
	int fd, top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert(mkdir("deep", 0700) == 0);
	fd = openat(top, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		int next;

		assert(mkdirat(fd, "a-folder-in-a-folder", 0700) == 0 && mkdirat(fd, "beside", 0700) == 0);
		next = openat(fd, "a-folder-in-a-folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert(file_remove_tree("deep") == 0 && access("deep", F_OK) < 0 && access("a", F_OK) == 0);
	close(top);
}

static const struct {
	const char *name, *file;
} names[] = {
	{ "camera-1_A.b", "camera-1_A.b" }, { "", "%" }, { ".", "%2E" }, { "..", "%2E." },
	{ "a/b", "a%2Fb" }, { "a%b", "a%25b" }, { ".hidden", "%2Ehidden" }, { "\xc3\xa4", "%C3%A4" },
	{ "a b\n", "a%20b%0A" },
};

static void
names_are_encoded(void)
{
	char one[1001], two[1001];
	_cleanup_free_ char *a = NULL, *b = NULL;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		_cleanup_free_ char *s = file_encode(names[i].name);

		if (strcmp(s, names[i].file) != 0) {
			printf("file: '%s' is encoded as '%s'\n", names[i].name, s);
			exit(1);
		}
	}
	memset(one, 'x', 1000);
	one[1000] = '\0';
	strcpy(two, one);
	two[999] = 'y';
	a = file_encode(one);
	b = file_encode(two);
	assert(strlen(a) <= 200 && strcmp(a, b) != 0);
}

int
main(void)
{
	char dir[] = "/tmp/rejoin-file.XXXXXX";

	assert(mkdtemp(dir) && chdir(dir) == 0 && chmod(".", 0755) == 0);
	umask(022);
	is_read_whole_and_bounded();
	what_is_no_file_is_refused();
	what_others_may_write_is_not_trusted();
	is_replaced_whole();
	what_cannot_be_written_leaves_nothing();
	trees_come_and_go();
	deep_trees_are_removed();
	names_are_encoded();
	return file_remove_tree(dir) < 0;
}
