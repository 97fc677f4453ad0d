/* Changes of files that are reported, and that are polled where inotify does not work. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/filewatch.h"
#include "base/inotify.h"
#include "base/xalloc.h"

enum { POLL_MS = 50, LONG_POLL_MS = 600 * 1000, QUIET_MS = 60, WAIT_MS = 5000 };

static struct loop *loop;
static int n_calls;
static bool had_names;

static void
changed(bool names, void *cookie)
{
	(void)cookie;
	n_calls++;
	had_names |= names;
	loop_stop(loop, 1);
}

static void
waited(void *cookie)
{
	(void)cookie;
	loop_stop(loop, 0);
}

/* Is there a call within MS? */
static bool
is_called(int64_t ms)
{
	struct loop_timer t = { .fn = waited };
	int r;

	loop_timer_set(loop, &t, ms);
	r = loop_run(loop);
	loop_timer_stop(loop, &t);
	return r == 1;
}

/* Calls are hints: several may come for one change. */
static void
drain(void)
{
	while (is_called(QUIET_MS))
		;
	n_calls = 0;
	had_names = false;
}

static void
put_file(const char *path, const char *text)
{
	assert(file_replace(path, text, strlen(text), 0644, 0) == 0);
}

static struct filewatch *
begin(const char *path, int flags, int64_t poll_ms, struct filewatch_item **item)
{
	struct filewatch *w;

	loop = loop_new();
	w = filewatch_new(loop, poll_ms);
	*item = filewatch_add(w, path, flags, changed, NULL);
	return w;
}

static void
end(struct filewatch *w)
{
	filewatch_free(w);
	loop_free(loop);
}

static void
sh(const char *command)
{
	assert(system(command) == 0);
}

static void
content_and_names(void)
{
	struct filewatch_item *i;
	struct filewatch *w;

	put_file("log", "a\n");
	w = begin("log", FILEWATCH_CONTENT, LONG_POLL_MS, &i);
	assert(!filewatch_is_polled(i));
	drain();
	sh("echo b >>log");
	assert(is_called(WAIT_MS));
	drain();
	sh("echo x >other");
	assert(!is_called(QUIET_MS));
	sh("mv log log.1; echo new >log");
	assert(is_called(WAIT_MS));
	while (!had_names)
		assert(is_called(WAIT_MS));
	filewatch_renew(i);
	drain();
	sh("echo c >>log.1");	/* the old one, until the next renewal */
	assert(is_called(WAIT_MS));
	drain();
	filewatch_renew(i);
	sh("echo d >>log");
	assert(is_called(WAIT_MS));
	end(w);
}

static void
directory_without_flags(void)
{
	struct filewatch_item *i;
	struct filewatch *w;

	sh("mkdir -p d");
	w = begin("d/*.log", 0, LONG_POLL_MS, &i);
	sh("echo a >d/new.log");
	assert(is_called(WAIT_MS));
	end(w);
}

/* A path is followed through directories that are replaced, moved away, made later. */
static void
directories_on_the_way(void)
{
	struct filewatch_item *i;
	struct filewatch *w;
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	_cleanup_free_ char *path = xasprintf("%s/a/b/c/goal", cwd);

	w = begin(path, FILEWATCH_PATH, LONG_POLL_MS, &i);
	assert(!filewatch_is_polled(i) && !is_called(QUIET_MS));
	sh("mkdir a");			/* the way is made */
	sh("mkdir -p a/b/c");
	drain();
	put_file("a/b/c/goal", "1");
	assert(is_called(WAIT_MS));
	drain();
	sh("echo 2 >>a/b/c/goal");
	assert(is_called(WAIT_MS));
	drain();
	sh("mv a/b a/old");		/* moved away ... */
	assert(is_called(WAIT_MS));
	drain();
	sh("mkdir -p a/new/c; echo 3 >a/new/c/goal");
	drain();
	sh("mv a/new a/b");		/* ... and another in its place */
	assert(is_called(WAIT_MS));
	drain();
	sh("echo 4 >>a/b/c/goal");	/* which is watched now */
	assert(is_called(WAIT_MS));
	drain();
	sh("echo 5 >>a/old/c/goal");	/* and the old one is not */
	assert(!is_called(QUIET_MS));
	/* removed while it is the working directory of a process, and made anew */
	sh("(cd a/b/c && rm goal && rmdir ../c && cd / ; true)");
	sh("mkdir a/b/c; echo 6 >a/b/c/goal");
	assert(is_called(WAIT_MS));
	drain();
	sh("echo 7 >>a/b/c/goal");
	assert(is_called(WAIT_MS));
	drain();
	sh("echo x >>a/b/c/other; mkdir a/b/beside");	/* what is beside it does not matter */
	assert(!is_called(QUIET_MS));
	end(w);
}

static void
links_are_polled(void)
{
	struct filewatch_item *i;
	struct filewatch *w;

	sh("mkdir -p v1 v2 far; echo 1 >v1/goal; echo 2 >v2/goal; ln -sfn v1 current");
	w = begin("current/goal", FILEWATCH_PATH, POLL_MS, &i);
	assert(filewatch_is_polled(i) && !is_called(QUIET_MS));
	sh("ln -sfn v2 current.new; mv -T current.new current");	/* switched */
	assert(is_called(WAIT_MS));
	drain();
	sh("echo 3 >>v2/goal");
	assert(is_called(WAIT_MS));
	end(w);
	/* a link as the last component, to a file whose directory is not watched */
	sh("echo 1 >far/goal; ln -sf far/goal goal");
	w = begin("goal", FILEWATCH_PATH, POLL_MS, &i);
	assert(filewatch_is_polled(i));
	sh("echo 2 >>far/goal");
	assert(is_called(WAIT_MS));
	end(w);
	sh("ln -sf loop1 loop2; ln -sf loop2 loop1");
	w = begin("loop1/goal", FILEWATCH_PATH, POLL_MS, &i);
	assert(filewatch_is_polled(i) && !is_called(QUIET_MS));
	end(w);
}

