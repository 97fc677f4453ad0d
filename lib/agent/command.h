/*
 * command - run a program and read its answer from its stdout.
 *
 * Errors: EXIT_TROUBLE if it could not be run, EXIT_TIMEOUT (-ETIMEDOUT) if it did
 * not end in time.
 */
#ifndef AGENT_COMMAND_H
#define AGENT_COMMAND_H

#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

/*
 * Run ARGV.  Returns its exit status; OUT, which is reset first, gets at most
 * 64 KiB of its output.  The text of F is then the first line of its stderr, or
 * how it ended if it wrote none.
 */
int command_capture(const char *const *argv, int64_t timeout_ms, struct buf *out, struct fail *f);

/*
 * The same, and call FN once as soon as the process of PIDFD has ended; PIDFD
 * may be -1.
 */
int command_capture_watching(const char *const *argv, int64_t timeout_ms, int pidfd,
    void (*fn)(void *cookie), void *cookie, struct buf *out, struct fail *f);

#endif
