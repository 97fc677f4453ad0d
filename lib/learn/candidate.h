/*
 * candidate - pairs of slots that share values, so that records of the one may cause
 * records of the other.
 *
 * A pair of slots of two kinds is a candidate if at least CANDIDATE_VALUES values are
 * in both, those are CANDIDATE_COVERAGE % of the values of the slot with fewer, and
 * either each is as often in the one as in the other (then the n-th belongs to the
 * n-th), or it is in one record of the one alone.
 *
 * The instances of a candidate are its pairs of records.  Those in one source tell
 * the order of the two by the order of the file; the others have delays.
 */
#ifndef LEARN_CANDIDATE_H
#define LEARN_CANDIDATE_H

#include "learn/occurrences.h"
#include "learn/template.h"

enum {
	CANDIDATE_VALUES = 8, CANDIDATE_COVERAGE = 80, CANDIDATE_SLOTS = 24 /* of one value */,
	CANDIDATE_INSTANCES = 20000 /* that are looked at */, CANDIDATES_MAX = 200000,
};

/* A pair of records in two sources: X in source A at A_NS, Y in B at B_NS. */
struct link_instance {
	int64_t a_ns, b_ns;
	uint16_t a, b;
	uint32_t a_low;			/* of a value that is a number */
	uint32_t value;			/* which value they share */
	uint32_t a_record, b_record;	/* their numbers in their sources */
};

struct candidate {
	uint32_t x, y;			/* slots */
	int64_t values;			/* that both have */
	int64_t even;			/* of these: as often in both */
	int64_t coverage;		/* of the slot with fewer, in per cent */
	bool nth;			/* the n-th of the one belongs to the n-th of the other */
	bool recurs;			/* values come more than once in both */
	bool unique_x, unique_y;	/* a value is in one record of X, of Y */
	bool number;			/* values are numbers or dates */
	int64_t same, same_forward;	/* instances in one source, and where X is the earlier */
	struct link_instance *v;		/* those in two sources */
	size_t n, cap;

	/* Set by causal direction: learn/direction.h. */
	int direction;			/* 1: X is the cause; -1: Y; 0: not known */
	const char *how;		/* it is known */
	double shape;
	int64_t spread_ns;		/* between the quartiles of the delays */
	int64_t against;		/* instances that contradict */
	int64_t longest_ns;		/* of the delays, as they are read from two clocks */
};

struct candidates {
	struct candidate *v;
	size_t n, cap;
};

/* All candidates of O with instances in two sources or, for the order within one, in one. */
void candidates_find(struct candidates *c, const struct occurrences *o, const struct templates *t);
void candidates_release(struct candidates *c);

#endif
