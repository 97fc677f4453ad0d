/*
 * client - the impCentral API, version 5, as one account sees it.
 *
 * The login key is exchanged for an access token when one is first needed, and
 * once more when the server takes the token no longer (401).  A request that
 * comes too soon (429) is made again after what X-RateLimit-Reset says, which
 * is taken for milliseconds from 100 on and for seconds below (the server's
 * unit is not documented), but after 1 s at the least and 60 s at the most,
 * five times, while the deadline allows.
 *
 * Errors: what the server says of itself stands in the message, title and
 * detail.  EXIT_DENIED for 401 and 403 and a refused login, EXIT_BUSY for 429,
 * EXIT_USAGE for a device that is none, base/http.h's for no answer.
 */
#ifndef IMP_CLIENT_H
#define IMP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "imp/account.h"

struct imp;

/* Reads the key; no core file of this process is written any more.  A is borrowed. */
int imp_open(const struct imp_account *a, struct imp **out, struct fail *f);
void imp_close(struct imp *i);

/* Give up at END_MS of the monotonic clock, from here on; 0 for never, but each request has its own 30 s. */
void imp_deadline(struct imp *i, int64_t end_ms);

/*
 * METHOD and PATH, "/devices/ID"; BODY is JSON or NULL.  *ANSWER is the answer,
 * JSON_NONE if it is empty; ANSWER may be NULL.
 */
int imp_request(struct imp *i, const char *method, const char *path, const char *body, struct json *answer,
    struct fail *f);

/* The HTTP status of the last answer, 0 for none. */
int imp_status(const struct imp *i);

/* May ID name a device: a device's or agent's id, or a MAC address? */
bool imp_is_device(const char *id);

const char *imp_url(const struct imp *i);
const char *imp_ca_file(const struct imp *i);

#endif
