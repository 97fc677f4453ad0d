/*
 * cycle_runner - run the work cycle of an agent incarnation with a peer: wait until the
 * peer is ready, start the cycle once, and wait for its end.
 *
 * The peer's lock (ready/run_lock.h) is held all the while, so one process at a time
 * starts cycles.  The cycle runs under a shim (ready/work_cycle.h) and outlives this process.
 * The pair of incarnations is recorded before the cycle starts and its end after it.
 * What a killed run left is found by the next one: the cycle of the same agent
 * incarnation is adopted, that of another one is ended before a new one starts.  A cycle
 * that was recorded and not started, or whose shim was killed, is begun again.  A cycle
 * whose end was recorded is not begun again in the same incarnation.
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
	void (*verdict)(enum readiness_verdict v, void *cookie);	/* each verdict, before the cycle starts */
	void (*report)(const struct fail *f, void *cookie);	/* a message for the user; EXIT_OK: no error */
	void *cookie;
};

/* Returns the exit status: the cycle's; 128 + n if signal n arrived before it started; CYCLE_RUNNER_FAILED. */
int cycle_runner_run(const struct cycle_runner_spec *spec);

#endif
