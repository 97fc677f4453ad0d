/*
 * learn - rules for rejoin-log, from the records of its sources.
 *
 * What is learned is which values of one kind of records come again in another kind,
 * in other sources, and which of the two is the cause (learn/direction.h).  The
 * result is a file of rules as rejoin-rules(5) describes it, with comments: how many
 * pairs each rule is learned from, how its direction is known, what contradicts it,
 * and how far the clocks are apart.
 *
 * Memory is bounded by a sample of values, time by LEARN_SECONDS; the comments say
 * what was read.  The result does not depend on the order of the sources or on the
 * number of threads, unless time runs out.
 */
#ifndef LEARN_LEARN_H
#define LEARN_LEARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/source.h"

enum { LEARN_SECONDS = 45, LEARN_BYTES = 96 << 20 };

struct learn_spec {
	unsigned workers;		/* threads beside the calling one */
	size_t memory;			/* for the sample of values */
	int64_t seconds;		/* reading ends then */
	int64_t held;			/* bytes of a source that cannot be read twice, which holds them */
};

/* What was read and found. */
struct learned {
	unsigned rules;
	int64_t records, bytes;
	unsigned level;			/* one value in 2^LEVEL was looked at */
	bool timed_out;
	int64_t left_out;		/* records of kinds that were too many */
};

/* Learn from the N sources V, which stay as they are, and add the rules file to OUT. */
void learn_run(struct source **v, unsigned n, const struct learn_spec *spec, struct buf *out, struct learned *what);

#endif
