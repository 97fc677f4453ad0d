/*
 * fifo - put a frame into an agent's command pipe, and see that it was taken.
 *
 * The pipe is opened so that nothing hangs, and what was opened is looked at:
 * a FIFO of the agent's user (or else root or the caller) and group, which
 * others cannot write to.  Where nobody reads, that is asked again for 30 ms,
 * because the Azure agent closes its pipe and opens it again after each writer.
 * After the write the descriptor stays open until the pipe is empty: a frame
 * that the agent has not yet read when it closes its end then stays in the
 * pipe for when it opens it again.
 *
 * Errors: EXIT_ABSENT (nobody reads; no pipe), EXIT_DENIED (not allowed, not a
 * FIFO, not the agent's), EXIT_TIMEOUT (written, not taken), EXIT_TROUBLE.
 */
#ifndef AGENT_FIFO_H
#define AGENT_FIFO_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

/* A descriptor of P's pipe, which somebody reads. */
int fifo_open(const struct profile *p, struct fail *f);

/* Of the FIFO PATH of P's agent instead. */
int fifo_open_at(const struct profile *p, const char *path, struct fail *f);

/* Bytes in it that nobody has read yet. */
int fifo_unread(int fd);

/*
 * FRAME into FD until END_MS on the monotonic clock: 0 when all that is in the
 * pipe was read.  -EPIPE (F not filled): nothing was written, nobody reads.
 */
int fifo_send(int fd, const struct profile *p, const struct buf *frame, int64_t end_ms,
    struct fail *f);

#endif
