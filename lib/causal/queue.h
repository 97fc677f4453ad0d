/*
 * queue - the records of one source that were read and are not printed.
 *
 * The first of them have a node in the graph: all that may be printed next, or
 * that other records may have to wait for.  What is behind them was only looked
 * through for the ids that it sends.  Blocks are pinned while a record of theirs
 * is in the queue.
 *
 * The struct is open to the scheduler and its policies, which look at how far
 * each queue was read.
 */
#ifndef CAUSAL_QUEUE_H
#define CAUSAL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "causal/idmap.h"
#include "causal/node.h"
#include "record/cursor.h"
#include "causal/sorter.h"
#include "record/matcher.h"

/* Further than any two times are apart, and from 0. */
#define QUEUE_FAR_NS	(INT64_MAX / 4)

struct slot {
	const struct block *block;
	size_t index;			/* of the record in BLOCK */
	struct node *node;		/* NULL behind the first NODES slots */
};

struct queue {
	struct source *source;
	struct cursor *cursor;
	unsigned number;		/* of the source in CURSOR */
	struct slot *ring;		/* from HEAD on, in the order of the source; CAP is 0 or a power of two */
	size_t head, n, cap;
	size_t nodes;			/* slots that have a node */
	size_t bytes;			/* of the records in RING */
	struct node *last;		/* the youngest node, while it is not printed */
	struct idmap emitters;		/* the same of each emitter: pointers */
	struct sorter *sorter;		/* has those records that have no constraints: causal/sorter; or NULL */
	bool fifo, rules, clocks, by_emitter;
	bool finds;			/* a kind looks for constraints of its own in its records */
	bool has_emitter;		/* its records are told apart by emitters */
	bool lane;			/* its head may take the fast lane: causal/lane */
	bool asks;			/* its rules ask for more than ids */
	bool scanned;			/* ids are looked for behind the nodes: causal/lookahead */
	bool full;			/* --buffer does not let it be read ahead */
	bool ended;			/* the source gave its last record, for now */
	bool open;			/* the last slot goes on in pieces, which are read when it is printed */
	bool backlog;			/* live: it was not read to its end yet */
	bool has_watermark;		/* the source gives watermarks: what comes is later than the last of them */
	int64_t watermark_ns;
	int64_t heard_ms;		/* live: when something came last */
	int64_t window_ns;		/* how far behind the next record it is admitted; 0: that record alone */
	int64_t newest_ns;		/* of the times of all nodes so far */
	int64_t seen_ns;		/* of all records so far */
	struct matcher *explainer;	/* finds ids for reasons; NULL before the first */
	int64_t passed_ns, passed_line;	/* where and behind which time its last printed record stands */
};

void queue_init(struct queue *q, struct cursor *c, unsigned number, struct source *s);
void queue_release(struct queue *q);

/* Read one more record behind all others: 1; 0 where there is none, for now. */
int queue_fetch(struct queue *q);

/* The slot that gets the next node; NULL where one more record has to be fetched first and cannot be. */
struct slot *queue_next(struct queue *q);

/* Has the queue no record that could get a node, and the source none? */
bool queue_is_drained(const struct queue *q);

/* Drop the first slot, whose node is gone. */
void queue_drop(struct queue *q);

/* Take the first record out of the sorter: its block, until cursor_unpin(). */
const struct block *queue_take_sorted(struct queue *q);

/* One more record for the sorter, which is the current one of the cursor. */
void queue_sort(struct queue *q, const struct block *b, size_t k, uint64_t emitter);

/* The records of the sorter get slots, in the order of the source, and there is no sorter any more. */
void queue_unsort(struct queue *q);

/* How many records are held. */
static inline size_t
queue_count(const struct queue *q)
{
	return q->n + (q->sorter ? sorter_count(q->sorter) : 0);
}

/* Offset of the first record that is not printed. */
int64_t queue_position(const struct queue *q);

/* The slot number I, from the first. */
static inline struct slot *
queue_slot(const struct queue *q, size_t i)
{
	return &q->ring[(q->head + i) & (q->cap - 1)];
}

/*
 * The next piece of the record in the last slot, which is printed; false after the
 * last.  COOKIE is the queue.  source_rest() calls it.
 */
bool queue_piece(void *cookie, const char **p, size_t *n);

#endif
