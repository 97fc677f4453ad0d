/*
 * idages - a table from 64-bit ids to 64-bit values that forgets the oldest ones,
 * so that its size has a bound whatever comes.
 *
 * The ids fall into generations of IDAGES_IDS each.  The last two are there, and the
 * first as well where it is to be kept: what is said twice, but far apart, is then
 * found for the ids that came first.  So 1 MiB each, 3 in all.
 *
 * What is forgotten depends on the order of the ids alone, not on their values.
 */
#ifndef CAUSAL_IDAGES_H
#define CAUSAL_IDAGES_H

#include "causal/idmap.h"

/* As many as an idmap of 2^16 entries holds. */
enum { IDAGES_IDS = 3 << 14 };

struct idages {
	struct idmap first, recent, before;
	bool keep_first;
	/* As in struct idmap, for all entries when there are many; and for each that is forgotten; or NULL. */
	bool (*keep)(uint64_t id, uint64_t value, void *cookie);
	void (*forget)(uint64_t value, void *cookie);
	void *cookie;
};

void idages_release(struct idages *a);

/* As idmap_find() and idmap_put(). */
uint64_t *idages_find(const struct idages *a, uint64_t id);
uint64_t *idages_put(struct idages *a, uint64_t id);

#endif
