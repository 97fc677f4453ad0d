#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/procset.h"
#include "base/xalloc.h"

enum { KILL_WAIT_MS = 200 };

static const int64_t DELAY_MAX_MS = INT64_C(1) << 53;	/* so that a sum with the clock cannot overflow */

struct watch {
	loop_fd_fn *fn;		/* NULL once it is removed */
	void *cookie;
};

struct on_signal {
	int signo;
	loop_fn *fn;
	void *cookie;
};

struct loop_child {
	struct loop *loop;
	pid_t pid;
	int fd;			/* a pidfd */
	bool session, ending;
	char *mark;
	int64_t grace_ms;
	struct loop_timer deadline, grace;
	struct loop_child_end end;
	loop_child_fn *fn;
	void *cookie;
	struct loop_child *next;
};

struct loop {
	struct pollfd *fds;	/* fds[i] and watches[i] belong together */
	struct watch *watches;
	size_t n, fds_cap, watches_cap;
	struct loop_timer *timers;	/* soonest first */
	struct on_signal *signals;
	size_t n_signals, signals_cap;
	sigset_t mask, old_mask;
	int signal_fd;
	int *ended_by;		/* loop_end_on_signals() */
	struct loop_child *children;
	struct loop_stage *stages;	/* newest first */
	size_t holds;
	bool shutting_down;
	bool stopped;
	int status;
};

struct loop *
loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof *l);

	sigemptyset(&l->mask);
	sigprocmask(SIG_SETMASK, NULL, &l->old_mask);
	l->signal_fd = -1;
	return l;
}

void
loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->children)
		loop_child_kill(l->children);
	if (l->signal_fd >= 0) {
		close(l->signal_fd);
		sigprocmask(SIG_SETMASK, &l->old_mask, NULL);
	}
	free(l->fds);
	free(l->watches);
	free(l->signals);
	free(l);
}

void
loop_watch(struct loop *l, int fd, short events, loop_fd_fn *fn, void *cookie)
{
	l->fds = xgrow(l->fds, l->n, &l->fds_cap, sizeof *l->fds);
	l->watches = xgrow(l->watches, l->n, &l->watches_cap, sizeof *l->watches);
	l->fds[l->n] = (struct pollfd){ .fd = fd, .events = events };
	l->watches[l->n++] = (struct watch){ fn, cookie };
}

void
loop_unwatch(struct loop *l, int fd)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->watches[i].fn && l->fds[i].fd == fd) {
			l->watches[i].fn = NULL;	/* swept after the round */
			l->fds[i].fd = -1;
		}
}

void
loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	for (struct loop_timer **p = &l->timers; *p; p = &(*p)->next)
		if (*p == t) {
			*p = t->next;
			break;
		}
	t->set = false;
}

void
loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_ms)
{
	struct loop_timer **p;

	loop_timer_stop(l, t);
	t->at_ms = clock_mono_ms() + (delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS);
	for (p = &l->timers; *p && (*p)->at_ms <= t->at_ms; p = &(*p)->next)
		;
	t->next = *p;
	*p = t;
	t->set = true;
}

static void
read_signals(int fd, short events, void *cookie)
{
	struct loop *l = cookie;
	struct signalfd_siginfo si;

	(void)events;
	while (io_read(fd, &si, sizeof si) == (ssize_t)sizeof si)
		for (size_t i = 0; i < l->n_signals; i++)
			if (l->signals[i].signo == (int)si.ssi_signo)
				l->signals[i].fn(l->signals[i].cookie);
}

