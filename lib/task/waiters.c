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
	waiters_dirs *dirs;	/* NULL: no output concerns it */
	int *wds;		/* of its directories */
	size_t n_wds, wds_cap;
	bool polled;		/* one of them cannot be watched */
	int64_t gather_ms, deadline_ms;
	int64_t due_ms;		/* when it is tried because of output; 0: nothing has come */
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
		if (i->due_ms && i->due_ms < next)
			next = i->due_ms;
		if (i->polled && now + WAITERS_POLL_MS < next)
			next = now + WAITERS_POLL_MS;
	}
	if (next == INT64_MAX)
		loop_timer_stop(w->loop, &w->timer);
	else
		loop_timer_set(w->loop, &w->timer, next > now ? next - now : 0);
}

static bool
waiter_has_watch(const struct waiter *i, int wd)
{
	for (size_t k = 0; k < i->n_wds; k++)
		if (i->wds[k] == wd)
			return true;
	return false;
}

/* I is in the list no more: what no other waits for is watched no more. */
static void
waiter_free(struct waiters *w, struct waiter *i)
{
	for (size_t k = 0; k < i->n_wds; k++) {
		const struct waiter *other = w->first;

		while (other && !waiter_has_watch(other, i->wds[k]))
			other = other->next;
		if (!other)
			inotify_unwatch(w->inotify_fd, i->wds[k]);
	}
	free(i->wds);
	free(i);
}

/* Watch the directories of I that are not watched yet; true where there was one. */
static bool
watch_directories(struct waiters *w, struct waiter *i)
{
	_cleanup_free_ char **dirs = i->dirs ? i->dirs(i->request, w->cookie) : NULL;
	const size_t before = i->n_wds;

	for (char **d = dirs; d && *d; d++) {
		int wd = w->inotify_fd < 0 ? -1 : inotify_watch(w->inotify_fd, *d, IN_MODIFY | IN_CREATE | IN_MOVED_TO);

		i->polled |= wd < 0;
		if (wd < 0 || waiter_has_watch(i, wd))
			continue;
		i->wds = xgrow(i->wds, i->n_wds, &i->wds_cap, sizeof *i->wds);
		i->wds[i->n_wds++] = wd;
	}
	return i->n_wds > before;
}

/* Try I.  What came between a try and the first watch of a directory is found by another try. */
static bool
try_waiter(struct waiters *w, struct waiter *i, bool last)
{
	do {
		if (i->fn(i->request, last, w->cookie))
			return true;
	} while (watch_directories(w, i));
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

		i->due |= i->due_ms && now >= i->due_ms;
		if ((!i->due && now < i->deadline_ms) || !try_waiter(w, i, now >= i->deadline_ms)) {
			i->due_ms = i->due ? 0 : i->due_ms;
			i->due = false;
			p = &i->next;
			continue;
		}
		*p = i->next;
		waiter_free(w, i);
	}
	arm_timer(w);
}

static void
timer_due(void *cookie)
{
	struct waiters *w = cookie;

	for (struct waiter *i = w->first; i; i = i->next)
		i->due |= i->polled;
	try_due(w);
}

static void
output_came(int wd, uint32_t mask, const char *name, void *cookie)
{
	struct waiters *w = cookie;

	(void)mask, (void)name;
	for (struct waiter *i = w->first; i; i = i->next)
		if (!i->due_ms && (wd < 0 || waiter_has_watch(i, wd)))
			i->due_ms = clock_mono_ms() + i->gather_ms;
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
		free(i->wds);
		free(i);
	}
	free(w);
}

void
waiters_add(struct waiters *w, struct server_request *q, waiters_try *fn, waiters_dirs *dirs, int64_t gather_ms,
    int64_t wait_ms)
{
	struct waiter *i;

	if (fn(q, wait_ms <= 0, w->cookie))
		return;
	i = xcalloc(1, sizeof *i);
	*i = (struct waiter){ .request = q, .fn = fn, .dirs = dirs, .gather_ms = gather_ms,
	    .deadline_ms = clock_mono_ms() + wait_ms };
	if (watch_directories(w, i) && try_waiter(w, i, false)) {
		waiter_free(w, i);
		return;
	}
	i->next = w->first;
	w->first = i;
	arm_timer(w);
}

void
waiters_wake(struct waiters *w)
{
	const int64_t now = clock_mono_ms();

	for (struct waiter *i = w->first; i; i = i->next)
		if (!i->due_ms)
			i->due_ms = now + i->gather_ms;
	arm_timer(w);
}
