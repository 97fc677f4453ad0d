/*
 * runtime - what our own agent keeps in its runtime directory while it lives.
 *
 *	lock		held by the one agent that there is; its pid is in it
 *	commands.fifo	0660, opened for reading and writing once and never
 *			again, so there is no end of file and no gap
 *	busy		locked while a cycle runs; a crash frees it
 *	status		agent/status.h, replaced at each change
 *
 * The directory is that of the profile's status file; the pipe is where the
 * profile's retry section has it.
 */
#ifndef AGENT_RUNTIME_H
#define AGENT_RUNTIME_H

#include <stdbool.h>

#include "agent/profile.h"
#include "agent/status.h"
#include "base/fail.h"

struct runtime;

/*
 * Take P's seat.  EXIT_BUSY, naming the pid, where another agent has it;
 * EXIT_USAGE where P is no profile of an agent of ours; EXIT_DENIED where what
 * stands in the pipe's place is not ours.
 */
int runtime_open(const struct profile *p, struct runtime **out, struct fail *f);

/* Locks and pipe are let go; the files stay. */
void runtime_close(struct runtime *r);

/* The descriptor of the pipe, not blocking; the runtime's. */
int runtime_pipe(const struct runtime *r);

/* Hold the busy lock, or free it. */
void runtime_set_busy(struct runtime *r, bool busy);

int runtime_publish(struct runtime *r, const struct status *s);

#endif