void
loop_signal(struct loop *l, int signo, loop_fn *fn, void *cookie)
{
	int fd;

	l->signals = xgrow(l->signals, l->n_signals, &l->signals_cap, sizeof *l->signals);
	l->signals[l->n_signals++] = (struct on_signal){ signo, fn, cookie };
	sigaddset(&l->mask, signo);
	sigprocmask(SIG_BLOCK, &l->mask, NULL);
	fd = signalfd(l->signal_fd, &l->mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		die(EXIT_TROUBLE, errno, "signalfd");
	if (l->signal_fd < 0)
		loop_watch(l, fd, POLLIN, read_signals, l);
	l->signal_fd = fd;
}

static void
sweep_watches(struct loop *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->watches[i].fn) {
			l->fds[n] = l->fds[i];
			l->watches[n++] = l->watches[i];
		}
	l->n = n;
}

static void
fire_timers(struct loop *l)
{
	const int64_t now = clock_mono_ms();
	struct loop_timer *t;

	/* NOW stands still: a timer that sets itself again waits for the next round */
	while (!l->stopped && (t = l->timers) && t->at_ms <= now) {
		loop_timer_stop(l, t);
		t->fn(t->cookie);
	}
}

static int
poll_delay(const struct loop *l)
{
	int64_t ms;

	if (!l->timers)
		return -1;
	ms = l->timers->at_ms - clock_mono_ms();
	return ms < 0 ? 0 : ms > 1 << 30 ? 1 << 30 : (int)ms;
}

/* --- child processes */

static void
child_free(struct loop_child *c)
{
	struct loop_child **p = &c->loop->children;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	loop_timer_stop(c->loop, &c->deadline);
	loop_timer_stop(c->loop, &c->grace);
	loop_unwatch(c->loop, c->fd);
	close(c->fd);
	free(c->mark);
	free(c);
}

/* Its process group is its own until it is waited for: the number cannot be reused before. */
static void
child_kill_all(void *cookie)
{
	struct loop_child *c = cookie;

	kill(-c->pid, SIGKILL);
	if (c->session)
		procset_signal_session(c->pid, SIGKILL);
	if (c->mark)
		procset_signal_mark(c->mark, SIGKILL);
}

static void
child_terminate(struct loop_child *c)
{
	if (c->ending)
		return;
	c->ending = true;
	kill(-c->pid, SIGTERM);
	/* a stopped process takes no SIGTERM until it continues */
	kill(-c->pid, SIGCONT);
	loop_timer_set(c->loop, &c->grace, c->grace_ms);
}

static void
child_at_deadline(void *cookie)
{
	struct loop_child *c = cookie;

	if (!c->ending)
		c->end.timed_out = true;
	child_terminate(c);
}

static void
child_exited(int fd, short events, void *cookie)
{
	struct loop_child *c = cookie;
	const struct loop_child copy = *c;
	struct loop_child_end e = c->end;
	int status = 0;

	(void)fd, (void)events;
	if (c->ending)
		child_kill_all(c);	/* the descendants that it left running */
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	e.signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	e.status = e.signo ? 128 + e.signo : WEXITSTATUS(status);
	child_free(c);
	copy.fn(&e, copy.cookie);
}

struct loop_child *
loop_child_add(struct loop *l, const struct loop_child_spec *spec, loop_child_fn *fn, void *cookie)
{
	struct loop_child *c;
	int fd = pidfd_open(spec->pid, 0), err = errno;

	if (fd < 0) {
		kill(-spec->pid, SIGKILL);
		while (waitpid(spec->pid, NULL, 0) < 0 && errno == EINTR)
			;
		errno = err;
		return NULL;
	}
	c = xcalloc(1, sizeof *c);
	*c = (struct loop_child){
		.loop = l, .pid = spec->pid, .fd = fd, .session = spec->session,
		.mark = spec->mark ? xstrdup(spec->mark) : NULL, .grace_ms = spec->grace_ms,
		.deadline = { .fn = child_at_deadline, .cookie = c },
		.grace = { .fn = child_kill_all, .cookie = c },
		.fn = fn, .cookie = cookie, .next = l->children,
	};
	l->children = c;
	loop_watch(l, fd, POLLIN, child_exited, c);
	if (spec->timeout_ms > 0)
		loop_timer_set(l, &c->deadline, spec->timeout_ms);
	return c;
}

