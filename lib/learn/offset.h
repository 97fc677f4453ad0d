/*
 * offset - how far the clocks of sources may be apart, by delays whose direction is known.
 *
 * If records of A cause records of B, then B's clock is ahead of A's by at most the
 * smallest delay.  Bounds of both directions, and those by way of other clocks, leave
 * each pair of clocks a range.  A few delays that are shorter than the rest count as
 * errors: the bound is the 1st percentile.
 */
#ifndef LEARN_OFFSET_H
#define LEARN_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

enum { OFFSET_CLOCKS_MAX = 200 };

#define OFFSET_UNKNOWN	(INT64_MAX / 4)

struct offsets;

struct offsets *offsets_new(unsigned clocks);
void offsets_free(struct offsets *o);
struct offsets *offsets_copy(const struct offsets *o);

/* Records of A cause records of B; the N delays D (B's time less A's) are sorted. */
void offsets_bound(struct offsets *o, unsigned a, unsigned b, const int64_t *d, unsigned n);

/* Conclude what follows from all bounds; false where they contradict each other by more than SLACK_NS. */
bool offsets_close(struct offsets *o, int64_t slack_ns);

/* How far B is ahead of A: at least *LO and at most *HI; each -OFFSET_UNKNOWN or OFFSET_UNKNOWN where nothing is known. */
void offsets_range(const struct offsets *o, unsigned a, unsigned b, int64_t *lo, int64_t *hi);

#endif
