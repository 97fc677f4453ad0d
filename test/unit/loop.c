/* Children that the loop owns, and the order of its shutdown. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/procset.h"
#include "base/spawn.h"
#include "base/xalloc.h"

/* What happened, in its order. */
static char told[4096];

static void
tell(const char *what)
{
	size_t n = strlen(told);

	snprintf(told + n, sizeof told - n, "%s%s", n ? " " : "", what);
}

struct child {
	struct loop *loop;
	const char *name;
	struct loop_child_end end;
	struct spawn *spawn;
	bool stops;		/* the loop, when it has ended */
};

static void
ended(const struct spawn_result *r, void *cookie)
{
	struct child *c = cookie;

	c->end = (struct loop_child_end){ r->status, r->signo, r->timed_out, r->ended };
	c->spawn = NULL;
	tell(c->name);
	if (c->stops)
		loop_stop(c->loop, 0);
}

static struct spawn *
start(struct loop *l, struct child *c, const char *script, struct spawn_spec spec)
{
	char *text = xstrdup(script);
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, text, NULL };

	spec.argv = argv;
	c->loop = l;
	c->spawn = spawn_start(l, &spec, ended, c);
	free(text);
	return c->spawn;
}

/* Run SCRIPT to its end. */
static struct loop_child_end
run(const char *script, struct spawn_spec spec)
{
	struct loop *l = loop_new();
	struct child c = { .name = "child", .stops = true };

	start(l, &c, script, spec);
	loop_run(l);
	loop_free(l);
	return c.end;
}

/* The process whose id the file NAME holds; waits until it is there. */
static pid_t
pid_in(const char *name)
{
	long pid = 0;

	for (int i = 0; i < 2000 && pid == 0; i++) {
		FILE *f = fopen(name, "r");

		if (f && fscanf(f, "%ld\n", &pid) != 1)
			pid = 0;
		if (f)
			fclose(f);
		if (pid == 0)
			clock_sleep_ms(5);
	}
	assert(pid > 1);
	return (pid_t)pid;
}

static bool
is_gone(pid_t pid)
{
	for (int i = 0; i < 1000; i++) {
		_cleanup_free_ char *path = xasprintf("/proc/%d/stat", (int)pid);
		FILE *f = fopen(path, "r");
		char state = 'Z';

		if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		if (f)
			fclose(f);
		if (state == 'Z')
			return true;
		clock_sleep_ms(5);
	}
	return false;
}

static void
exit_and_signal_are_told_apart(void)
{
	struct loop_child_end e = run("exit 7", (struct spawn_spec){ 0 });

	assert(e.status == 7 && e.signo == 0 && !e.timed_out && !e.ended);
	e = run("kill -9 $$", (struct spawn_spec){ 0 });
	assert(e.status == 128 + SIGKILL && e.signo == SIGKILL);
	e = run("exit 137", (struct spawn_spec){ 0 });
	assert(e.status == 137 && e.signo == 0);
}

static void
deadline_ends_a_child_that_ignores_sigterm(void)
{
	int64_t begin = clock_mono_ms();
	struct loop_child_end e = run("trap '' TERM; while :; do sleep 0.05; done",
	    (struct spawn_spec){ .timeout_ms = 200, .grace_ms = 100 });

	assert(e.signo == SIGKILL && e.timed_out && !e.ended);
	assert(clock_mono_ms() - begin >= 300);
	e = run("kill -STOP $$", (struct spawn_spec){ .timeout_ms = 200, .grace_ms = 5000 });
	assert(e.signo == SIGTERM && e.timed_out);
	assert(clock_mono_ms() - begin < 5000);
}

