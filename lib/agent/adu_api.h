/*
 * adu_api - queries the state of the Azure Device Update agent, 1.3 and later, by
 * its Service Status API (GetAduServiceStatus).
 *
 * The request is written to the agent's FIFO: version 1, type 1, the length of a
 * path, each 16 bits big-endian, and that path.  The answer is read from the FIFO
 * at that path, created beside the agent's: a code and a value, 16 bits each.  The
 * agent accepts only a FIFO of its own user and group, so the caller must be root
 * or that user.
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
