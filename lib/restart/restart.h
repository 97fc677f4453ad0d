/*
 * restart - restart an agent by the method of its profile, and see what came of
 * it: success is a new incarnation that is ready, and still the same one
 * [restart] stable later.
 *
 * One restart of an agent runs at a time (restart/lock.h), and who finds, when it
 * is his turn, an incarnation that is younger than he has asked does no other.
 * What was done goes to the history (agent/history.h).
 *
 * Errors: EXIT_NO where the same incarnation is still there, or the new one does
 * not stay; EXIT_TIMEOUT where it is not ready in time; EXIT_ABSENT, EXIT_BUSY
 * (busy, its state unknown, or the limit), and a method's.
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
	int64_t timeout_ms;	/* for it to be idle, and to be ready; -1: the profile's */
	int64_t asked_ms;	/* when, on the clock of boot */
	bool force;		/* do not ask whether it is idle */
	bool conditional;	/* only if it runs */
};

struct restart_outcome {
	struct instance_state before, after;
	bool by_another;	/* that is younger than we asked: we did nothing */
	int64_t ready_ms;	/* from the restart until it was ready */
	struct fail warning;	/* what could not be written down; empty for nothing */
};

int restart(const struct profile *p, const struct restart_spec *spec, struct restart_outcome *o,
    struct fail *f);

/* What restart() would do, into OUT: lines "WHAT<tab>HOW"; the error is what it would end with. */
int restart_describe(const struct profile *p, const struct restart_spec *spec, struct buf *out,
    struct fail *f);

#endif
