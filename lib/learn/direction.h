/*
 * direction - which of two kinds of records causes the other.
 *
 * Times of two sources cannot tell, because clocks differ.  But the delays between a
 * cause and its effect have a floor that they do not fall below, and a long tail.  A
 * clock that is off shifts all of them, and does not turn the tail to the other side.
 * Only the tightest pairs of a slot are trusted for that: what is behind them in a
 * chain has a tail of its own.
 *
 * Where a source has both records of a call, and another source both of its handling,
 * the longer of the two is the caller's: a difference of one clock's times.
 *
 * What is known so bounds the offsets of clocks, and those tell the direction of
 * other candidates: at least 98 % of their instances must be forward.
 *
 * Where clocks tell nothing, as time stamps are coarser than the delays, messages that
 * cross tell it by the order of files alone: learn/crossing.h.
 *
 * Refused are candidates whose order differs within one source, whose delays are no
 * shorter than chance would have them, and numbers or names that recur whose steps
 * have nothing to do with each other, as those of two counters, or of two jobs with
 * one rhythm.
 */
#ifndef LEARN_DIRECTION_H
#define LEARN_DIRECTION_H

#include "learn/candidate.h"
#include "learn/offset.h"

enum { DIRECTION_INSTANCES = 16 /* for a rule */ };

/*
 * Set the direction of each of C, and drop the implied: a pair that follows from two
 * others.  RES_NS[I] is the resolution of source I, of N.  Returns the bounds of
 * the clocks.  ORDERED says of each source whether it is in the order of its program.
 */
struct offsets *directions_find(struct candidates *c, const struct templates *t, const int64_t *res_ns, const bool *ordered,
    unsigned n);

#endif
