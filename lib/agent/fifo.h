/*
 * fifo - write a frame into the command pipe of an agent and see that it was read.
 *
 * The pipe is opened without blocking, and what was opened is checked: a FIFO of
 * the agent's user (or else of root or the caller) and group that others cannot
 * write to.  A missing reader is waited for 30 ms, because the Azure agent closes
 * its pipe after each writer and opens it again.  After the write the descriptor
 * stays open until the pipe is empty, so a frame that was not read when the agent
 * closes its end is still in the pipe when it opens it again.
 *
 * Errors: EXIT_ABSENT (no pipe or no reader), EXIT_DENIED (no permission, not a
 * FIFO, wrong owner), EXIT_TIMEOUT (written and not read), EXIT_TROUBLE.
 */
#ifndef AGENT_FIFO_H
#define AGENT_FIFO_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

/* Open the pipe of P's [retry], which has a reader then. */
int fifo_open(const struct profile *p, struct fail *f);

/* Open the FIFO PATH of P's agent. */
int fifo_open_at(const struct profile *p, const char *path, struct fail *f);

/* The number of bytes in the pipe. */
int fifo_unread(int fd);

/*
 * Write FRAME until END_MS on the monotonic clock and wait until the pipe is
 * empty.  -EPIPE, with F not filled in: nothing was written, as there is no reader.
 */
int fifo_send(int fd, const struct profile *p, const struct buf *frame, int64_t end_ms,
    struct fail *f);

#endif
