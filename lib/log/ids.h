/*
 * ids - a table from 64-bit ids to 64-bit values.
 *
 * Open addressing, 16 bytes an entry.  Nothing is removed one by one: when the
 * table is about to fill up, what the owner does not want to keep is dropped,
 * and only if that was not enough does the table grow.
 */
#ifndef LOG_IDS_H
#define LOG_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ids_entry {
	uint64_t id;		/* 0: free */
	uint64_t value;
};

struct ids {
	struct ids_entry *v;
	size_t cap, n;		/* CAP is 0 or a power of two */
	size_t cap_min;		/* what it begins with; 0 for the usual */
	bool (*keep)(uint64_t id, uint64_t value, void *cookie);	/* NULL: all */
	void *cookie;
};

void ids_release(struct ids *t);

/* The value of ID, or NULL; good until the next ids_put(). */
uint64_t *ids_find(const struct ids *t, uint64_t id);

/* The value of ID, 0 where it is new. */
uint64_t *ids_put(struct ids *t, uint64_t id);

/* Drop what is not to be kept, and as much memory as that frees. */
void ids_shrink(struct ids *t);

/* Drop all, but keep the room for as many. */
void ids_clear(struct ids *t);

/* OUT is as small as the ids of T allow. */
void ids_copy(struct ids *out, const struct ids *t);

/* The place of ID is about to be looked at. */
static inline void
ids_prefetch(const struct ids *t, uint64_t id)
{
	if (t->cap)
		__builtin_prefetch(&t->v[id & (t->cap - 1)]);
}

#endif
