/*
 * order - the causal merge: by time, but no record before one that caused it.
 *
 * Kahn's algorithm on the records as they are read.  Those whose predecessors
 * are all out stand in a heap by time; a record is taken out of the order of
 * time only as far as an edge makes it necessary:
 *
 *	delayed	until its predecessor is out; or
 *	promoted to the place of its successor, where the two times differ by
 *		less than the record's resolution.
 *
 * Who needs an id that nobody has sent waits until every other source is more
 * than PATIENCE beyond it, or at its end, and then goes on as unmatched.  If
 * the sender turns up after all, it is late: that is the only way an edge is
 * violated, but for a cycle, whose weakest edge is dropped.  With a census
 * (log/census.h) it is known beforehand which ids are sent, and nobody waits
 * for one that is not.
 */
#ifndef LOG_ORDER_H
#define LOG_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "output/render.h"
#include "record/rule.h"
#include "record/source.h"

struct census;
struct merge_count;

enum order_mode { ORDER_CAUSAL, ORDER_MINIMAX };

/* An edge that was dropped: AFTER does not wait for BEFORE any more. */
struct order_dropped {
	const struct source *before, *after;
	int64_t before_off, after_off;
	const char *what;		/* the rule's name, or the kind of edge */
};

struct order_spec {
	enum order_mode mode;
	const struct rules *rules;
	int64_t patience_ns;
	int64_t remember_ns;		/* an id is met by a record sent that long before at most; else it is sent anew */
	size_t buffer;			/* bytes that may be held for others, about */
	const struct census *census;	/* NULL: one pass */
	bool explain;			/* count lines, and say why */
	unsigned threads;		/* that may be used; 0 for one */
	size_t piece;			/* bytes that one of them takes at once, about; 0 for the usual */
	bool (*wanted)(struct source *s, const struct record *r, void *cookie);	/* NULL: all */
	void (*dropped)(const struct order_dropped *d, void *cookie);		/* NULL: nobody is told */
	void *cookie;
	struct merge_count *merged;	/* shown, and not counted yet: for who asks meanwhile; or NULL */
};

struct order_count {
	int64_t records;	/* shown */
	int64_t unmatched;	/* needed an id that was not sent, or not in time */
	int64_t late;		/* edges violated: the sender came too late */
	int64_t behind;		/* live: came when later ones were out already, and violate nothing */
	int64_t dropped;	/* edges of cycles */
	int64_t gaps;		/* in sequences of numbers */
	int64_t inherited;	/* without a time of their own */
	int64_t overflow;	/* released early, because the buffer was full */
};

/* Merge V, sorted by rank, into OUT.  COUNT may be read by a signal's handler meanwhile. */
void order_run(struct source **v, unsigned n, const struct order_spec *spec, struct render *out,
    struct order_count *count);

/* COUNT is told of what M counted, which begins anew. */
void order_count_merged(struct order_count *count, struct merge_count *m);

/* Has any of V a record that more than time and its place in a file decides about? */
bool order_is_needed(struct source **v, unsigned n, const struct rules *rules);

/* Which rules are for S: an array of RULES->n, to be freed; *ANY tells whether any is. */
bool *order_rules_for(const struct rules *rules, const struct source *s, bool *any);

#endif
