/*
 * idmap - a table from 64-bit ids to 64-bit values.
 *
 * Open addressing, 16 bytes an entry.  Single ids are not removed: when the table
 * is about to fill up, entries that the owner does not want to keep are dropped,
 * and only if that was not enough does the table grow.
 */
#ifndef CAUSAL_IDMAP_H
#define CAUSAL_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap_entry {
	uint64_t id;		/* 0: free */
	uint64_t value;
};

struct idmap {
	struct idmap_entry *v;
	size_t cap, n;		/* CAP is 0 or a power of two */
	bool (*keep)(uint64_t id, uint64_t value, void *cookie);	/* NULL: all */
	void *cookie;
};

void idmap_release(struct idmap *t);

/* The value of ID, or NULL; good until the next idmap_put(). */
uint64_t *idmap_find(const struct idmap *t, uint64_t id);

/* The value of ID, 0 where it is new. */
uint64_t *idmap_put(struct idmap *t, uint64_t id);

#endif
