/*
 * tally - how often each of many 64-bit ids was counted: 8 bytes each, and room
 * for a third more at least.
 *
 * The last bits of an id's hash give way to the number, so two ids that differ
 * in nothing else are taken for one.
 */
#ifndef LOG_TALLY_H
#define LOG_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/ids.h"

struct tally {
	uint64_t *v;		/* 0: free */
	size_t cap, n;		/* CAP is 0 or a power of two */
	struct ids many;	/* the numbers that are too large for the last bits */
};

/* Count ID once more. */
void tally_add(struct tally *t, uint64_t id);

bool tally_has(const struct tally *t, uint64_t id);

/* How often ID was counted; from here on it was not. */
uint64_t tally_take(struct tally *t, uint64_t id);
void tally_release(struct tally *t);

#endif
