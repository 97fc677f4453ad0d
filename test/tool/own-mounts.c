/*
 * own-mounts CMD [ARGS] - execute CMD in a mount namespace of its own whose mounts are
 * private, in a chroot, too, where "unshare --mount" fails: there the root is no mount,
 * so its propagation cannot be set by its name.
 *
 * The way to the namespace's own root is the one that chroot(2) describes: a process
 * whose working directory is above its root can walk up.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"

static bool
is_top(void)
{
	struct stat here, above;

	return stat(".", &here) < 0 || stat("..", &above) < 0 ||
	    (here.st_dev == above.st_dev && here.st_ino == above.st_ino);
}

/* Make all mounts private from the namespace's own root, and return to the chroot. */
static int
make_private_above(void)
{
	char below[] = "/tmp/own-mounts.XXXXXX";
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (root < 0 || cwd < 0 || !mkdtemp(below))
		return -1;
	r = chroot(below);
	rmdir(below);
	if (r < 0 || fchdir(root) < 0)
		return -1;
	while (!is_top())
		if (chdir("..") < 0)
			return -1;
	if (chroot(".") < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return fchdir(root) < 0 || chroot(".") < 0 || fchdir(cwd) < 0 ? -1 : 0;
}

int
main(int argc, char *argv[])
{
	diag_init(argv);
	if (argc < 2)
		die(EXIT_USAGE, 0, "requires a command");
	if (unshare(CLONE_NEWNS) < 0 || (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 &&
	    (errno != EINVAL || make_private_above() < 0)))
		die(EXIT_TROUBLE, errno, "mount namespace");
	execvp(argv[1], argv + 1);
	die(EXIT_TROUBLE, errno, "%s", argv[1]);
}
