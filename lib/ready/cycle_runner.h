/*
 * turn - the work of an agent's one life with a peer: run its cycle when the
 * peer is ready, once, and tend it to its end.
 *
 * Who runs holds the lock of the peer's directory, and so does the cycle with
 * all that it starts, so there are never two of them.  The pair of incarnations
 * is recorded before the cycle starts and its end after it: a kill in between
 * leaves a cycle that has no end, and the next run of the same life begins it
 * again, after it has ended what is left of it.  A cycle whose end was recorded
 * is not begun again in the same life.
 */
#ifndef READY_CYCLE_RUNNER_H
#define READY_CYCLE_RUNNER_H

#include <stdint.h>

#include "ready/readiness.h"

/* The exit status of a run that failed by itself, as env(1) has it. */
enum { CYCLE_RUNNER_FAILED = 125 };

struct cycle_runner_spec {
	const struct readiness *place;
	const struct readiness_self *self;
	const char *peer;
	int64_t grace_ms, poll_ms;	/* ready/handshake.h */
	char *const *connected;
	char *const *on[VERDICTS];	/* commands, NULL where there is none */
	char *const *cycle;		/* the command */
	void (*verdict)(enum readiness_verdict v, void *cookie);	/* told of each before the cycle */
	void (*tell)(const struct fail *f, void *cookie);	/* fail_tell()'s kind */
	void *cookie;
};

/* Returns the status to exit with: the cycle's, 128 + n where a signal ended us before it. */
int cycle_runner_run(const struct cycle_runner_spec *spec);

#endif
