/*
 * idset - a set of 64-bit ids: 8 bytes each, and room for a third more at least.
 */
#ifndef CAUSAL_IDSET_H
#define CAUSAL_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idset {
	uint64_t *v;		/* 0: free */
	size_t cap, n;		/* CAP is 0 or a power of two */
};

bool idset_has(const struct idset *s, uint64_t id);

/* false where ID, which is not 0, is in already. */
bool idset_add(struct idset *s, uint64_t id);
void idset_release(struct idset *s);

#endif
