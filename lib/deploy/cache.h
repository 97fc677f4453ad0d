/*
 * cache - the bounds of the payload cache (deploy/payload.h).
 *
 * Payloads that the goal names stay.  Of all others the ones used longest ago are
 * removed until all together have at most the bound.  A payload was used last at its
 * modification time, which payload_fetch() sets.
 */
#ifndef DEPLOY_CACHE_H
#define DEPLOY_CACHE_H

#include <stdint.h>

#include "deploy/goal.h"

/*
 * Remove what a killed fetch has left in CACHE: parts that no process holds locked.  One of a
 * file that G (NULL for none) needs stays, as its download goes on from there.
 */
void cache_remove_parts(const char *cache, const struct goal *g);

/* Bring CACHE to at most MAX bytes, as far as G (NULL for none) does not need them.  Returns the bytes removed. */
int64_t cache_trim(const char *cache, const struct goal *g, int64_t max);

#endif
