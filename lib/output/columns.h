/*
 * columns - the order of the emitters' columns: a cause is to the left of its
 * effect, as far as possible.
 *
 * First the emitters that no arrow leads to, each followed by all that its arrows
 * reach, depth first; then the others, in the order of their first event.
 */
#ifndef OUTPUT_COLUMNS_H
#define OUTPUT_COLUMNS_H

#include "output/ring.h"

/* The place, from 0, of each of the first N emitters: lane[e], to be freed. */
unsigned *columns_order(const struct ring *ring, unsigned n);

#endif
