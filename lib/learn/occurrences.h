/*
 * occurrences - where the values of records were seen.
 *
 * Memory is bounded by a sample of values: when there is no more room, every value
 * whose hash has one more bit set is dropped, with all its occurrences, and is not
 * taken again.  Of a value that stays every occurrence is known, in whichever source
 * and however far apart, up to OCCURRENCES_OF_VALUE: which values recur more often
 * is remembered, without their occurrences.
 *
 * Records of a source are added in its order.  Times are ns by the source's clock.
 */
#ifndef LEARN_OCCURRENCES_H
#define LEARN_OCCURRENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OCCURRENCES_OF_VALUE = 4000 };

struct occurrences;

struct occurrence {
	int64_t t;
	uint32_t slot;
	uint32_t record;	/* its number in its source, from 0 on */
	uint16_t source;
	bool number;
	uint32_t low;		/* of a number */
	uint32_t next;		/* of the same value; UINT32_MAX for none */
};

/* Room for about BYTES. */
struct occurrences *occurrences_new(size_t bytes);
void occurrences_free(struct occurrences *o);

void occurrences_add(struct occurrences *o, uint64_t value, const struct occurrence *x);

/* One value in 2^LEVEL is in the sample. */
unsigned occurrences_level(const struct occurrences *o);

/* Bytes that are allocated. */
size_t occurrences_bytes(const struct occurrences *o);

/*
 * Value number I of the sample, from 0 on: its occurrences, by source and then in its
 * order, into V, which has room for OCCURRENCES_OF_VALUE; how many.  0 for one that
 * recurs more often; -1 at the end.
 */
int occurrences_of(const struct occurrences *o, size_t i, struct occurrence *v);

#endif
