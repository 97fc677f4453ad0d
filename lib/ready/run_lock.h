/*
 * run_lock - the lock of a peer's directory: it is held by the one "rejoin-ready run"
 * that starts, adopts or waits for the peer's cycle.
 *
 * Its file names the holder, a line "PID INCARNATION AGENT": the process, its
 * incarnation (agent/incarnation.h) and the agent incarnation that it runs for.  The
 * cycle does not inherit the lock.
 */
#ifndef READY_RUN_LOCK_H
#define READY_RUN_LOCK_H

#include <sys/types.h>

#include "base/fail.h"

struct run_lock_spec {
	const char *path;
	mode_t mode;
	const char *peer, *agent;	/* for messages, and AGENT for the file */
	void (*report)(const struct fail *f, void *cookie);	/* what is waited for; fail_tell()'s kind */
	void *cookie;
};

/*
 * Wait for the lock while a run of another agent incarnation holds it, and write this
 * process into its file.  Returns a descriptor, the caller's to close, or a negative
 * errno with F filled: EXIT_BUSY if a run of the same agent incarnation holds it.
 */
int run_lock_acquire(const struct run_lock_spec *spec, struct fail *f);

#endif
