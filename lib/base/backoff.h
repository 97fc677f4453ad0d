/*
 * backoff - how long to wait before trying again: 1, 3, 6, 10, 10, ... seconds
 * (the heartbeat schedule of the design), counted from a fresh start.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	unsigned tries;	/* zero at first, and again after a success */
};

/* Milliseconds to wait before the next try. */
int64_t backoff_next(struct backoff *b);

#endif
