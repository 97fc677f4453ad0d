/*
 * columns - in which order emitters stand beside each other: who causes
 * something on the left of whom it is caused in, as far as that goes.
 *
 * First those that no arrow leads to, each with all whom its arrows reach,
 * one by one; then the others, in the order in which they first said something.
 */
#ifndef OUTPUT_COLUMNS_H
#define OUTPUT_COLUMNS_H

#include "output/ring.h"

/* The place, from 0, of each of the first N emitters: lane[e], to be freed. */
unsigned *columns_order(const struct ring *ring, unsigned n);

#endif
