/*
 * devicecall - the calls of the device itself ($agent): retry, restart, status, pause, resume,
 * as far as [hub] allow names them; pause stands for resume, too.
 *
 * retry and status run rejoin-retry --wait and rejoin-status --json for the profile, as the user of
 * the link.  The others are the agent's own business (hub/agentcall.h) where its profile has a
 * call-command; without one restart runs rejoin-restart, and pause and resume are denied.  One call
 * at a time, at most 4 a minute.
 * The outcome follows from an exit status: settled (0), failed (1), unknown (4),
 * absent (5), busy (6), denied (7).
 *
 * An id is carried out once: handled.jsonl holds a line before the tool is started,
 * and one with the outcome.  A call whose id is known gets that outcome again, one that
 * was interrupted by the end of the link `unknown`, one after its deadline `expired`.
 */
#ifndef HUB_DEVICECALL_H
#define HUB_DEVICECALL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"

struct devicecall;

/* Send the answer VALUE ({"call","status","outcome","response"}) to the call ID. */
typedef void devicecall_fn(const char *id, struct json value, void *cookie);

struct devicecall_spec {
	struct loop *loop;
	const char *dir;		/* of the link */
	const struct profile *profile;	/* of the link and its agent */
	devicecall_fn *answer;
	void *cookie;
};

int devicecall_new(const struct devicecall_spec *spec, struct devicecall **out, struct fail *f);
void devicecall_free(struct devicecall *d);

/* Carry out CALL (hub/dialect.h) at NOW_MS of wall time. */
void devicecall_run(struct devicecall *d, struct json call, int64_t now_ms);

/* Does ALLOW of [hub], NULL-terminated or NULL, name METHOD?  Where it names pause, resume is allowed, too. */
bool devicecall_is_allowed(char *const *allow, const char *method);

/* The outcome that an exit STATUS stands for. */
const char *devicecall_outcome(int status);

#endif
