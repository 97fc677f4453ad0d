/*
 * skew - how far clocks are apart, told from messages between them.
 *
 * A message from A to B says that B's clock is ahead of A's by at most what it
 * seems to have taken.  All these bounds together leave each clock a range;
 * the middle of it is the estimate.  Where no clock need be wrong at all, by
 * more than the resolution of the times, none is touched.
 */
#ifndef CAUSAL_SKEW_H
#define CAUSAL_SKEW_H

#include <stdint.h>

struct skew;

enum { SKEW_CLOCKS_MAX = 200 };	/* the paths of all pairs take the cube of it */

/* Of N clocks; NULL where there are too many. */
struct skew *skew_new(unsigned n);
void skew_free(struct skew *s);

/* A message left A at SENT by A's clock and was at B at RECEIVED by B's; RES is the coarser resolution. */
void skew_add(struct skew *s, unsigned a, unsigned b, int64_t sent, int64_t received, int64_t res);

/* What FROM, of as many clocks, was told, S is told too; FROM forgets it. */
void skew_take(struct skew *s, struct skew *from);

/* How many messages it was told of. */
int64_t skew_messages(const struct skew *s);

/*
 * How far each clock is ahead, in ns, into OFFSETS; returns by how much the
 * bounds had to be eased because they contradict each other (drift, delays).
 */
int64_t skew_estimate(struct skew *s, int64_t *offsets);

#endif
