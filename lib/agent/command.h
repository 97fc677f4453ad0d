/*
 * command - ask a program something, and have its answer.
 *
 * Errors: EXIT_TROUBLE where it could not be run, EXIT_TIMEOUT (-ETIMEDOUT)
 * where it did not answer in time.
 */
#ifndef AGENT_COMMAND_H
#define AGENT_COMMAND_H

#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

/*
 * Run ARGV: its exit status, with what it printed, at most 64 KiB of it, in OUT
 * (reset first).  F's text is then the first line of what it said on stderr, or
 * how it ended.
 */
int command_capture(const char *const *argv, int64_t timeout_ms, struct buf *out, struct fail *f);

#endif
