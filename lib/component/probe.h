/*
 * probe - ask programs whether components are here, many at a time.
 *
 * A program ends with 0 where its component is online, having printed nothing
 * or one JSON object of members, and with 1 where it is offline.  Anything
 * else, and a deadline missed, makes the component unreadable, with a reason.
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
 * Told once a probe: MEMBERS is what it printed, or JSON_ABSENT; REASON is why
 * it is not online, else NULL.  Both are borrowed for the call.
 */
typedef void probe_done(enum component_state state, struct json members, const char *reason,
    void *cookie);

struct probe_pool *probe_pool_new(struct loop *l, int64_t timeout_ms);

/* Run ARGV, an array of strings, when its turn comes; it is kept. */
void probe_pool_add(struct probe_pool *p, struct json argv, probe_done *done, void *cookie);

/* Those that still run are killed, and nobody is told any more. */
void probe_pool_free(struct probe_pool *p);

#endif
