#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "hub/intake.h"

static bool
is_there(const char *dir, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/in/%s", dir, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

static void
file_make(const char *dir, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/in/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert(fd >= 0 && close(fd) == 0);
}

/* What killed senders have left goes, once nothing can be writing it; submissions stay. */
static void
check_sweep(const char *dir)
{
	struct intake in = { .dir = dir };
	_cleanup_free_ char *held = xasprintf("%s/in/.held", dir), *empty = xasprintf("%s/in/.empty", dir);
	const int64_t now = clock_wall_ms();

	file_make(dir, ".5.tmp");
	file_make(dir, "1000000.7");
	assert(mkdir(held, 0700) == 0 && mkdir(empty, 0700) == 0);
	file_make(dir, ".held/x");
	intake_sweep(&in, now);
	intake_sweep(&in, now + SUBMISSION_DONE_MS - 60000);
	assert(is_there(dir, ".5.tmp") && is_there(dir, ".empty"));
	intake_sweep(&in, now + SUBMISSION_DONE_MS + 60000);
	assert(!is_there(dir, ".5.tmp") && !is_there(dir, ".empty"));
	assert(is_there(dir, "1000000.7") && is_there(dir, ".held/x"));
	intake_release(&in);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/intake.XXXXXX", tmp ? tmp : "/tmp");
	_cleanup_free_ char *in = NULL;

	assert(mkdtemp(dir));
	in = xasprintf("%s/in", dir);
	assert(mkdir(in, 0700) == 0);
	check_sweep(dir);
	free(dir);
	return 0;
}
