#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/num.h"
#include "base/procset.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "ready/cycle_runner.h"
#include "ready/handshake.h"

/* A left-over cycle has this long to end; a command of --on this long to run. */
enum { MARK = INCARNATION_TEXT + 8 };

enum { MOMENT_MS = 200, LEFT_OVER_MS = 10000, STRAY_MS = 20, ON_MS = 30000, ON_GRACE_MS = 2000 };

struct cycle_runner {
	const struct cycle_runner_spec *spec;
	struct loop *loop;
	struct handshake *handshake;
	struct readiness_now now;
	struct child child;
	struct spawn *on;		/* a command of --on, while it runs */
	bool on_due[VERDICTS];		/* commands to run after it; requests for the same one coalesce */
	bool ending;			/* the cycle has ended, or will not start */
	int lock_fd, status;
	char mark[MARK];		/* REJOIN_RUN in the environment of the cycle and its children */
};

static void
report_fail(const struct cycle_runner *t, const struct fail *f)
{
	t->spec->report(f, t->spec->cookie);
}

PRINTF(3, 4) static void
report(const struct cycle_runner *t, enum exit_status status, const char *fmt, ...)
{
	struct fail f = { .status = status };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f.text, sizeof f.text, fmt, ap);
	va_end(ap);
	report_fail(t, &f);
}

/* --- the lock; its file names the holder: "PID MARK AGENT" */

struct lock_holder {
	pid_t pid;
	char mark[MARK];
	char agent[READINESS_ID];
};

/* The mark of the cycle of the runner with the incarnation OF; it ends in a dot so that none is a prefix of another. */
static void
mark_of(const char *of, char mark[MARK])
{
	snprintf(mark, MARK, "ready-%s.", of);
}

/* Other users may write the lock file: a mark must not match more than one runner's cycle. */
static bool
is_mark(const char *mark)
{
	unsigned int boot;
	uintmax_t start;
	int pid, len = 0;

	return sscanf(mark, "ready-%8x-%d-%ju.%n", &boot, &pid, &start, &len) == 3 && len > 0 &&
	    !mark[len];
}

static void
read_holder(int fd, struct lock_holder *h)
{
	char text[512] = "", *mark, *agent;
	int64_t pid;

	*h = (struct lock_holder){ 0 };
	if (pread(fd, text, sizeof text - 1, 0) <= 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	mark = strchr(text, ' ');
	agent = mark ? strchr(mark + 1, ' ') : NULL;
	if (!agent)
		return;
	*mark++ = *agent++ = '\0';
	if (num_parse(text, 1, INT32_MAX, &pid) < 0)
		return;
	h->pid = (pid_t)pid;
	if (is_mark(mark))
		snprintf(h->mark, sizeof h->mark, "%.*s", MARK - 1, mark);
	snprintf(h->agent, sizeof h->agent, "%.*s", READINESS_ID - 1, agent);
}

/*
 * A pidfd of the runner H, -1 if it has ended or is a zombie.  The mark holds its
 * incarnation, so a reused pid is detected.
 */
static int
open_holder(const struct lock_holder *h)
{
	_cleanup_fd_ int fd = h->pid > 0 ? pidfd_open(h->pid, 0) : -1;
	struct pollfd end = { .fd = fd, .events = POLLIN };
	char now[INCARNATION_TEXT], mark[MARK];

	if (fd < 0 || poll(&end, 1, 0) != 0 || incarnation_of(h->pid, now) < 0)
		return -1;
	mark_of(now, mark);
	if (strcmp(h->mark, mark) != 0)
		return -1;
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int
lock_for(int fd, int64_t ms)
{
	int r;

	do
		r = lock_wait(fd, ms);
	while (r == -EINTR);
	return r;
}

/* Wait for the end of the runner FD, if it runs for another incarnation.  -EAGAIN: the lock must be tried again. */
static int
wait_for_holder(const struct cycle_runner *t, int fd, const struct lock_holder *h, struct fail *f)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };
	bool same = strcmp(h->agent, t->spec->self->id) == 0;

	if (!same)
		report(t, EXIT_OK, "%s: waiting for the end of pid %jd, the run of agent incarnation %s",
		    t->spec->peer, (intmax_t)h->pid, h->agent);
	/* a runner that was just killed takes a moment to end */
	if (poll(&end, 1, same ? MOMENT_MS : -1) == 0)
		return fail_set(f, EXIT_BUSY, "%s: pid %jd runs the cycle of this agent incarnation, %s",
		    t->spec->peer, (intmax_t)h->pid, h->agent);
	return -EAGAIN;
}

