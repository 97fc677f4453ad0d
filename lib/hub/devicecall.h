/*
 * devicecall - the calls of the device itself ($agent): retry, restart, status, as far
 * as [hub] allow names them.
 *
 * Each runs the tool of that name for the profile (rejoin-retry --wait, rejoin-restart,
 * rejoin-status --json) as the user of the link, one at a time, at most 4 a minute.
 * The outcome follows from its exit status: settled (0), failed (1), unknown (4),
 * absent (5), busy (6), denied (7).
 *
 * An id is carried out once: handled.jsonl holds a line before the tool is started,
 * and one with the outcome.  A call whose id is known gets that outcome again, one that
 * was interrupted by the end of the link `unknown`, one after its deadline `expired`.
 */
#ifndef HUB_DEVICECALL_H
#define HUB_DEVICECALL_H

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"

struct devicecall;

/* Send the answer VALUE ({"call","status","outcome","response"}) to the call ID. */
typedef void devicecall_fn(const char *id, struct json value, void *cookie);

struct devicecall_spec {
	struct loop *loop;
	const char *dir;		/* of the link */
	const char *agent;		/* the profile's name */
	char *const *allow;		/* NULL-terminated; NULL for none */
	devicecall_fn *answer;
	void *cookie;
};

int devicecall_new(const struct devicecall_spec *spec, struct devicecall **out, struct fail *f);
void devicecall_free(struct devicecall *d);

/* Carry out CALL (hub/dialect.h) at NOW_MS of wall time. */
void devicecall_run(struct devicecall *d, struct json call, int64_t now_ms);

#endif