/* One that left the process group, but not the session. */
static void
session_is_killed_whole(void)
{
	struct loop_child_end e;
	pid_t pid;

	unlink("pid");
	e = run("set -m; (trap '' TERM HUP; echo $(exec sh -c 'echo $PPID') >pid; sleep 60) & "
	    "while ! [ -s pid ]; do sleep 0.01; done; trap '' TERM; sleep 60",
	    (struct spawn_spec){ .session = true, .timeout_ms = 500, .grace_ms = 100 });
	assert(e.timed_out);
	pid = pid_in("pid");
	assert(is_gone(pid));
	/* it has no controlling terminal, and is the leader */
	e = run("[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && [ $(cut -d' ' -f7 /proc/$$/stat) = 0 ]",
	    (struct spawn_spec){ .session = true });
	assert(e.status == 0);
}

static void
marked_processes_are_found(void)
{
	struct loop *l = loop_new();
	struct child c = { .name = "child" };
	_cleanup_free_ char *mark = xasprintf("unit.%d.", (int)getpid());
	pid_t pid;

	unlink("pid");
	start(l, &c, "setsid sh -c 'echo $$ >pid; exec sleep 60' & wait", (struct spawn_spec){ .mark = mark });
	pid = pid_in("pid");
	assert(procset_signal_mark(mark, 0) >= 2);
	assert(procset_signal_session(getsid(pid), 0) == 1);
	spawn_kill(c.spawn);
	assert(is_gone(pid) && procset_signal_mark(mark, 0) == 0);
	loop_free(l);
}

static void
descriptors_are_not_inherited(void)
{
	int fd = open("/dev/null", O_RDONLY);	/* without O_CLOEXEC */
	_cleanup_free_ char *script = xasprintf("[ -e /proc/$$/fd/%d ]", fd);

	assert(fd >= 3);
	assert(run(script, (struct spawn_spec){ 0 }).status == 1);
	/* but where the program runs in our place */
	assert(run(script, (struct spawn_spec){ .out_inherit = true }).status == 0);
	close(fd);
}

static void
environment_can_be_given(void)
{
	char *const env[] = { (char[]){ "PATH=/usr/bin:/bin" }, (char[]){ "REJOIN_RUN=other" }, NULL };

	setenv("LEAKED", "yes", 1);
	assert(run("[ -z \"$LEAKED\" ] && [ \"$REJOIN_RUN\" = m ]",
	    (struct spawn_spec){ .env = env, .mark = "m" }).status == 0);
	assert(run("[ \"$LEAKED\" = yes ]", (struct spawn_spec){ 0 }).status == 0);
}

static void
many_children_at_once(void)
{
	enum { N = 200 };
	static struct child many[N];
	struct loop *l = loop_new();

	*told = '\0';
	for (int i = 0; i < N; i++) {
		_cleanup_free_ char *script = xasprintf("exit %d", i % 100);

		many[i] = (struct child){ .name = "" };
		start(l, &many[i], script, (struct spawn_spec){ 0 });
	}
	loop_shutdown(l, 3);	/* those that still run are ended, and waited for */
	assert(loop_run(l) == 3);
	for (int i = 0; i < N; i++)
		assert(!many[i].spawn && (many[i].end.status == i % 100 || many[i].end.ended));
	assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	loop_free(l);
}

static void
loop_free_kills_what_is_left(void)
{
	char *const argv[] = { (char[]){ "sleep" }, (char[]){ "60" }, NULL };
	struct loop *l = loop_new();
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		execvp(argv[0], argv);
		_exit(127);
	}
	setpgid(pid, pid);
	assert(loop_child_add(l, &(struct loop_child_spec){ .pid = pid }, NULL, NULL));
	loop_free(l);
	assert(waitpid(pid, NULL, 0) < 0 && errno == ECHILD);
}

/* --- the shutdown */

struct module {
	struct loop *loop;
	struct loop_stage stage;
	const char *name;
	struct child child;
	bool holds;
	struct loop_timer timer;
};

static void
release(void *cookie)
{
	struct module *m = cookie;

	tell("released");
	loop_release(m->loop);
}

static void
stop(void *cookie)
{
	struct module *m = cookie;

	tell(m->name);
	if (m->child.spawn)
		spawn_end(m->child.spawn);
	if (m->holds) {
		loop_hold(m->loop);
		loop_timer_set(m->loop, &m->timer, 20);
	}
}

