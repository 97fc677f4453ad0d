/*
 * http_call - make the HTTP request of a profile.  (rejoin-retry has it made by
 * another program: retry/http_delegate.h.)
 */
#ifndef AGENT_HTTP_CALL_H
#define AGENT_HTTP_CALL_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"

/*
 * 0 where the answer is a 2xx; errors as base/http.h and base/secret.h have
 * them.  The text of the server's answer is left out of the message: it may hold anything.
 */
int http_call_make(const struct profile_http *h, int64_t timeout_ms, struct fail *f);

#endif
