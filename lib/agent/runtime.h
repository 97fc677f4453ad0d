/*
 * runtime - the files of rejoin-agent's runtime directory.
 *
 *	lock		0600, locked while the agent runs; its pid is in it
 *	commands.fifo	opened once for reading and writing, so there is no end of
 *			file and no gap; 0620 with the profile's group, 0600 without
 *			one, 0660 with fifo-owner
 *	busy		0600, locked while a cycle runs; a crash releases it
 *	status		0644, agent/status.h, replaced at each change
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
 * Take the lock and make the files.  The FIFO is given to FIFO_UID and FIFO_GID
 * ((uid_t)-1: see above).  EXIT_BUSY, with the pid, where another agent has the lock;
 * EXIT_USAGE where P is not the profile of a rejoin-agent; EXIT_DENIED where the
 * directory or the FIFO could be another user's.
 */
int runtime_open(const struct profile *p, uid_t fifo_uid, gid_t fifo_gid, struct runtime **out,
    struct fail *f);

/*
 * Make anew the files that have vanished: 1 where there were any, and the descriptor
 * of the FIFO may be another one; 0 where all is there.  An error where another
 * agent has the lock by now, or the files cannot be made.
 */
int runtime_repair(struct runtime *r, const struct profile *p, struct fail *f);

/* Locks and pipe are let go; the files stay. */
void runtime_close(struct runtime *r);

/* The descriptor of the pipe, not blocking; the runtime's. */
int runtime_pipe(const struct runtime *r);

/* Hold the busy lock, or free it. */
void runtime_set_busy(struct runtime *r, bool busy);

int runtime_publish(struct runtime *r, const struct status *s);

#endif