static void
module_init(struct module *m, struct loop *l, const char *name)
{
	*m = (struct module){ .loop = l, .name = name, .stage = { .fn = stop, .cookie = m },
	    .timer = { .fn = release, .cookie = m } };
	loop_stage_add(l, &m->stage);
}

static void
stages_are_called_newest_first(void)
{
	struct loop *l = loop_new();
	struct module a, b, c, gone;

	*told = '\0';
	module_init(&a, l, "a");
	module_init(&b, l, "b");
	module_init(&gone, l, "gone");
	module_init(&c, l, "c");
	loop_stage_remove(l, &gone.stage);
	b.holds = true;
	b.child.name = "b-ended";
	c.child.name = "c-ended";
	start(l, &b.child, "exec sleep 60", (struct spawn_spec){ .grace_ms = 5000 });
	start(l, &c.child, "exec sleep 60", (struct spawn_spec){ .grace_ms = 5000 });
	assert(!loop_is_shutting_down(l));
	loop_shutdown(l, 4);
	loop_shutdown(l, 5);	/* the first call counts */
	assert(loop_is_shutting_down(l) && !*told);
	assert(loop_run(l) == 4);
	assert(strcmp(told, "c c-ended b b-ended released a") == 0 ||
	    strcmp(told, "c c-ended b released b-ended a") == 0);
	assert(c.child.end.ended && c.child.end.signo == SIGTERM);
	loop_free(l);
}

/* Its function is called even where nothing could be started. */
static void
shutdown_waits_for_a_failed_start(void)
{
	char *const argv[] = { (char[]){ "/none/such" }, NULL };
	struct loop *l = loop_new();
	struct child c = { .name = "failed", .loop = l };

	*told = '\0';
	c.spawn = spawn_start(l, &(struct spawn_spec){ .argv = argv }, ended, &c);
	loop_shutdown(l, 0);
	assert(loop_run(l) == 0 && strcmp(told, "failed") == 0 && c.end.status == SPAWN_NOT_FOUND);
	loop_free(l);
}

/* A child that ignores SIGTERM holds up the later stages no longer than its grace period. */
static void
shutdown_is_bounded(void)
{
	struct loop *l = loop_new();
	struct child c = { .name = "killed" };
	struct module m;
	int64_t begin = clock_mono_ms();

	*told = '\0';
	unlink("pid");
	module_init(&m, l, "last");
	start(l, &c, "trap '' TERM; echo $$ >pid; while :; do sleep 0.05; done", (struct spawn_spec){ .grace_ms = 100 });
	pid_in("pid");
	loop_shutdown(l, 0);
	loop_run(l);
	assert(strcmp(told, "last killed") == 0 && c.end.signo == SIGKILL);
	assert(clock_mono_ms() - begin < 5000);
	loop_free(l);
}

static void
fired(void *cookie)
{
	loop_stop(cookie, 9);
}

static void
far_timers_do_not_overflow(void)
{
	struct loop *l = loop_new();
	struct loop_timer far = { .fn = fired, .cookie = l }, near = { .fn = fired, .cookie = l };

	loop_timer_set(l, &far, INT64_MAX);
	loop_timer_set(l, &near, 5);
	assert(loop_run(l) == 9 && far.set && far.at_ms > near.at_ms);
	loop_timer_stop(l, &far);
	loop_free(l);
}

int
main(void)
{
	_cleanup_free_ char *dir = xasprintf("%s/rejoin-loop.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	assert(mkdtemp(dir) && chdir(dir) == 0);
	exit_and_signal_are_told_apart();
	deadline_ends_a_child_that_ignores_sigterm();
	session_is_killed_whole();
	marked_processes_are_found();
	descriptors_are_not_inherited();
	environment_can_be_given();
	many_children_at_once();
	loop_free_kills_what_is_left();
	stages_are_called_newest_first();
	shutdown_waits_for_a_failed_start();
	shutdown_is_bounded();
	far_timers_do_not_overflow();
	return file_remove_tree(dir) < 0;
}
