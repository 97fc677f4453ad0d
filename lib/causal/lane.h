/*
 * lane - the fast lane: the heads of sources that are printed without ever being
 * nodes, because all that they need is printed already.
 *
 * A queue takes the lane where its records are admitted one at a time and send and
 * need ids at most, or where they have no constraint but the order of emitters
 * (causal/sorter).  Its head is in a tree by time.  A head leaves the lane, and
 * becomes a node, when
 *
 *	its turn comes and an id that it needs is not sent,
 *	another record needs what it sends, or
 *	another record waits for, or sends, the same id.
 *
 * What heads send is put into the index, as INDEX_HEAD, only before an id is sent
 * or needed by a node: lane_settle().  Most records are printed before that.
 */
#ifndef CAUSAL_LANE_H
#define CAUSAL_LANE_H

#include <stdbool.h>

#include "causal/exchange.h"
#include "causal/refutation.h"
#include "causal/index.h"
#include "causal/queue.h"
#include "causal/tree.h"

/* The record at the head of a queue that takes the lane. */
struct lane_head {
	const struct block *block;	/* NULL where the queue has no head in the lane */
	size_t index;
	bool queued;			/* it is in the queue's ring, and not the cursor's current one */
	bool entered;			/* what it sends is in the index, or it sends nothing */
	bool fresh;			/* the queue is among FRESH of the lane */
};

struct lane {
	struct tree tree;		/* by number of the queue */
	struct lane_head *heads;
	struct queue **queues;
	struct index *index;
	struct dag *dag;
	struct exchange *exchange;
	struct refutations *refutations;
	unsigned *fresh;		/* N_FRESH queues whose heads may not be entered */
	size_t n_fresh;
	bool lines;			/* lines are counted */
	bool plain;			/* no constraint counts */
};

void lane_init(struct lane *l, struct queue **queues, unsigned n, struct index *index, struct dag *dag,
    struct exchange *x, struct refutations *refutations, bool lines, bool plain);
void lane_release(struct lane *l);

/*
 * The next record of Q, which has no node, is its head.  false: the record has to
 * be a node, because of what it sends.  Without a next record the queue leaves.
 */
bool lane_enter(struct lane *l, struct queue *q);

/* The same, where the block of the head has another record, which is the next one; H->index is already its number. */
bool lane_enter_next(struct lane *l, struct queue *q, struct lane_head *h);

/* Put into the index what all heads send; ADMIT makes a node of a head that another record has to do with. */
void lane_settle(struct lane *l, void (*admit)(struct queue *q, void *cookie), void *cookie);

/* The head of Q leaves the lane and stays the next record of Q. */
void lane_leave(struct lane *l, struct queue *q);

/* Is all that the head of Q needs printed? */
bool lane_is_met(struct lane *l, const struct queue *q);

/* The head of Q is printed: what it sends is sent. */
void lane_sent(struct lane *l, struct queue *q);

/* The head of Q is not in Q any more. */
void lane_drop(struct lane *l, struct queue *q);

/* The key of the first head; false where there is none. */
static inline bool
lane_first(const struct lane *l, struct sort_key *key)
{
	unsigned i = tree_first(&l->tree);
	const struct lane_head *h = &l->heads[i];

	if (l->tree.key[i] == TREE_NONE)
		return false;
	*key = (struct sort_key){ .t = l->tree.key[i], .off = h->block->base + h->block->v[h->index].at,
	    .rank = l->queues[i]->source->rank };
	return true;
}

#endif
