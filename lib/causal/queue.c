#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "causal/queue.h"

bool
queue_piece(void *cookie, const char **p, size_t *n)
{
	struct queue *q = cookie;
	const struct block *b;
	size_t k;

	if (!q->open)
		return false;
	if (cursor_peek(q->cursor, q->number, &b, &k) != 1 || !(b->v[k].flags & RECORD_PIECE)) {
		q->open = false;
		return false;
	}
	*p = b->bytes + b->v[k].at;
	*n = b->v[k].n;
	q->open = b->v[k].flags & RECORD_MORE;
	cursor_advance(q->cursor, q->number);
	return true;
}

void
queue_init(struct queue *q, struct cursor *c, unsigned number, struct source *s)
{
	*q = (struct queue){ .source = s, .cursor = c, .number = number, .fifo = s->fifo, .newest_ns = -QUEUE_FAR_NS,
	    .seen_ns = -QUEUE_FAR_NS, .passed_ns = INT64_MIN };
	s->pieces = queue_piece;
	s->pieces_cookie = q;
}

void
queue_release(struct queue *q)
{
	while (q->n)
		queue_drop(q);
	while (q->sorter && sorter_count(q->sorter))
		cursor_unpin(q->cursor, queue_take_sorted(q));
	sorter_free(q->sorter);
	q->source->pieces = NULL;
	free(q->ring);
	idmap_release(&q->emitters);
	matcher_free(q->explainer);
}

/* Room for one more slot. */
static void
ring_grow(struct queue *q)
{
	size_t cap = q->cap ? q->cap * 2 : 4;
	struct slot *v = xcalloc(cap, sizeof *v);

	for (size_t i = 0; i < q->n; i++)
		v[i] = *queue_slot(q, i);
	free(q->ring);
	q->ring = v;
	q->head = 0;
	q->cap = cap;
}

int
queue_fetch(struct queue *q)
{
	const struct descriptor *d;
	const struct block *b;
	size_t k;

	if (q->ended || q->open)
		return 0;
	if (cursor_peek(q->cursor, q->number, &b, &k) != 1) {
		q->ended = true;
		q->backlog = false;
		return 0;
	}
	if (q->n == q->cap)
		ring_grow(q);
	q->n++;
	*queue_slot(q, q->n - 1) = (struct slot){ .block = b, .index = k };
	cursor_pin(b);
	cursor_advance(q->cursor, q->number);
	d = &b->v[k];
	q->bytes += d->n;
	q->open = d->flags & RECORD_MORE;
	if (d->t > q->seen_ns)
		q->seen_ns = d->t;
	return 1;
}

struct slot *
queue_next(struct queue *q)
{
	if (q->nodes == q->n && !queue_fetch(q))
		return NULL;
	return queue_slot(q, q->nodes);
}

bool
queue_is_drained(const struct queue *q)
{
	return q->ended && q->nodes == q->n;
}

void
queue_drop(struct queue *q)
{
	const struct slot *s = queue_slot(q, 0);

	q->bytes -= s->block->v[s->index].n;
	cursor_unpin(q->cursor, s->block);
	q->head = (q->head + 1) & (q->cap - 1);
	q->n--;
	if (q->nodes)
		q->nodes--;
}

const struct block *
queue_take_sorted(struct queue *q)
{
	const struct block *b;
	size_t k;

	sorter_first(q->sorter, &b, &k);
	sorter_pop(q->sorter);
	q->bytes -= b->v[k].n;
	return b;
}

void
queue_sort(struct queue *q, const struct block *b, size_t k, uint64_t emitter)
{
	const struct descriptor *d = &b->v[k];

	sorter_push(q->sorter, b, k, emitter);
	cursor_pin(b);
	cursor_advance(q->cursor, q->number);
	q->bytes += d->n;
	q->open = d->flags & RECORD_MORE;
	if (d->t > q->newest_ns)
		q->newest_ns = d->t;
	q->seen_ns = q->newest_ns;
}

static int
compare_slots(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;
	const int64_t off = x->block->base + x->block->v[x->index].at, other = y->block->base + y->block->v[y->index].at;

	return (off > other) - (off < other);
}

void
queue_unsort(struct queue *q)
{
	struct slot s = { .node = NULL };

	while (sorter_first(q->sorter, &s.block, &s.index)) {
		sorter_pop(q->sorter);
		if (q->n == q->cap)
			ring_grow(q);
		*queue_slot(q, q->n++) = s;
	}
	if (q->n > 0)
		qsort(q->ring, q->n, sizeof *q->ring, compare_slots);
	sorter_free(TAKE_PTR(q->sorter));
}

int64_t
queue_position(const struct queue *q)
{
	const struct slot *s;

	if (q->n == 0)
		return cursor_offset(q->cursor, q->number);
	s = queue_slot(q, 0);
	return s->block->base + s->block->v[s->index].at;
}
