#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/spawn.h"
#include "base/xalloc.h"

static char *const sh[] = { (char[]){ "sh" }, (char[]){ "-c" }, NULL };

/* The shell text SCRIPT under SPEC, whose argv is filled in. */
static void
run(const char *script, struct spawn_spec spec, struct spawn_result *r)
{
	char *text = xstrdup(script);
	char *const argv[] = { sh[0], sh[1], text, NULL };

	spec.argv = argv;
	spawn_run(&spec, r);
	free(text);
}

static void
done_with(struct spawn_result *r)
{
	buf_release(&r->out);
	buf_release(&r->err);
}

static void
is_heard(void)
{
	struct spawn_result r;

	run("cat; echo err >&2; exit 3", (struct spawn_spec){ .in = "in\0put", .in_len = 6,
	    .out_max = 100 }, &r);
	assert(r.status == 3 && r.signo == 0 && !r.error && !r.timed_out && !r.ended);
	assert(r.out.len == 6 && memcmp(r.out.s, "in\0put", 6) == 0 && strcmp(r.err.s, "err\n") == 0);
	done_with(&r);
	run("cat; echo out; echo err >&2", (struct spawn_spec){ .err_to_out = true, .out_max = 100 }, &r);
	assert(r.status == 0 && strcmp(r.out.s, "out\nerr\n") == 0 && r.err.len == 0);
	done_with(&r);
	run("pwd", (struct spawn_spec){ .dir = "/", .out_max = 100 }, &r);
	assert(strcmp(r.out.s, "/\n") == 0);
	done_with(&r);
}

static void
is_bounded(void)
{
	struct spawn_result r;

	run("head -c 300000 /dev/zero | tr '\\0' x", (struct spawn_spec){ .out_max = 1000 }, &r);
	assert(r.status == 0 && r.out.len == 1000 && r.out_lost == 299000);
	done_with(&r);
	/* one that does not read what it is given, and that has more than a pipe holds */
	{
		_cleanup_free_ char *in = xcalloc(1, 1000000);

		run("exit 0", (struct spawn_spec){ .in = in, .in_len = 1000000 }, &r);
		assert(r.status == 0);
		done_with(&r);
		run("wc -c", (struct spawn_spec){ .in = in, .in_len = 1000000, .out_max = 100 }, &r);
		assert(atol(r.out.s) == 1000000);
		done_with(&r);
	}
}

/* The process whose id is in FILE has ended, or will have in 5 s: a signal takes its time on a busy machine. */
static bool
is_gone(const char *file)
{
	_cleanup_free_ char *command = xasprintf("for i in $(seq 100); do"
	    " { ! kill -0 $(cat %s) 2>/dev/null || grep -q '^State:.Z' /proc/$(cat %s)/status; } && exit 0;"
	    " sleep 0.05; done; exit 1", file, file);

	return system(command) == 0;
}

static void
ends_at_its_deadline(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct spawn_result r;

	run("sleep 60 & echo $! >child; wait", (struct spawn_spec){ .timeout_ms = 1000,
	    .grace_ms = 5000 }, &r);
	assert(r.timed_out && !r.ended && r.status == 128 + SIGTERM);
	spawn_describe(&r, &text);
	assert(strstr(text.s, "deadline"));
	done_with(&r);
	assert(is_gone("child"));
	/* one that ignores SIGTERM, once it has come so far, with a child that left its process group */
	for (int64_t timeout_ms = 1000; access("ignores", F_OK) < 0; timeout_ms *= 2) {
		assert(timeout_ms < 60000);
		run("trap '' TERM; setsid sleep 60 & echo $! >child; : >ignores; while :; do sleep 1; done",
		    (struct spawn_spec){ .timeout_ms = timeout_ms, .grace_ms = 100, .mark = "unit-test" }, &r);
		if (!r.timed_out || (r.signo != SIGKILL && access("ignores", F_OK) == 0)) {
			printf("timed out %d, status %d, signal %d, error %d\n", r.timed_out, r.status, r.signo, r.error);
			abort();
		}
		done_with(&r);
		assert(is_gone("child"));
	}
}

/* What a background child holds open is not waited for. */
static void
does_not_wait_for_leftovers(void)
{
	struct spawn_result r;
	int64_t begin = clock_mono_ms();

	run("sleep 30 & echo $! >child; echo done", (struct spawn_spec){ .out_max = 100 }, &r);
	assert(r.status == 0 && strcmp(r.out.s, "done\n") == 0);
	assert(clock_mono_ms() - begin < 20000);
	done_with(&r);
	assert(system("kill $(cat child)") == 0);
}

static void
what_cannot_be_run_is_told(void)
{
	char none[] = "/none/such", dir[] = "/";
	char *argv[] = { none, NULL };
	struct spawn_spec spec = { .argv = argv };
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct spawn_result r;

	spawn_run(&spec, &r);
	assert(r.status == SPAWN_NOT_FOUND && r.error == ENOENT);
	spawn_describe(&r, &text);
	assert(strstr(text.s, "could not be run: No such file"));
	done_with(&r);
	argv[0] = dir;
	spawn_run(&spec, &r);
	assert(r.status == SPAWN_CANNOT_RUN && r.error == EACCES);
	done_with(&r);
}

/* The command gets the default signals and none of our descriptors. */
static void
begins_clean(void)
{
	struct spawn_result r;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert(fd >= 0 && dup3(fd, 9, O_CLOEXEC) == 9);
	signal(SIGPIPE, SIG_IGN);
	run("kill -PIPE $$; exit 0", (struct spawn_spec){ 0 }, &r);
	assert(r.signo == SIGPIPE && r.status == 128 + SIGPIPE);
	done_with(&r);
	run("echo /proc/self/fd/*", (struct spawn_spec){ .out_max = 1000 }, &r);
	assert(!strstr(r.out.s, "/fd/9"));
	done_with(&r);
	close(9);
	close(fd);
}

/* One of ours that was told not to mind its children still hears how they end. */
static void
is_heard_where_children_are_ignored(void)
{
	struct spawn_result r;

	signal(SIGCHLD, SIG_IGN);
	run("exit 3", (struct spawn_spec){ 0 }, &r);
	assert(r.status == 3 && r.signo == 0);
	done_with(&r);
	signal(SIGCHLD, SIG_DFL);
}

int
main(void)
{
	char dir[] = "/tmp/rejoin-spawn.XXXXXX";

	/* what the caller left open is not ours: begins_clean() looks at our own alone */
	assert(close_range(3, ~0U, 0) == 0);
	assert(mkdtemp(dir) && chdir(dir) == 0);
	is_heard();
	is_bounded();
	ends_at_its_deadline();
	does_not_wait_for_leftovers();
	what_cannot_be_run_is_told();
	begins_clean();
	is_heard_where_children_are_ignored();
	return file_remove_tree(dir) < 0;
}
