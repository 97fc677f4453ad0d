/*
 * aduapi - ask the Azure agent, 1.3 and later, for its state: its Service Status
 * API, GetAduServiceStatus.
 *
 * The request goes into the agent's FIFO: version 1, type 1, the length of a
 * path, each 16 bits and big-endian, and that path; the answer comes from the
 * FIFO of that path, made for it beside the agent's: a code and a value, 16
 * bits each.  The agent takes only a FIFO that is its own user's and group's,
 * so whoever asks is root, or is that user.
 */
#ifndef AGENT_ADU_API_H
#define AGENT_ADU_API_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

/*
 * "code=N\nvalue=N\n" into OUT, which is reset first.  Errors: agent/fifo.h's of
 * the agent's FIFO; EXIT_TIMEOUT where it does not answer.
 */
int adu_api_ask(const struct profile *p, int64_t timeout_ms, struct buf *out, struct fail *f);

#endif
