/*
 * node - a record that was admitted to the merge and is not printed yet.
 *
 * The struct is open to the rooms' kinds of constraints (causal/kind.h), which
 * read keys and positions of many nodes.  What a node waits for, and which nodes
 * wait for it, belongs to causal/dag.
 */
#ifndef CAUSAL_NODE_H
#define CAUSAL_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "causal/relation.h"
#include "record/block.h"

struct queue;

/* Where a record is to stand: by time, source, depth of advancement, position. */
struct sort_key {
	int64_t t, off;
	unsigned rank;
	int depth;			/* below 0: advanced to the place of a dependent */
};

struct node {
	struct queue *queue;
	const struct block *block;	/* pinned while the node lives */
	size_t index;			/* of the record in BLOCK */
	int64_t t, res, off;		/* time with its resolution, position in the source */
	unsigned rank;			/* of the source */
	bool fifo;			/* position is program order in its source */
	bool inherited;			/* it has no time of its own */
	bool control;			/* it is a watermark, which is not printed */
	bool out;			/* it is printed */
	bool judged;			/* check_due() of its constraints was called */
	bool waited;			/* it waits, or waited, for a record that is known to be missing (live) */
	bool given_up;			/* it waited too long, which is counted */
	bool behind;			/* live: records of a later time are printed already */
	bool backlog;			/* live: it was there before the start, so it is not held */
	uint64_t emitter;		/* hash; 0 where program order is that of the source */
	struct sort_key key;
	struct constraints own;		/* the constraints, where they are more than BLOCK has */
	const struct constraint *v;	/* all of its constraints */
	size_t n;
	int64_t where;			/* its line in the source; or its offset, where lines are not counted */
	int64_t arrived_ms;		/* live: when it came, monotonic */
	int64_t awaits_ms;		/* live: patience with what it needs begins then */
	const char *mark;		/* the first thing that is wrong with it, or NULL */
	char *reason;			/* why it stands where it does; NULL for its time alone */
	struct relations relations;	/* which constraints of its were kept or violated, where that is asked for */
};

/* Where E stands if no constraint moves it. */
struct sort_key node_key(const struct node *e);

static inline bool
node_key_before(const struct sort_key *a, const struct sort_key *b)
{
	if (a->t != b->t)
		return a->t < b->t;
	if (a->rank != b->rank)
		return a->rank < b->rank;
	return a->off != b->off ? a->off < b->off : a->depth < b->depth;
}

/* The first mark stays. */
void node_mark(struct node *e, const char *what);

#endif
