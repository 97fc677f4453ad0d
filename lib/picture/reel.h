/*
 * reel - the last so many events, kept.
 */
#ifndef PICTURE_REEL_H
#define PICTURE_REEL_H

#include <stddef.h>

#include "picture/trace.h"

enum { REEL_TEXT = 4096 };	/* bytes of an event that are kept */

struct reel {
	struct event *v;	/* a ring of CAP, the oldest at FIRST */
	size_t cap, first, n;
	uint64_t lost;		/* older ones that are not here any more */
};

void reel_init(struct reel *r, size_t cap);
void reel_release(struct reel *r);

/* A copy of E; the oldest goes where there is no more room. */
void reel_add(struct reel *r, const struct event *e);

/* The event I, from 0, of those that are here; good until the next reel_add(). */
const struct event *reel_get(const struct reel *r, size_t i);
void reel_clear(struct reel *r);

#endif
