#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"

static void
excludes(void)
{
	struct stat st;
	int a, b;

	umask(077);
	a = lock_open("lock", 0660);
	umask(022);
	b = lock_open("lock", 0600);
	assert(a >= 0 && b >= 0 && fstat(a, &st) == 0 && (st.st_mode & 07777) == 0660);
	assert(lock_is_held(b) == 0 && lock_try(a) == 0 && lock_try(a) == 0);
	assert(lock_is_held(b) == 1 && lock_is_held(a) == 0 && lock_try(b) == -EAGAIN);
	lock_release(a);
	assert(lock_try(b) == 0);
	close(b);		/* that frees it as well */
	assert(lock_try(a) == 0);
	close(a);
}

static void
waits(void)
{
	int a = lock_open("lock", 0600), b = lock_open("lock", 0600);
	int read_only = open("lock", O_RDONLY | O_CLOEXEC);
	int64_t begin = clock_mono_ms();
	pid_t pid;

	assert(lock_try(a) == 0);
	assert(lock_wait(b, 0) == -ETIMEDOUT && lock_wait(b, 50) == -ETIMEDOUT);
	assert(clock_mono_ms() - begin >= 50);
	assert(lock_wait_free(read_only, 20) == -ETIMEDOUT && lock_is_held(read_only) == 1);
	pid = fork();
	if (pid == 0) {		/* shares the description, so its release frees it */
		clock_sleep_ms(50);
		lock_release(a);
		_exit(0);
	}
	assert(lock_wait_free(read_only, 10000) == 0);
	assert(lock_wait(b, 10000) == 0 && lock_try(a) == -EAGAIN);
	lock_release(b);
	assert(waitpid(pid, NULL, 0) == pid && lock_wait(a, -1) == 0);
	close(a);
	close(b);
	close(read_only);
}

static void
follows_no_link(void)
{
	assert(symlink("lock", "link") == 0);
	assert(lock_open("link", 0600) == -ELOOP);
	assert(lock_open("none/lock", 0600) == -ENOENT);
}

int
main(void)
{
	char dir[] = "/tmp/rejoin-lock.XXXXXX";

	assert(mkdtemp(dir) && chdir(dir) == 0);
	excludes();
	waits();
	follows_no_link();
	return file_remove_tree(dir) < 0;
}
