/*
 * status_waiter - wait until the status of an agent may have changed: by inotify
 * where the agent has a status file, else for a short time.  A return is a hint;
 * the caller reads the status again (status_read()).
 */
#ifndef AGENT_STATUS_WAITER_H
#define AGENT_STATUS_WAITER_H

#include <stdint.h>

#include "agent/profile.h"

struct status_waiter {
	const struct profile *profile;	/* borrowed */
	int fd;
};

void status_waiter_open(struct status_waiter *c, const struct profile *p);
void status_waiter_close(struct status_waiter *c);

#define _cleanup_status_waiter_	__attribute__((cleanup(status_waiter_close)))

/* Wait, TIMEOUT_MS at most; < 0 for no limit. */
void status_waiter_wait(struct status_waiter *c, int64_t timeout_ms);

#endif
