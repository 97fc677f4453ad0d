#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/xalloc.h"

struct watch {
	loop_fd_fn *fn;		/* NULL once it is removed */
	void *cookie;
};

struct on_signal {
	int signo;
	loop_fn *fn;
	void *cookie;
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
	t->at_ms = clock_mono_ms() + delay_ms;
	for (p = &l->timers; *p && (*p)->at_ms <= t->at_ms; p = &(*p)->next)
		;
	t->next = *p;
	*p = t;
	t->set = true;
}

static void
take_signals(int fd, short events, void *cookie)
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
		loop_watch(l, fd, POLLIN, take_signals, l);
	l->signal_fd = fd;
}

static void
sweep(struct loop *l)
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

	/* NOW stands still: one that is set again and again does not keep us here */
	while (!l->stopped && (t = l->timers) && t->at_ms <= now) {
		loop_timer_stop(l, t);
		t->fn(t->cookie);
	}
}

static int
delay(const struct loop *l)
{
	int64_t ms;

	if (!l->timers)
		return -1;
	ms = l->timers->at_ms - clock_mono_ms();
	return ms < 0 ? 0 : ms > 1 << 30 ? 1 << 30 : (int)ms;
}

int
loop_run(struct loop *l)
{
	while (!l->stopped) {
		size_t n;
		int ready;

		sweep(l);
		n = l->n;	/* watches added in this round wait for the next */
		ready = poll(l->fds, n, clock_wait(delay(l)));
		if (ready < 0 && errno != EINTR)
			die(EXIT_TROUBLE, errno, "poll");
		for (size_t i = 0; ready > 0 && i < n; i++)
			if (l->watches[i].fn && l->fds[i].revents)
				l->watches[i].fn(l->fds[i].fd, l->fds[i].revents,
				    l->watches[i].cookie);
		fire_timers(l);
	}
	l->stopped = false;
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
