/*
 * known_ids - what one pass over all records told of ids, for the second (--exact):
 * which are needed before they are sent, in the order of times, and which are sent
 * by no record.
 *
 * Of an id that is sent and needed soon after it nothing is kept: 8 bytes are for
 * each other one, and room for more.
 */
#ifndef CAUSAL_KNOWN_IDS_H
#define CAUSAL_KNOWN_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "causal/idset.h"

struct known_ids {
	struct idset unsent;	/* needed, and never sent */
	struct idset early;	/* sent, but not in the window before they are needed */
	int64_t window_ns;	/* any other id is needed at most so long after it was sent */
};

void known_ids_free(struct known_ids *k);

bool known_ids_is_unsent(const struct known_ids *k, uint64_t id);
bool known_ids_is_early(const struct known_ids *k, uint64_t id);

#endif
