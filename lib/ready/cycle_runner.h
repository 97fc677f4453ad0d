/*
 * cycle_runner - runs the work cycle of an agent incarnation once, when the peer
 * is ready, and supervises it to its end.
 *
 * The runner holds the lock of the peer's directory.  The cycle and its children
 * inherit it, so there are never two cycles.  The pair of incarnations is recorded
 * before the cycle starts, and its end after it.  A SIGKILL in between leaves a
 * cycle without an end: the next run of the same incarnation ends what is left of
 * it and starts it again.  A cycle with a recorded end is not started again by the
 * same incarnation.
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
