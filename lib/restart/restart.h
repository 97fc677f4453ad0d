/*
 * restart - restart an agent by the method of its profile, and verify it: success
 * is a new incarnation that is ready, and still the same one [restart] stable
 * later.
 *
 * One restart of an agent runs at a time (restart/lock.h).  A process that gets
 * the lock and finds an instance younger than its own request does not restart
 * it again.
 *
 * The history (agent/history.h) gets a line "asked" before the restart, because a
 * process of the agent's own unit is ended by it, and a line with the outcome
 * after it.  If that line is missing, the next restart adds it.
 *
 * Errors: EXIT_NO if the same incarnation still runs, or the new one does not
 * stay; EXIT_TIMEOUT if it is not ready in time; EXIT_ABSENT; EXIT_BUSY (agent busy,
 * its state unknown, or the limit used up); and those of the method.  The text
 * of a failure ends with the last error that the unit has logged.
 */
#ifndef RESTART_RESTART_H
#define RESTART_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/instance_state.h"
#include "agent/profile.h"
#include "agent/reason.h"
#include "base/buf.h"
#include "base/fail.h"

struct restart_spec {
	char reason[REASON_MAX + 1];	/* empty for none */
	int64_t timeout_ms;	/* for an idle agent, then for readiness; -1: the profile's */
	int64_t asked_ms;	/* time of the request on the clock of boot */
	bool force;		/* restart a busy agent, too */
	bool conditional;	/* restart only a running agent */
	/* called for what the user should know and is no error */
	void (*warn)(const struct fail *f, void *cookie);
	void *cookie;
};

struct restart_outcome {
	struct instance_state before, after;
	bool by_another;	/* another process restarted it since the request */
	int64_t ready_ms;	/* time from the restart until it was ready */
};

int restart(const struct profile *p, const struct restart_spec *spec, struct restart_outcome *o,
    struct fail *f);

/*
 * Append what restart() would do to OUT: lines "WHAT<tab>HOW".  The error is what
 * it would end with.
 */
int restart_describe(const struct profile *p, const struct restart_spec *spec, struct buf *out,
    struct fail *f);

#endif
