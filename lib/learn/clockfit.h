/*
 * clockfit - delays without the offsets of clocks, for a shape of few delays between
 * each two of many sources.
 *
 * Each delay is the offset of the one clock less that of the other, and the rest,
 * which has its middle at 0.  Offsets are chosen by medians, in turn for each clock,
 * so that single delays that are odd do not count.
 */
#ifndef LEARN_CLOCKFIT_H
#define LEARN_CLOCKFIT_H

#include <stddef.h>
#include <stdint.h>

#include "learn/candidate.h"

enum { CLOCKFIT_MAX = 4000 /* instances that are looked at */ };

/* The rest of the first instances of C, of N sources, into REST, which has room for CLOCKFIT_MAX; how many. */
unsigned clockfit_rest(const struct candidate *c, unsigned n, int64_t *rest);

#endif
