#include <poll.h>
#include <unistd.h>

#include "agent/status_method.h"
#include "agent/status_waiter.h"
#include "base/inotify.h"

/* An agent that is killed announces nothing, so its status is also read at this interval. */
enum { RELOOK_MS = 500 };

void
status_waiter_open(struct status_waiter *c, const struct profile *p)
{
	*c = (struct status_waiter){ .profile = p, .fd = -1 };
	if (p->status.method != STATUS_FILE)
		return;
	c->fd = inotify_open();
	if (c->fd >= 0 && inotify_watch_parent(c->fd, p->status.path) < 0)
		status_waiter_close(c);
}

void
status_waiter_close(struct status_waiter *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void
status_waiter_wait(struct status_waiter *c, int64_t timeout_ms)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	int64_t ms = c->fd >= 0 ? RELOOK_MS : status_method_find(c->profile)->poll_ms;

	poll(&pfd, 1, (int)(timeout_ms >= 0 && timeout_ms < ms ? timeout_ms : ms));
	if (c->fd >= 0)
		inotify_drain(c->fd);
	else
		status_waiter_open(c, c->profile);	/* its directory may be there by now */
}
