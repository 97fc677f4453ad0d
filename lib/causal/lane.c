#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/lane.h"

enum {
	PREFETCH = 2,		/* records ahead whose entries are fetched into the cache */
	FAR_AHEAD = 12,		/* records ahead whose constraints are, which another core has written */
};

void
lane_init(struct lane *l, struct queue **queues, unsigned n, struct index *index, struct dag *dag,
    struct exchange *x, struct refutations *refutations, bool lines, bool plain)
{
	*l = (struct lane){ .queues = queues, .index = index, .dag = dag, .exchange = x, .refutations = refutations, .lines = lines,
	    .plain = plain };
	tree_init(&l->tree, n ? n : 1);
	l->heads = xcalloc(n + 1, sizeof *l->heads);
	l->fresh = xcalloc(n + 1, sizeof *l->fresh);
}

void
lane_release(struct lane *l)
{
	tree_release(&l->tree);
	free(l->heads);
	free(l->fresh);
}

/* Find the next record of Q: in its ring, or the cursor's current one. */
static bool
find_head(struct queue *q, struct lane_head *h)
{
	if (q->sorter) {
		if (!sorter_first(q->sorter, &h->block, &h->index))
			h->block = NULL;
		return h->block;
	}
	if (q->n) {
		const struct slot *s = queue_slot(q, 0);

		h->block = s->block;
		h->index = s->index;
		h->queued = true;
		return true;
	}
	h->queued = false;
	if (q->ended || cursor_peek(q->cursor, q->number, &h->block, &h->index) != 1) {
		q->ended = true;
		h->block = NULL;
		return false;
	}
	return true;
}

/* Element I of ARRAY, which may be beyond its end, or of no array at all. */
static void
prefetch_element(const void *array, size_t i, size_t size)
{
	__builtin_prefetch((const void *)((uintptr_t)array + i * size));
}

static void
prefetch(const struct lane *l, const struct block *b, size_t k)
{
	if (k >= b->n)
		return;
	prefetch_element(b->v, k + FAR_AHEAD, sizeof *b->v);
	prefetch_element(b->first, k + FAR_AHEAD, sizeof *b->first);
	prefetch_element(b->constraints, b->first[k] + FAR_AHEAD, sizeof *b->constraints);
	for (uint32_t i = b->first[k]; i < b->first[k + 1]; i++)
		index_prefetch(l->index, b->constraints[i].id);
}

/* May what the head of Q sends wait for its turn?  false: it has to be a node. */
static bool
may_pass(const struct lane *l, const struct queue *q, const struct lane_head *h, bool *sends)
{
	const struct block *b = h->block;
	const bool nodes = dag_count(l->dag) > 0;

	for (uint32_t i = b->first[h->index]; i < b->first[h->index + 1]; i++) {
		const struct constraint *x = &b->constraints[i];
		const struct index_entry *e;

		if (x->what == CONSTRAINT_NEED)
			continue;
		/* The ends of spans are known to their kind. */
		if (x->what != CONSTRAINT_SEND || (x->class == CONSTRAINT_SPAN && q->asks) ||
		    exchange_is_lost(l->exchange, x->id))
			return false;
		*sends = true;
		e = nodes ? index_find(l->index, x->id) : NULL;
		if (e && (e->state == INDEX_WANTED || e->state == INDEX_ADMITTED))
			return false;
	}
	return true;
}

/* Enter what the head of Q sends; false where another record has to do with it. */
static bool
enter_sends(struct lane *l, struct queue *q, const struct lane_head *h)
{
	const struct block *b = h->block;
	const int64_t t = b->v[h->index].t;

	for (uint32_t i = b->first[h->index]; i < b->first[h->index + 1]; i++) {
		const struct constraint *x = &b->constraints[i];
		struct index_entry *e;

		if (x->what != CONSTRAINT_SEND)
			continue;
		e = index_put(l->index, x->id);
		if (e->state == INDEX_SENT && !index_is_sent(l->index, e, t))
			index_forget(l->index, e);
		if (e->state == INDEX_NONE) {
			e->state = INDEX_HEAD;
			e->queue = q;
		} else if (e->state != INDEX_SENT && !(e->state == INDEX_HEAD && e->queue == q)) {
			return false;
		}
	}
	return true;
}

void
lane_settle(struct lane *l, void (*admit)(struct queue *q, void *cookie), void *cookie)
{
	while (l->n_fresh) {
		struct queue *q = l->queues[l->fresh[--l->n_fresh]];
		struct lane_head *h = &l->heads[q->number];

		h->fresh = false;
		if (!h->block || h->entered)
			continue;
		h->entered = true;
		if (!enter_sends(l, q, h))
			admit(q, cookie);
	}
}