/* In a mount namespace of its own, where that may be had. */
static void
mounts(void)
{
	int status;
	pid_t pid;

	sh("mkdir -p m; echo 1 >m/goal");
	pid = fork();
	if (pid == 0) {
		struct filewatch_item *i;
		struct filewatch *w;

		if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			_exit(77);
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(77);
		w = begin("m/goal", FILEWATCH_PATH, LONG_POLL_MS, &i);
		assert(!filewatch_is_polled(i) && !is_called(QUIET_MS));
		if (mount("tmpfs", "m", "tmpfs", 0, NULL) < 0)
			_exit(77);
		assert(is_called(WAIT_MS));	/* the file is gone: mounted over */
		drain();
		assert(filewatch_is_polled(i));
		put_file("m/goal", "2");
		assert(is_called(WAIT_MS));
		drain();
		assert(umount("m") == 0);
		assert(is_called(WAIT_MS));
		drain();
		sh("mkdir -p there; echo 9 >there/goal");
		assert(mount("there/goal", "m/goal", NULL, MS_BIND, NULL) == 0);
		assert(is_called(WAIT_MS));	/* one bound over the file */
		end(w);
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		printf("no mount namespace can be had: mounts are not tested\n");
	else
		assert(WEXITSTATUS(status) == 0);
}

/* Without an instance everything is polled. */
static void
no_instance(void)
{
	struct rlimit old, none;
	struct filewatch_item *i;
	struct filewatch *w;

	put_file("polled", "1");
	loop = loop_new();
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){ 3, old.rlim_max };
	assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
	assert(inotify_open() == -EMFILE);	/* as fs.inotify.max_user_instances has it */
	w = filewatch_new(loop, POLL_MS);
	assert(setrlimit(RLIMIT_NOFILE, &old) == 0);
	i = filewatch_add(w, "polled", FILEWATCH_PATH, changed, NULL);
	assert(filewatch_is_polled(i) && !is_called(QUIET_MS));
	put_file("polled", "2");
	assert(is_called(WAIT_MS));
	drain();
	assert(unlink("polled") == 0);
	assert(is_called(WAIT_MS));
	end(w);
}

static void
lost(int wd, uint32_t mask, const char *name, void *cookie)
{
	int *n = cookie;

	(void)name;
	n[0] += wd == -1;
	n[1] += (mask & IN_IGNORED) != 0;
}

static void
write_number(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(77);
	close(fd);
}

/* The limit is set in a user namespace of its own, so nothing else is disturbed. */
static void
no_watch_left(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct filewatch_item *i;
		struct filewatch *w;

		if (unshare(CLONE_NEWUSER) < 0)
			_exit(77);
		put_file("limited", "1");
		write_number("/proc/sys/user/max_inotify_watches", "0");
		loop = loop_new();
		w = filewatch_new(loop, POLL_MS);
		i = filewatch_add(w, "limited", FILEWATCH_PATH, changed, NULL);
		if (!filewatch_is_polled(i))
			_exit(77);	/* the limit is not ours to set */
		put_file("limited", "2");
		_exit(is_called(WAIT_MS) ? 0 : 1);
	}
	assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
	if (WEXITSTATUS(status) == 77)
		printf("inotify's limits cannot be set here: no watch left is not tested\n");
}

static long
queue_max(void)
{
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	long n = 16384;

	if (f) {
		assert(fscanf(f, "%ld", &n) == 1);
		fclose(f);
	}
	return n;
}

static void
overflow_and_removed_watch(void)
{
	struct filewatch_item *i;
	struct filewatch *w;
	const long n = queue_max();
	int fd, counts[2] = { 0, 0 };	/* overflows, removals */

	if (n > 100000) {
		printf("the queue holds %ld events: an overflow is not tested\n", n);
		return;
	}
	sh("mkdir -p busy; echo 1 >busy/goal");
	w = begin("busy/goal", FILEWATCH_PATH, LONG_POLL_MS, &i);
	fd = inotify_open();
	assert(inotify_watch_parent(fd, "busy/goal") >= 0);
	for (long k = 0; k < n; k++) {
		/* two names in turn: equal events in a row are merged */
		const char *name = k % 2 ? "busy/x" : "busy/y";
		int file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert(file >= 0);
		close(file);
		if (k % 64 == 63)
			unlink(name);
	}
	put_file("busy/goal", "2");	/* its event is lost */
	assert(is_called(WAIT_MS));
	drain();
	for (int k = 0; k < 1000 && !counts[0]; k++)	/* a call is bounded */
		inotify_dispatch(fd, lost, counts);
	assert(counts[0] == 1);
	sh("rm -r busy");
	for (int k = 0; k < 1000 && !counts[1]; k++) {
		inotify_dispatch(fd, lost, counts);
		clock_sleep_ms(2);
	}
	assert(counts[1] == 1);
	assert(inotify_drain(fd) == 0);
	close(fd);
	end(w);
}

int
main(void)
{
	_cleanup_free_ char *dir = xasprintf("%s/rejoin-filewatch.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	assert(mkdtemp(dir) && chdir(dir) == 0);
	content_and_names();
	directory_without_flags();
	directories_on_the_way();
	links_are_polled();
	mounts();
	no_instance();
	no_watch_left();
	overflow_and_removed_watch();
	assert(chdir("/") == 0);
	return file_remove_tree(dir) < 0;
}
