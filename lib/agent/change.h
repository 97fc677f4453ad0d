/*
 * change - wait until there may be something new to see of an agent: told by
 * the kernel where the agent has a status file, else after a short while.  A
 * wake-up is a hint; what is new tells status_read().
 */
#ifndef AGENT_CHANGE_H
#define AGENT_CHANGE_H

#include <stdint.h>

#include "agent/profile.h"

struct change {
	const struct profile *profile;	/* borrowed */
	int fd;
};

void change_open(struct change *c, const struct profile *p);
void change_close(struct change *c);

#define _cleanup_change_	__attribute__((cleanup(change_close)))

/* Wait, TIMEOUT_MS at most; < 0 for no limit. */
void change_wait(struct change *c, int64_t timeout_ms);

#endif
