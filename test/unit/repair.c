#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/repair.h"

static mode_t
mode_of(const char *path)
{
	struct stat st;

	assert(stat(path, &st) == 0);
	return st.st_mode & 07777;
}

int
main(void)
{
	struct repair r = { .type = S_IFIFO, .uid = geteuid(), .gid = (gid_t)-1, .add = 0020,
	    .remove = 0007 };
	char dir[] = "/tmp/rejoin-repair.XXXXXX";
	_cleanup_buf_ struct buf done = BUF_INIT;
	struct fail f;

	assert(mkdtemp(dir) && chdir(dir) == 0);
	umask(0);
	assert(mkfifo("pipe", 0646) == 0 && symlink("pipe", "link") == 0);
	assert(repair_file("link", &r, &done, &f) < 0 && f.status == EXIT_DENIED);
	assert(mode_of("pipe") == 0646 && done.len == 0);
	/* a pipe without a reader is not opened for use: nothing hangs */
	assert(repair_file("pipe", &r, &done, &f) == 0);
	assert(mode_of("pipe") == 0660 && strcmp(done.s, "set its mode to 0660") == 0);
	buf_reset(&done);
	assert(repair_file("pipe", &r, &done, &f) == 0 && done.len == 0);
	/* another's, or another thing: left as it is */
	r.uid = geteuid() + 1;
	assert(chmod("pipe", 0666) == 0);
	assert(repair_file("pipe", &r, &done, &f) < 0 && f.status == EXIT_DENIED);
	r.uid = (uid_t)-1;
	r.type = S_IFDIR;
	assert(repair_file("pipe", &r, &done, &f) < 0 && mode_of("pipe") == 0666);
	assert(repair_file("none", &r, &done, &f) < 0);
	r = (struct repair){ .type = S_IFDIR, .uid = (uid_t)-1, .gid = getegid(),
	    .add = S_ISGID | S_IRWXG, .remove = S_IRWXO };
	assert(mkdir("dir", 0755) == 0 && repair_file("dir", &r, &done, &f) == 0);
	assert(mode_of("dir") == 02770);
	assert(unlink("pipe") == 0 && unlink("link") == 0 && rmdir("dir") == 0 && rmdir(dir) == 0);
	return 0;
}
