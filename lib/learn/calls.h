/*
 * calls - which of two sources called the other, by the times of each side.
 *
 * Where a source has both records of a call, and another source both of its handling,
 * the longer of the two times is the caller's: a difference of one clock's times.
 */
#ifndef LEARN_CALLS_H
#define LEARN_CALLS_H

#include "learn/candidate.h"

/*
 * How often calls say that X, and that Y, of each candidate is the cause: two numbers each, freed by the caller.
 * The instances stand in the order of their values.  ROOM is for three times CANDIDATE_INSTANCES numbers.
 */
int *calls_votes(const struct candidates *c, int64_t *room);

#endif
