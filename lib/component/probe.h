/*
 * probe - programs that report whether a component is present, several at a time.
 *
 * A program exits with 0 if its component is online, after printing nothing or
 * one JSON object of members, and with 1 if it is offline.  Anything else, and a
 * missed deadline, makes the component unreadable, with a reason.
 */
#ifndef COMPONENT_PROBE_H
#define COMPONENT_PROBE_H

#include <stdint.h>

#include "base/json.h"
#include "base/loop.h"
#include "component/component.h"

enum { PROBE_TIMEOUT_MS = 5000, PROBE_POOL_SIZE = 16 };

struct probe_pool;

/*
 * Called once per probe: MEMBERS is what it printed, or JSON_ABSENT; REASON is
 * why it is not online, else NULL.  Both are borrowed for the call.
 */
typedef void probe_done(enum component_state state, struct json members, const char *reason,
    void *cookie);

struct probe_pool *probe_pool_new(struct loop *l, int64_t timeout_ms);

/* Queue ARGV, an array of strings, which the pool then owns. */
void probe_pool_add(struct probe_pool *p, struct json argv, probe_done *done, void *cookie);

/* Probes that still run are killed; DONE is not called any more. */
void probe_pool_free(struct probe_pool *p);

#endif