/* End a cycle that has lost its runner.  0 once this process holds the lock. */
static int
end_left_over(const struct cycle_runner *t, const struct lock_holder *h)
{
	struct lock_holder now;
	int r = lock_for(t->lock_fd, MOMENT_MS);

	/* a new holder may have signed the lock file only now */
	read_holder(t->lock_fd, &now);
	if (r != -ETIMEDOUT || strcmp(now.mark, h->mark) != 0)
		return r == -ETIMEDOUT ? -EAGAIN : r;
	report(t, EXIT_OK, "%s: ending what is left of the cycle of agent incarnation %s", t->spec->peer,
	    *h->agent ? h->agent : "?");
	if (*h->mark)
		procset_signal_mark(h->mark, SIGTERM);
	r = lock_for(t->lock_fd, LEFT_OVER_MS);
	if (r == -ETIMEDOUT && *h->mark)
		procset_signal_mark(h->mark, SIGKILL);
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

static int
wait_lock(const struct cycle_runner *t, struct fail *f)
{
	struct lock_holder h;
	int r;

	while ((r = lock_try(t->lock_fd)) == -EAGAIN) {
		_cleanup_fd_ int fd = -1;

		read_holder(t->lock_fd, &h);
		fd = open_holder(&h);
		if (fd >= 0) {
			r = wait_for_holder(t, fd, &h, f);
			if (r != -EAGAIN)
				return r;
		} else {
			r = end_left_over(t, &h);
			if (r != -EAGAIN)
				break;
		}
	}
	return r < 0 ? fail_errno(f, r, "%s", t->spec->place->lock) : 0;
}

static int
take_lock(struct cycle_runner *t, struct fail *f)
{
	const char *path = t->spec->place->lock;
	struct stat st;

	t->lock_fd = lock_open(path, t->spec->place->mode);
	if (t->lock_fd < 0 || fstat(t->lock_fd, &st) < 0)
		return fail_errno(f, t->lock_fd < 0 ? t->lock_fd : errno, "%s", path);
	/* it is written to, so it must not be another name of a file of somewhere else */
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return fail_set(f, EXIT_DENIED, "%s: is not a regular file with one name", path);
	return wait_lock(t, f);
}

/*
 * A cycle without an end may have left processes that do not hold the lock: a
 * daemon closes inherited descriptors.  They are found by the mark in their
 * environment.
 */
static void
end_strays(const struct cycle_runner *t)
{
	const int64_t end = clock_mono_ms() + LEFT_OVER_MS;
	struct lock_holder h;

	read_holder(t->lock_fd, &h);
	if (!*h.mark || procset_signal_mark(h.mark, SIGTERM) == 0)
		return;
	report(t, EXIT_OK, "%s: ending what is left of the cycle of agent incarnation %s", t->spec->peer,
	    h.agent);
	while (procset_signal_mark(h.mark, clock_mono_ms() < end ? 0 : SIGKILL) > 0)
		clock_sleep_ms(STRAY_MS);
}

/* Write this runner into the lock file. */
static int
sign_lock(const struct cycle_runner *t, struct fail *f)
{
	_cleanup_free_ char *text = xasprintf("%jd %s %s\n", (intmax_t)getpid(), t->mark, t->spec->self->id);

	if (ftruncate(t->lock_fd, 0) < 0 ||
	    pwrite(t->lock_fd, text, strlen(text), 0) != (ssize_t)strlen(text))
		return fail_errno(f, errno, "%s", t->spec->place->lock);
	return 0;
}

/* --- the commands of --on, one at a time */

static void
set_environment(const struct cycle_runner *t, enum readiness_verdict v)
{
	setenv("REJOIN_PEER", t->spec->peer, 1);
	setenv("REJOIN_VERDICT", readiness_verdict_name(v), 1);
	setenv("REJOIN_AGENT_INCARNATION", t->spec->self->id, 1);
	setenv("REJOIN_PEER_INCARNATION", t->now.announced.is_there ? t->now.announced.peer : "", 1);
}

/* Leave the loop once the cycle has ended and no command runs. */
static void
stop_if_done(struct cycle_runner *t)
{
	if (t->ending && !t->on)
		loop_stop(t->loop, 0);
}

static void on_next(struct cycle_runner *t);

static void
on_done(const struct spawn_result *r, void *cookie)
{
	struct cycle_runner *t = cookie;
	_cleanup_buf_ struct buf how = BUF_INIT;

	t->on = NULL;
	if (r->status != 0 && !r->ended) {
		spawn_describe(r, &how);
		report(t, EXIT_TROUBLE, "--on: %s", how.s);
	}
	on_next(t);
	stop_if_done(t);
}

static void
on_next(struct cycle_runner *t)
{
	struct spawn_spec spec = { .timeout_ms = ON_MS, .grace_ms = ON_GRACE_MS,
	    .out_inherit = true, .err_inherit = true };

	for (int v = 0; v < VERDICTS && !t->on; v++) {
		if (!t->on_due[v])
			continue;
		t->on_due[v] = false;
		spec.argv = t->spec->on[v];
		set_environment(t, (enum readiness_verdict)v);
		t->on = spawn_start(t->loop, &spec, on_done, t);
	}
}

static void
on_request(struct cycle_runner *t, enum readiness_verdict v)
{
	t->on_due[v] = t->spec->on[v] != NULL;
	on_next(t);
}

/* --- the cycle */

static void
end_with(struct cycle_runner *t, int status)
{
	t->ending = true;
	t->status = status;
	stop_if_done(t);
}

static void
cycle_ended(int fd, short events, void *cookie)
{
	struct cycle_runner *t = cookie;
	struct fail f;
	int status;

	(void)events;
	loop_unwatch(t->loop, fd);
	status = child_reap(&t->child);
	if (readiness_read(t->spec->place, &t->now, &f) < 0 ||
	    readiness_end(t->spec->place, t->spec->self, &t->now, &f) < 0)
		report_fail(t, &f);
	end_with(t, status);
}

/* Record the cycle, then start it: a cycle that cannot be recorded is not started. */
static void
cycle_begin(struct cycle_runner *t, enum readiness_verdict v)
{
	const char *outer = getenv("REJOIN_RUN");
	_cleanup_free_ char *before = outer ? xstrdup(outer) : NULL;
	struct fail f;
	int r;

	if (readiness_begin(t->spec->place, t->spec->self, v, &t->now, &f) < 0) {
		report_fail(t, &f);
		end_with(t, CYCLE_RUNNER_FAILED);
		return;
	}
	t->spec->verdict(v, t->spec->cookie);
	set_environment(t, v);
	setenv("REJOIN_RUN", t->mark, 1);
	r = child_start(&t->child, t->spec->cycle, t->lock_fd);
	if (before)
		setenv("REJOIN_RUN", before, 1);
	else
		unsetenv("REJOIN_RUN");
	if (r < 0) {
		report(t, EXIT_TROUBLE, "%s: %s", t->spec->cycle[0], strerror(-r));
		end_with(t, r == -ENOENT ? SPAWN_NOT_FOUND : SPAWN_CANNOT_RUN);
		return;
	}
	loop_watch(t->loop, t->child.fd, POLLIN, cycle_ended, t);
	on_request(t, v);
}

static void
peer_restarted(struct cycle_runner *t)
{
	struct fail f;

	report(t, EXIT_OK, "%s: %s: incarnation %s after %s; the cycle continues", t->spec->peer,
	    readiness_verdict_name(VERDICT_PEER_RESTART), t->now.announced.peer,
	    *t->now.cycle.peer ? t->now.cycle.peer : "one unknown");
	if (readiness_adopt(t->spec->place, t->spec->self, &t->now, &f) < 0)
		report_fail(t, &f);
	on_request(t, VERDICT_PEER_RESTART);
}

static void
on_verdict(enum readiness_verdict v, struct readiness_now *now, const struct fail *f, void *cookie)
{
	struct cycle_runner *t = cookie;

	t->now = *now;
	if (v == VERDICT_NONE) {
		report_fail(t, f);
		if (t->child.pid == 0 && !t->ending)
			end_with(t, CYCLE_RUNNER_FAILED);
	} else if (t->ending) {
		return;
	} else if (t->child.pid > 0) {
		if (v == VERDICT_PEER_RESTART)
			peer_restarted(t);
	} else if (v == VERDICT_PEER_OFFLINE) {
		t->spec->verdict(v, t->spec->cookie);
		on_request(t, v);
	} else {
		/* peer-restart: a cycle for an earlier incarnation of the peer was recorded and has no end */
		cycle_begin(t, v == VERDICT_PEER_RESTART ? VERDICT_COLD_START : v);
	}
	*now = t->now;
}

/* --- signals: forwarded to the cycle; before it starts, they end the runner */

struct forward {
	struct cycle_runner *runner;
	int signo;
	bool ends;		/* ends the runner while there is no cycle */
};

static void
signalled(void *cookie)
{
	const struct forward *s = cookie;
	struct cycle_runner *t = s->runner;

	if (t->child.pid > 0) {
		child_signal(&t->child, s->signo);
		return;
	}
	if (!s->ends)
		return;
	if (!t->ending) {
		t->ending = true;
		t->status = 128 + s->signo;
	}
	memset(t->on_due, 0, sizeof t->on_due);
	if (t->on)
		spawn_end(t->on);
	stop_if_done(t);
}

static void
run(struct cycle_runner *t)
{
	const struct handshake_spec spec = {
		.place = t->spec->place, .self = t->spec->self, .grace_ms = t->spec->grace_ms,
		.poll_ms = t->spec->poll_ms, .connected = t->spec->connected, .report = t->spec->report,
	};
	struct forward forwards[] = {
		{ t, SIGHUP, true }, { t, SIGINT, true }, { t, SIGQUIT, true }, { t, SIGTERM, true },
		{ t, SIGUSR1, false }, { t, SIGUSR2, false },
	};
	struct sigaction sa;

	t->loop = loop_new();
	for (size_t i = 0; i < sizeof forwards / sizeof *forwards; i++)
		if (sigaction(forwards[i].signo, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			loop_signal(t->loop, forwards[i].signo, signalled, &forwards[i]);
	t->handshake = handshake_start(t->loop, &spec, on_verdict, t);
	loop_run(t->loop);
	handshake_free(t->handshake);
	loop_free(t->loop);
}

int
cycle_runner_run(const struct cycle_runner_spec *spec)
{
	struct cycle_runner t = { .spec = spec, .child = CHILD_INIT, .lock_fd = -1, .status = CYCLE_RUNNER_FAILED };
	char own[INCARNATION_TEXT];
	struct fail f;
	int r = incarnation_of(getpid(), own);

	if (r < 0)
		r = fail_errno(&f, r, "/proc");
	if (r == 0)
		mark_of(own, t.mark);
	if (r == 0)
		r = take_lock(&t, &f);
	if (r == 0)
		r = readiness_read(spec->place, &t.now, &f);
	if (r == 0 && t.now.cycle.is_there && t.now.cycle.ended &&
	    strcmp(t.now.cycle.agent, spec->self->id) == 0)
		r = fail_set(&f, EXIT_BUSY, "%s: agent incarnation %s has had its cycle; if neither INVOCATION_ID "
		    "nor the parent process changes when the agent restarts, set --incarnation", spec->peer, spec->self->id);
	if (r == 0 && t.now.cycle.is_there && !t.now.cycle.ended)
		end_strays(&t);
	if (r == 0)
		r = sign_lock(&t, &f);
	if (r < 0)
		report_fail(&t, &f);
	else
		run(&t);
	io_closep(&t.lock_fd);
	return t.status;
}
