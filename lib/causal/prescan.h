/*
 * prescan - what is known from reading sources before they are merged (--exact):
 * which ids are needed before they are sent, in the order of times, which are sent
 * by no record, and how far the clocks are apart.
 *
 * Of an id that is sent and needed soon after it nothing is kept: 8 bytes are for
 * each other one, and room for more.
 *
 * Errors: a source that cannot be read ends there; the merge reports it.
 */
#ifndef CAUSAL_PRESCAN_H
#define CAUSAL_PRESCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/rule.h"
#include "record/source.h"

struct prescan;

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
struct prescan *prescan_run(struct source **v, unsigned n, const struct prescan_spec *spec, int64_t *offsets);
void prescan_free(struct prescan *p);

/*
 * Estimate OFFSETS from the first records of V, from when all of them had begun; 0
 * where few messages are among them.  What is read of pipes is held by them.
 */
void prescan_sample(struct source **v, unsigned n, const struct prescan_spec *spec, int64_t *offsets);

/* Is ID needed, and never sent? */
bool prescan_is_unsent(const struct prescan *p, uint64_t id);

/* Is ID sent, but not in the window before it is needed? */
bool prescan_is_early(const struct prescan *p, uint64_t id);

/* Any other id is needed at most so long after it was sent (ns). */
int64_t prescan_window(const struct prescan *p);

#endif
