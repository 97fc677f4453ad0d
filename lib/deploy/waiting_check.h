/*
 * waiting_check - examine once more, at the end of a cycle, the components that
 * it waits for: one that came online while the cycle ran starts another one.
 *
 * Its pause before that is 1 s, doubles to 1 min with each such cycle, and is 1 s
 * again after 10 minutes without one, or with a new goal.  Inventories with
 * probes are examined at most once a minute.  So a probe that flaps leads to at
 * most one cycle a minute.
 */
#ifndef DEPLOY_WAITING_CHECK_H
#define DEPLOY_WAITING_CHECK_H

#include "base/json.h"
#include "base/loop.h"
#include "component/enumerate.h"

struct waiting_check;

/* FN is called from L when a cycle is to start. */
struct waiting_check *waiting_check_new(struct loop *l, const struct enumerate_spec *inventory, loop_fn *fn,
    void *cookie);

/* W may be NULL. */
void waiting_check_free(struct waiting_check *w);

/* A cycle has ended, and waits for the components WAITING, an array of records. */
void waiting_check_start(struct waiting_check *w, struct json waiting);

/* A cycle begins. */
void waiting_check_stop(struct waiting_check *w);

/* There is a new goal. */
void waiting_check_reset(struct waiting_check *w);

#endif
