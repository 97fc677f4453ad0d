/*
 * prescan - sources are read before they are merged: for the ids that their records
 * send and need (--exact, causal/known_ids), and for how far the clocks are apart.
 *
 * Errors: a source that cannot be read ends there; the merge reports it.
 */
#ifndef CAUSAL_PRESCAN_H
#define CAUSAL_PRESCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "causal/known_ids.h"
#include "record/rule.h"
#include "record/source.h"

struct prescan_spec {
	const struct rules *rules;
	bool **used;			/* of each source: which rules apply */
	const bool *clocks;		/* of each source: its format has clocks that count */
	struct domains *domains;	/* those of all sources; NULL: each source has a clock, whose number is its rank */
	int64_t window_ns;		/* what was sent that long before may be looked for once more */
	unsigned workers;
	size_t block;			/* as in struct cursor_spec */
};

/*
 * Read all of V, which are seekable and sorted by rank, and rewind them.  With
 * OFFSETS the offset of each clock is estimated into it, by its number below
 * SKEW_CLOCKS_MAX (ns; 0 where nothing is known or nothing is wrong), and the rest is known of clocks that are
 * put right.
 */
struct known_ids *prescan_run(struct source **v, unsigned n, const struct prescan_spec *spec, int64_t *offsets);

/*
 * Estimate OFFSETS from the first records of V, from when all of them had begun; 0
 * where few messages are among them.  What is read of pipes is held by them.
 */
void prescan_sample(struct source **v, unsigned n, const struct prescan_spec *spec, int64_t *offsets);

#endif
