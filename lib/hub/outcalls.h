/*
 * outcalls - calls of the hub that programs on the device make (rejoin-hub call): sent
 * once, when the link is up, and answered through done/ (hub/submission.h).
 *
 * A submission {"kind":"call","key":METHOD,"value":PARAMS,"timeout_ms":N}.  Calls are not in the
 * outbox: after the end of the link or their deadline the caller is told so.
 */
#ifndef HUB_OUTCALLS_H
#define HUB_OUTCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "hub/dialect.h"
#include "hub/intake.h"

enum { OUTCALLS_MAX = 100, OUTCALLS_TIMEOUT_MS = 30000 };

struct outcalls_spec {
	struct loop *loop;
	const struct dialect *dialect;
	const struct dialect_context *context;
	const char *dir;
	int (*publish)(const struct dialect_message *m, void *cookie);
	void *cookie;
};

struct outcalls;

struct outcalls *outcalls_new(const struct outcalls_spec *spec);
void outcalls_free(struct outcalls *o);

/* EXIT_USAGE where the dialect has no such calls, EXIT_BUSY where too many are open. */
int outcalls_accept(struct outcalls *o, const struct intake_item *item, struct fail *f);

/* The link is up: send what is not sent. */
void outcalls_link(struct outcalls *o);

/* Is the call NUMBER ours?  A broker without a hub's rules delivers it back to us. */
bool outcalls_has(const struct outcalls *o, int64_t number);

void outcalls_response(struct outcalls *o, int64_t number, struct json response);

/* Those whose deadline has passed. */
void outcalls_expire(struct outcalls *o);

#endif