/* What the head of Q sends is not in the lane any more. */
static void
leave_sends(struct lane *l, const struct queue *q, const struct lane_head *h)
{
	const struct block *b = h->block;

	if (q->sorter || !b->first || l->plain || !h->entered)
		return;
	for (uint32_t i = b->first[h->index]; i < b->first[h->index + 1]; i++) {
		struct index_entry *e = b->constraints[i].what == CONSTRAINT_SEND ?
		    index_find(l->index, b->constraints[i].id) : NULL;

		if (e && e->state == INDEX_HEAD && e->queue == q)
			e->state = INDEX_NONE;
	}
}

bool
lane_enter_next(struct lane *l, struct queue *q, struct lane_head *h)
{
	const struct descriptor *d = &h->block->v[h->index];
	bool sends = false;

	if (d->t > q->newest_ns)
		q->newest_ns = d->t;
	if (d->flags & RECORD_MORE) {
		h->block = NULL;	/* its pieces are read when it is printed */
		tree_set(&l->tree, q->number, TREE_NONE);
		return false;
	}
	h->entered = true;
	if (h->block->first && !l->plain) {
		prefetch(l, h->block, h->index + PREFETCH);
		if (!may_pass(l, q, h, &sends)) {
			h->block = NULL;
			tree_set(&l->tree, q->number, TREE_NONE);
			return false;
		}
	}
	if (sends) {
		h->entered = false;
		if (!h->fresh)
			l->fresh[l->n_fresh++] = q->number;
		h->fresh = true;
	}
	tree_set(&l->tree, q->number, d->t);
	return true;
}

bool
lane_enter(struct lane *l, struct queue *q)
{
	struct lane_head *h = &l->heads[q->number];

	if (!find_head(q, h)) {
		tree_set(&l->tree, q->number, TREE_NONE);
		return true;
	}
	if (q->sorter) {
		h->entered = true;
		tree_set(&l->tree, q->number, h->block->v[h->index].t);
		return true;
	}
	return lane_enter_next(l, q, h);
}

void
lane_leave(struct lane *l, struct queue *q)
{
	struct lane_head *h = &l->heads[q->number];

	if (!h->block)
		return;
	leave_sends(l, q, h);
	h->block = NULL;
	tree_set(&l->tree, q->number, TREE_NONE);
}

/* Does record K of B send ID? */
static bool
sends_itself(const struct block *b, size_t k, uint64_t id)
{
	for (uint32_t i = b->first[k]; i < b->first[k + 1]; i++)
		if (b->constraints[i].what == CONSTRAINT_SEND && b->constraints[i].id == id)
			return true;
	return false;
}

bool
lane_is_met(struct lane *l, const struct queue *q)
{
	const struct lane_head *h = &l->heads[q->number];
	const struct block *b = h->block;

	if (q->sorter)
		return true;
	/* This reason is told of nodes: that an earlier record of the source was printed behind this one's time. */
	if (l->lines && b->v[h->index].t < q->passed_ns)
		return false;
	if (!b->first || l->plain)
		return true;
	for (uint32_t i = b->first[h->index]; i < b->first[h->index + 1]; i++) {
		const struct constraint *x = &b->constraints[i];
		const struct index_entry *e;

		if (x->what != CONSTRAINT_NEED || (x->soft && refutations_has(l->refutations, x->rule)))
			continue;
		e = index_find(l->index, x->id);
		if (!(e && index_is_sent(l->index, e, b->v[h->index].t)) && !sends_itself(b, h->index, x->id))
			return false;
	}
	return true;
}

void
lane_sent(struct lane *l, struct queue *q)
{
	const struct lane_head *h = &l->heads[q->number];
	const struct block *b = h->block;

	if (q->sorter || !b->first || l->plain)
		return;
	for (uint32_t i = b->first[h->index]; i < b->first[h->index + 1]; i++) {
		struct index_entry *e;

		if (b->constraints[i].soft)
			refutations_follow(l->refutations, b->constraints[i].rule);
		if (b->constraints[i].what != CONSTRAINT_SEND)
			continue;
		e = index_put(l->index, b->constraints[i].id);
		index_set_sent(l->index, e, b->v[h->index].t, q->source->rank,
		    l->lines ? block_line(b, h->index) : b->base + b->v[h->index].at);
	}
}

void
lane_drop(struct lane *l, struct queue *q)
{
	if (q->sorter)
		cursor_unpin(q->cursor, queue_take_sorted(q));
	else if (l->heads[q->number].queued)
		queue_drop(q);
	else
		cursor_advance(q->cursor, q->number);
}
