/*
 * last - the result of the last restart of an agent, for the processes that
 * waited for the lock to restart it as well: restart/NAME.last in the runtime
 * directory, KEY=VALUE lines, replaced under the lock (restart/lock.h).
 */
#ifndef RESTART_LAST_H
#define RESTART_LAST_H

#include "agent/instance_state.h"
#include "agent/profile.h"
#include "agent/reason.h"
#include "base/fail.h"

struct restart_last {
	int64_t acted_ms;		/* its time on the clock of boot */
	char incarnation[INSTANCE_NAME];	/* the incarnation after it */
	enum exit_status status;	/* its exit status */
	char text[REASON_MAX + 1];	/* its error */
};

/* The path of P's file with the extension FILE ("last", "lock").  To be freed. */
char *restart_last_path(const struct profile *p, const char *file);

int restart_last_write(const struct profile *p, const struct restart_last *r, struct fail *f);

/* -ENOENT if there is none of this boot that can be trusted. */
int restart_last_read(const struct profile *p, struct restart_last *r);

int restart_last_parse(const char *text, size_t len, struct restart_last *r);

#endif
