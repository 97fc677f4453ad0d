#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "ready/work_cycle.h"
#include "supervise/procs.h"

/* Between SIGTERM and SIGKILL; and how often a command that is just starting is tried to be signalled. */
enum { GRACE_MS = 10000, SIGNAL_RETRY_MS = 20 };

struct work_cycle {
	struct loop *loop;
	char *dir;
	struct supervise *run;		/* NULL: over */
	work_cycle_done *done;
	void *cookie;
	struct loop_timer retry;	/* of the signals that came before it was started */
	sigset_t due;
};

static char *
work_cycle_dir(const char *state_dir)
{
	return xasprintf("%s/run", state_dir);
}

int
work_cycle_examine(const char *state_dir, enum supervise_state *state, struct fail *f)
{
	_cleanup_free_ char *dir = work_cycle_dir(state_dir);
	struct supervise_view v;
	struct stat st;
	int r;

	*state = SUPERVISE_NEW;
	if (lstat(dir, &st) < 0)
		return errno == ENOENT ? 0 : fail_errno(f, errno, "%s", dir);
	if (!S_ISDIR(st.st_mode))
		return fail_set(f, EXIT_DENIED, "%s: is not a directory", dir);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, which is neither root nor the "
		    "caller", dir, (uintmax_t)st.st_uid);
	r = supervise_examine(dir, &v, f);
	if (r == 0)
		*state = v.state;
	return r;
}

static void
cycle_ended(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct work_cycle *c = cookie;

	c->run = NULL;
	loop_timer_stop(c->loop, &c->retry);
	c->done(v, f, c->cookie);
}

static void signal_due(void *cookie);

static struct work_cycle *
work_cycle_new(struct loop *l, const char *state_dir, work_cycle_done *done, void *cookie)
{
	struct work_cycle *c = xcalloc(1, sizeof *c);

	*c = (struct work_cycle){ .loop = l, .dir = work_cycle_dir(state_dir), .done = done, .cookie = cookie };
	c->retry = (struct loop_timer){ .fn = signal_due, .cookie = c };
	sigemptyset(&c->due);
	return c;
}

/* The request is JSON. */
static int
check_text(const char *what, const char *text, struct fail *f)
{
	return utf8_check(text, strlen(text)) == strlen(text) ? 0 :
	    fail_set(f, EXIT_USAGE, "%s: not UTF-8: '%s'", what, text);
}

struct work_cycle *
work_cycle_start(struct loop *l, const char *state_dir, char *const *argv, work_cycle_done *done, void *cookie,
    struct fail *f)
{
	struct work_cycle *c = work_cycle_new(l, state_dir, done, cookie);
	const struct supervise_spec spec = { .dir = c->dir };
	struct launch launch = LAUNCH_INIT;
	int r = 0;

	for (char *const *a = argv; r == 0 && *a; a++)
		r = check_text("argument", *a, f);
	if (r == 0)
		r = work_cycle_remove(state_dir, f);
	launch.argv = (char **)(uintptr_t)argv;
	launch.inherit = launch.inherit_env = launch.new_privileges = true;
	launch.grace_ms = GRACE_MS;
	if (r == 0)
		r = supervise_make(c->dir, &launch, JSON_ABSENT, f);
	if (r == 0)
		c->run = supervise_start(l, &spec, cycle_ended, c, f);
	if (c->run)
		return c;
	work_cycle_release(c);
	return NULL;
}

struct work_cycle *
work_cycle_adopt(struct loop *l, const char *state_dir, work_cycle_done *done, void *cookie)
{
	struct work_cycle *c = work_cycle_new(l, state_dir, done, cookie);

	c->run = supervise_adopt(l, c->dir, cycle_ended, c);
	return c;
}

/* Send the signals that are due, or try again where the command is not started yet. */
static void
signal_due(void *cookie)
{
	struct work_cycle *c = cookie;
	_cleanup_fd_ int fd = -1;
	struct supervise_view v;
	struct fail f;

	if (supervise_examine(c->dir, &v, &f) < 0 || (v.state != SUPERVISE_RUNNING && v.state != SUPERVISE_NEW))
		return;
	if (v.started.pid == 0) {
		loop_timer_set(c->loop, &c->retry, SIGNAL_RETRY_MS);
		return;
	}
	/* its leader is there, so the number of its group is its own */
	fd = procs_open(v.started.pid, v.started.ticks);
	for (int i = 1; i < NSIG && fd >= 0; i++)
		if (sigismember(&c->due, i) == 1)
			kill(-v.started.pid, i);
	sigemptyset(&c->due);
}

void
work_cycle_signal(struct work_cycle *c, int signo)
{
	sigaddset(&c->due, signo);
	if (c->run)
		signal_due(c);
}

void
work_cycle_release(struct work_cycle *c)
{
	if (!c)
		return;
	loop_timer_stop(c->loop, &c->retry);
	supervise_forget(c->run);
	free(c->dir);
	free(c);
}

static void
on_cleared(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	(void)v;
	(void)f;
	loop_stop(cookie, 0);
}

int
work_cycle_clear(const char *state_dir, struct fail *f)
{
	_cleanup_free_ char *dir = work_cycle_dir(state_dir);
	enum supervise_state state;
	struct loop *l;
	struct work_cycle *c;
	int r = work_cycle_examine(state_dir, &state, f);

	if (r < 0 || (state != SUPERVISE_RUNNING && state != SUPERVISE_INTERRUPTED))
		return r < 0 ? r : work_cycle_remove(state_dir, f);
	l = loop_new();
	/* the error: the shim was asked to end it, by a signal, without the details */
	if (state == SUPERVISE_RUNNING)
		(void)supervise_end(dir, WHY_KILL, SIGTERM, GRACE_MS);
	c = work_cycle_adopt(l, state_dir, on_cleared, l);
	loop_run(l);
	work_cycle_release(c);
	loop_free(l);
	return work_cycle_remove(state_dir, f);
}

int
work_cycle_remove(const char *state_dir, struct fail *f)
{
	_cleanup_free_ char *dir = work_cycle_dir(state_dir);
	int r = file_remove_tree(dir);

	return r < 0 && r != -ENOENT ? fail_errno(f, r, "%s", dir) : 0;
}
