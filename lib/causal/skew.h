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

#include <stdbool.h>
#include <stdint.h>

struct skew;

/* The paths of all pairs take the cube of it. */
enum { SKEW_CLOCKS_MAX = 200, SKEW_MESSAGES_MIN = 16 /* for an estimate from a part: one alone may be odd */ };

/* Clocks are numbered from 0 on; what is said of one beyond SKEW_CLOCKS_MAX is ignored. */
struct skew *skew_new(void);
void skew_free(struct skew *s);

/* A message left A at SENT by A's clock and was at B at RECEIVED by B's; RES is the coarser resolution. */
void skew_add(struct skew *s, unsigned a, unsigned b, int64_t sent, int64_t received, int64_t res);

/* What FROM was told, S is told too. */
void skew_add_all(struct skew *s, const struct skew *from);

/* Does a message contradict that the first N clocks are ahead by OFFSETS, by more than the resolution? */
bool skew_refutes(const struct skew *s, const int64_t *offsets, unsigned n);

/* How many messages it was told of. */
int64_t skew_messages(const struct skew *s);

/* Clock I, of the first N, is called TO[I] from now on: of two clocks that are known equally well, the first is right. */
void skew_rename(struct skew *s, const unsigned *to, unsigned n);

/*
 * How far each of the first N clocks is ahead, in ns, into OFFSETS; returns by how much the
 * bounds had to be eased because they contradict each other (drift, delays).
 */
int64_t skew_estimate(struct skew *s, int64_t *offsets, unsigned n);

#endif
