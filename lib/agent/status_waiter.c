#include <poll.h>
#include <unistd.h>

#include "agent/status_waiter.h"
#include "base/notify.h"

/* Nobody tells of a death, so an agent that tells of its changes is looked at now and then, too. */
enum { LOOK_MS = 20, ASK_MS = 250, RELOOK_MS = 500 };

void
status_waiter_open(struct status_waiter *c, const struct profile *p)
{
	*c = (struct status_waiter){ .profile = p, .fd = -1 };
	if (p->status.method != STATUS_FILE)
		return;
	c->fd = notify_open();
	if (c->fd >= 0 && notify_watch(c->fd, p->status.path) < 0)
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
	enum status_method how = c->profile->status.method;
	/* to ask costs more than to look at a path */
	int64_t ms = c->fd >= 0 ? RELOOK_MS : how == STATUS_FILE || how == STATUS_BUSY_PATH ? LOOK_MS
	    : ASK_MS;

	poll(&pfd, 1, (int)(timeout_ms >= 0 && timeout_ms < ms ? timeout_ms : ms));
	if (c->fd >= 0)
		notify_read(c->fd);
	else
		status_waiter_open(c, c->profile);	/* its directory may be there by now */
}
