/*
 * crossing - which of two kinds of records causes the other, by the order of files
 * alone.
 *
 * Two messages cross if each was sent before the other arrived:
 *
 *	source A	sends i		receives j
 *	source B	sends j		receives i
 *
 * If causes and effects are taken for each other, a pair that crosses is a cycle: in
 * each of the two files, one record is before the other, against what the messages
 * say.  If they are not, no pair is.  So the direction is one that the pairs do not
 * contradict, where they contradict all others.  Clocks, and the resolution of time
 * stamps, have nothing to do with it; but messages must pass between two sources in
 * both directions, and some must cross.
 *
 * A call and its answer are two kinds of messages, each of which passes one way.
 * The order of the records of one call then excludes what no crossing pair can.
 *
 * The time that a search takes is bounded; only sources whose files are in order
 * count.
 */
#ifndef LEARN_CROSSING_H
#define LEARN_CROSSING_H

#include <stdbool.h>

#include "learn/candidate.h"

enum { CROSSING_CANDIDATES = 256 /* that are compared with each other */, CROSSING_MIN = 12 /* pairs that contradict */, CROSSING_ONE = 5 /* of one candidate */,
	CROSSING_SURE = 50 /* pairs that contradict the other direction, for each that contradicts this one */ };

struct crossings;

/*
 * Compare the candidates of C whose numbers are the N of V.  ORDERED says of each source whether it is in the
 * order of its program.  The instances of C are sorted.
 */
struct crossings *crossings_new(struct candidates *c, const size_t *v, size_t n, const bool *ordered);
void crossings_free(struct crossings *x);

/*
 * Candidates V[I] and V[K] are the first and the second records of the same calls, in the same order at either
 * side: X with X, and Y with Y; TURNED: X with Y.  If they cross in one way alone, they are a call and its answer, so
 * that they do not pass the same way.
 */
void crossings_exclude_same(struct crossings *x, size_t i, size_t k, bool turned);

/*
 * The direction of each: 1 where X is the cause, -1 where Y is, 0 where that is not known.  KNOWN are those that are
 * known before; SIGNS begins as zeros.
 */
void crossings_choose(const struct crossings *x, const int *known, int *signs);

#endif
