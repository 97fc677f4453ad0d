/*
 * lanes - in which order emitters stand beside each other: who causes
 * something on the left of whom it is caused in, as far as that goes.
 *
 * First those that no arrow leads to, each with all whom its arrows reach,
 * one by one; then the others, in the order in which they first said something.
 */
#ifndef PICTURE_LANES_H
#define PICTURE_LANES_H

#include "picture/reel.h"

/* The place, from 0, of each of the first N emitters: lane[e], to be freed. */
unsigned *lanes_order(const struct reel *reel, unsigned n);

#endif
