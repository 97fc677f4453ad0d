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

#include "causal/count.h"
#include "output/render.h"
#include "record/rule.h"
#include "record/source.h"

struct census;
struct merge_count;

enum order_mode { ORDER_CAUSAL, ORDER_MINIMAX };

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
	void (*dropped)(const struct scheduler_dropped *d, void *cookie);		/* NULL: nobody is told */
	void *cookie;
	struct merge_count *merged;	/* shown, and not counted yet: for who asks meanwhile; or NULL */
};

/* Merge V, sorted by rank, into OUT.  COUNT may be read by a signal's handler meanwhile. */
void order_run(struct source **v, unsigned n, const struct order_spec *spec, struct render *out,
    struct causal_count *count);

/* COUNT is told of what M counted, which begins anew. */
void order_count_merged(struct causal_count *count, struct merge_count *m);

/* Has any of V a record that more than time and its place in a file decides about? */
bool order_is_needed(struct source **v, unsigned n, const struct rules *rules);

/* Which rules are for S: an array of RULES->n, to be freed; *ANY tells whether any is. */
bool *order_rules_for(const struct rules *rules, const struct source *s, bool *any);

#endif
