#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/inotify.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "task/waiters.h"

enum { WAITERS_POLL_MS = 200 };

struct waiter {
	struct server_request *request;
	waiters_try *fn;
	int wd;			/* of its directory; -1: polled; -2: it has none */
	int64_t deadline_ms;
	bool due;
	struct waiter *next;
};

struct waiters {
	struct loop *loop;
	void *cookie;
	int inotify_fd;
	struct waiter *first;
	struct loop_timer timer;
};

static void
arm_timer(struct waiters *w)
{
	int64_t next = INT64_MAX, now = clock_mono_ms();

	for (const struct waiter *i = w->first; i; i = i->next) {
		if (i->deadline_ms < next)
			next = i->deadline_ms;
		if (i->wd == -1 && now + WAITERS_POLL_MS < next)
			next = now + WAITERS_POLL_MS;
	}
	if (next == INT64_MAX)
		loop_timer_stop(w->loop, &w->timer);
	else
		loop_timer_set(w->loop, &w->timer, next > now ? next - now : 0);
}

static bool
is_watched(const struct waiters *w, int wd)
{
	for (const struct waiter *i = w->first; i; i = i->next)
		if (i->wd == wd)
			return true;
	return false;
}

/* Try those that are due, or whose time is over. */
static void
try_due(struct waiters *w)
{
	const int64_t now = clock_mono_ms();
	struct waiter **p = &w->first;

	while (*p) {
		struct waiter *i = *p;

		if ((!i->due && now < i->deadline_ms) || !i->fn(i->request, now >= i->deadline_ms, w->cookie)) {
			i->due = false;
			p = &i->next;
			continue;
		}
		*p = i->next;
		if (i->wd >= 0 && !is_watched(w, i->wd))
			inotify_unwatch(w->inotify_fd, i->wd);
		free(i);
	}
	arm_timer(w);
}

static void
timer_due(void *cookie)
{
	struct waiters *w = cookie;

	for (struct waiter *i = w->first; i; i = i->next)
		i->due |= i->wd == -1;
	try_due(w);
}

static void
output_came(int wd, uint32_t mask, const char *name, void *cookie)
{
	struct waiters *w = cookie;

	(void)mask, (void)name;
	for (struct waiter *i = w->first; i; i = i->next)
		i->due |= wd < 0 || i->wd == wd;
}

static void
inotify_ready(int fd, short events, void *cookie)
{
	(void)events;
	inotify_dispatch(fd, output_came, cookie);
	try_due(cookie);
}

struct waiters *
waiters_new(struct loop *l, void *cookie)
{
	struct waiters *w = xcalloc(1, sizeof *w);

	*w = (struct waiters){ .loop = l, .cookie = cookie, .inotify_fd = inotify_open() };
	w->timer = (struct loop_timer){ .fn = timer_due, .cookie = w };
	if (w->inotify_fd >= 0)
		loop_watch(l, w->inotify_fd, POLLIN, inotify_ready, w);
	return w;
}

void
waiters_free(struct waiters *w)
{
	if (!w)
		return;
	loop_timer_stop(w->loop, &w->timer);
	if (w->inotify_fd >= 0)
		loop_unwatch(w->loop, w->inotify_fd);
	io_closep(&w->inotify_fd);
	while (w->first) {
		struct waiter *i = w->first;

		w->first = i->next;
		free(i);
	}
	free(w);
}

void
waiters_add(struct waiters *w, struct server_request *q, waiters_try *fn, const char *dir, int64_t wait_ms)
{
	struct waiter *i;
	int wd = -2;

	if (wait_ms > 0 && dir) {
		/* first the watch, then the first try: nothing is missed in between */
		wd = w->inotify_fd < 0 ? -1 :
		    inotify_watch(w->inotify_fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
		if (wd < 0)
			wd = -1;
	}
	if (fn(q, wait_ms <= 0, w->cookie)) {
		if (wd >= 0 && !is_watched(w, wd))
			inotify_unwatch(w->inotify_fd, wd);
		return;
	}
	i = xcalloc(1, sizeof *i);
	*i = (struct waiter){ .request = q, .fn = fn, .wd = wd, .deadline_ms = clock_mono_ms() + wait_ms,
	    .next = w->first };
	w->first = i;
	arm_timer(w);
}

void
waiters_wake(struct waiters *w)
{
	for (struct waiter *i = w->first; i; i = i->next)
		i->due = true;
	try_due(w);
}
