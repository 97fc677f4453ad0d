/*
 * change - wait until there may be something new to see of an agent: told by
 * the kernel where the agent has a status file, else after a short while.  A
 * wake-up is a hint; what is new tells status_read().
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
