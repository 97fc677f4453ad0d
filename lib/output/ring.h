/*
 * ring - a ring buffer of the last events of the event model.
 */
#ifndef OUTPUT_RING_H
#define OUTPUT_RING_H

#include <stddef.h>

#include "output/model.h"

enum { RING_TEXT = 4096 };	/* bytes of an event that are kept */

struct ring {
	struct event *v;	/* a ring of CAP, the oldest at FIRST */
	size_t cap, first, n;
	uint64_t lost;		/* older ones that are not here any more */
};

void ring_init(struct ring *r, size_t cap);
void ring_release(struct ring *r);

/* A copy of E, but for the ids of its arrows; the oldest goes where there is no more room. */
void ring_add(struct ring *r, const struct event *e);

/* The event I, from 0, of those that are here; good until the next ring_add(). */
const struct event *ring_get(const struct ring *r, size_t i);
void ring_clear(struct ring *r);

#endif
