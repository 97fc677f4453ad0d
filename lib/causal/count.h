/*
 * count - what a merge counts, and what it reports one by one.
 */
#ifndef CAUSAL_COUNT_H
#define CAUSAL_COUNT_H

#include <stdint.h>

struct causal_count {
	int64_t records;	/* shown */
	int64_t unmatched;	/* needed an id that was not sent, or not in time */
	int64_t late;		/* constraints violated: the sender came too late */
	int64_t behind;		/* live: came when later ones were out already, and violate nothing */
	int64_t dropped;	/* constraints of cycles */
	int64_t gaps;		/* in sequences of numbers */
	int64_t inherited;	/* without a time of their own */
	int64_t overflow;	/* released early, because the buffer was full */
};

struct source;

/* AFTER, which begins at its offset, does not wait for BEFORE any more. */
struct scheduler_dropped {
	const struct source *before, *after;
	int64_t before_off, after_off;
	const char *what;		/* the rule's name, or the kind of constraint */
};

#endif
