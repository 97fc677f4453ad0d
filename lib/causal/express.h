/*
 * express - records in the fast lane, one after the other, in one loop.
 *
 * While the next record by key is a head of the lane (causal/lane) and all that it
 * needs is printed, no other part of the scheduler has a say in it.  Records that
 * are printed as they are go onto a tape of pointers, so that their bytes are
 * fetched into the cache before they are copied.
 */
#ifndef CAUSAL_EXPRESS_H
#define CAUSAL_EXPRESS_H

#include <stdbool.h>

#include "causal/scheduler.h"

/*
 * Print heads of the lane up to the first that is not next, or that waits; MAY tells
 * whether one with the key KEY may be printed as far as waiting nodes count.
 */
void express_run(struct scheduler *s, bool (*may)(struct scheduler *s, const struct sort_key *key));

#endif