void
loop_child_signal(struct loop_child *c, int signo)
{
	kill(-c->pid, signo);
}

void
loop_child_end(struct loop_child *c)
{
	if (!c->ending)
		c->end.ended = true;
	child_terminate(c);
}

void
loop_child_kill(struct loop_child *c)
{
	struct pollfd end = { .fd = c->fd, .events = POLLIN };

	child_kill_all(c);
	/* a process in uninterruptible sleep is left to init in the end */
	poll(&end, 1, KILL_WAIT_MS);
	waitpid(c->pid, NULL, WNOHANG);
	child_free(c);
}

/* --- shutdown */

void
loop_stage_add(struct loop *l, struct loop_stage *s)
{
	s->next = l->stages;
	l->stages = s;
}

void
loop_stage_remove(struct loop *l, struct loop_stage *s)
{
	for (struct loop_stage **p = &l->stages; *p; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			return;
		}
}

void
loop_hold(struct loop *l)
{
	l->holds++;
}

void
loop_release(struct loop *l)
{
	/* it would never end its shutdown: die where that is seen */
	if (l->holds == 0)
		abort();
	l->holds--;
}

void
loop_shutdown(struct loop *l, int status)
{
	if (l->shutting_down)
		return;
	l->shutting_down = true;
	l->status = status;
}

bool
loop_is_shutting_down(const struct loop *l)
{
	return l->shutting_down;
}

static bool
has_ending_child(const struct loop *l)
{
	for (const struct loop_child *c = l->children; c; c = c->next)
		if (c->ending)
			return true;
	return false;
}

/* Advance the shutdown until something has to be waited for. */
static void
advance_shutdown(struct loop *l)
{
	while (l->holds == 0 && !has_ending_child(l)) {
		struct loop_stage *s = l->stages;

		if (s) {
			l->stages = s->next;
			s->fn(s->cookie);
			continue;
		}
		if (!l->children) {
			l->stopped = true;
			return;
		}
		for (struct loop_child *c = l->children; c; c = c->next)
			loop_child_end(c);
	}
}

/* --- running */

int
loop_run(struct loop *l)
{
	for (;;) {
		size_t n;
		int ready;

		if (l->shutting_down && !l->stopped)
			advance_shutdown(l);
		if (l->stopped)
			break;
		sweep_watches(l);
		n = l->n;	/* watches added in this round wait for the next */
		ready = poll(l->fds, n, clock_wait(poll_delay(l)));
		if (ready < 0 && errno != EINTR)
			die(EXIT_TROUBLE, errno, "poll");
		for (size_t i = 0; ready > 0 && i < n; i++)
			if (l->watches[i].fn && l->fds[i].revents)
				l->watches[i].fn(l->fds[i].fd, l->fds[i].revents,
				    l->watches[i].cookie);
		fire_timers(l);
	}
	l->stopped = l->shutting_down = false;
	return l->status;
}

void
loop_stop(struct loop *l, int status)
{
	l->stopped = true;
	l->status = status;
}

static void
end_by(struct loop *l, int signo)
{
	*l->ended_by = signo;
	loop_stop(l, 0);
}

static void
end_by_int(void *cookie)
{
	end_by(cookie, SIGINT);
}

static void
end_by_term(void *cookie)
{
	end_by(cookie, SIGTERM);
}

static void
end_by_hup(void *cookie)
{
	end_by(cookie, SIGHUP);
}

void
loop_end_on_signals(struct loop *l, int *signo)
{
	static const struct { int signo; loop_fn *fn; } ends[] = {
		{ SIGINT, end_by_int }, { SIGTERM, end_by_term }, { SIGHUP, end_by_hup },
	};
	struct sigaction sa;

	l->ended_by = signo;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (sigaction(ends[i].signo, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			loop_signal(l, ends[i].signo, ends[i].fn, l);
}
