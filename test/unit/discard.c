#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/discard.h"
#include "base/file.h"
#include "base/io.h"

enum { LARGE = 24 << 20, WAIT_MS = 60000 };

static void
make(const char *path, size_t bytes)
{
	static const char block[1 << 16] = "x";
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert(fd >= 0);
	for (size_t n = 0; n < bytes; n += sizeof block)
		assert(io_write_all(fd, block, sizeof block) == 0);
	close(fd);
}

static bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* The kernel reports IN_DELETE_SELF when an inode is gone, not when its name is. */
static bool
is_freed(int watches)
{
	struct inotify_event e[8];
	struct pollfd p = { .fd = watches, .events = POLLIN };

	while (poll(&p, 1, WAIT_MS) > 0) {
		ssize_t n = read(watches, e, sizeof e);

		for (ssize_t i = 0; i < n / (ssize_t)sizeof *e; i++)
			if (e[i].mask & IN_DELETE_SELF)
				return true;
	}
	return false;
}

static void
large_ones_go_by_a_process_that_is_no_child_of_ours(void)
{
	int watches = inotify_init1(IN_CLOEXEC), pipes[2];
	char c;

	assert(mkdir("tree", 0700) == 0 && pipe(pipes) == 0);
	for (int i = 0; i < 2; i++) {
		const char *path = i == 0 ? "large" : "tree/large";

		make(path, LARGE);
		assert(inotify_add_watch(watches, path, IN_DELETE_SELF) >= 0);
		assert(i == 0 ? discard_at(AT_FDCWD, path) == 0 : file_remove_tree("tree") == 0);
		assert(!is_there(path) && waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
		assert(is_freed(watches));
	}
	/* nor has it anything else of ours */
	close(pipes[1]);
	assert(read(pipes[0], &c, 1) == 0);
	close(pipes[0]);
	close(watches);
}

static void
the_rest_is_as_with_unlink(void)
{
	make("small", 100);
	make("named", LARGE);
	assert(link("named", "other") == 0 && symlink("named", "link") == 0 && mkdir("dir", 0700) == 0);
	assert(discard_at(AT_FDCWD, "small") == 0 && !is_there("small"));
	assert(discard_at(AT_FDCWD, "link") == 0 && !is_there("link") && is_there("named"));
	assert(discard_at(AT_FDCWD, "named") == 0 && !is_there("named") && is_there("other"));
	assert(discard_at(AT_FDCWD, "dir") == -EISDIR && is_there("dir"));
	assert(discard_at(AT_FDCWD, "none") == -ENOENT);
}

int
main(void)
{
	char dir[] = "discard.XXXXXX";

	assert(mkdtemp(dir) && chdir(dir) == 0);
	large_ones_go_by_a_process_that_is_no_child_of_ours();
	the_rest_is_as_with_unlink();
	assert(chdir("..") == 0 && file_remove_tree(dir) == 0);
	return 0;
}
