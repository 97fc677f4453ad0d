/*
 * record - what the last restart of an agent came to, for those who waited for
 * their turn to restart it as well: restart/NAME.last in the runtime directory,
 * KEY=VALUE lines, replaced by whoever has the turn (restart/lock.h).
 */
#ifndef RESTART_LAST_H
#define RESTART_LAST_H

#include "agent/instance_state.h"
#include "agent/profile.h"
#include "agent/reason.h"
#include "base/fail.h"

struct restart_last {
	int64_t acted_ms;		/* when it was begun, on the clock of boot */
	char incarnation[INSTANCE_NAME];	/* that was there after it */
	enum exit_status status;	/* of the restart */
	char text[REASON_MAX + 1];	/* what there was to say of it */
};

/* FILE of P's restarts, which is in the runtime directory.  To be freed. */
char *restart_last_path(const struct profile *p, const char *file);

int restart_last_write(const struct profile *p, const struct restart_last *r, struct fail *f);

/* -ENOENT where there is none of this boot that can be read. */
int restart_last_read(const struct profile *p, struct restart_last *r);

int restart_last_parse(const char *text, size_t len, struct restart_last *r);

#endif
