/* The two heaps of causal/dependency.h. */
#include "base/xalloc.h"
#include "causal/dependency.h"

static bool
blocked_before(const struct blocked *a, const struct blocked *b)
{
	if (a->t != b->t)
		return a->t < b->t;
	return a->rank != b->rank ? a->rank < b->rank : a->off < b->off;
}

void
heap_blocked_push(struct blocked_heap *h, const struct blocked *x)
{
	size_t i = ++h->n;

	h->v = xgrow(h->v, i, &h->cap, sizeof *h->v);
	for (; i > 1 && blocked_before(x, &h->v[i / 2]); i /= 2)
		h->v[i] = h->v[i / 2];
	h->v[i] = *x;
}

void
heap_blocked_pop(struct blocked_heap *h)
{
	struct blocked x = h->v[h->n--];
	size_t i = 1, child;

	while ((child = 2 * i) <= h->n) {
		if (child < h->n && blocked_before(&h->v[child + 1], &h->v[child]))
			child++;
		if (!blocked_before(&h->v[child], &x))
			break;
		h->v[i] = h->v[child];
		i = child;
	}
	h->v[i] = x;
}

static void
ready_put(struct ready_heap *h, size_t i, struct node *e)
{
	h->v[i - 1] = e;
	vertex_of(e)->heap = i;
}

void
heap_ready_rise(struct ready_heap *h, struct node *e)
{
	size_t i = vertex_of(e)->heap;

	while (i > 1 && node_key_before(&e->key, &h->v[i / 2 - 1]->key)) {
		ready_put(h, i, h->v[i / 2 - 1]);
		i /= 2;
	}
	ready_put(h, i, e);
}

static void
ready_sink(struct ready_heap *h, struct node *e)
{
	size_t i = vertex_of(e)->heap, child;

	while ((child = 2 * i) <= h->n) {
		if (child < h->n && node_key_before(&h->v[child]->key, &h->v[child - 1]->key))
			child++;
		if (!node_key_before(&h->v[child - 1]->key, &e->key))
			break;
		ready_put(h, i, h->v[child - 1]);
		i = child;
	}
	ready_put(h, i, e);
}

void
heap_ready_push(struct ready_heap *h, struct node *e)
{
	h->v = xgrow(h->v, h->n, &h->cap, sizeof *h->v);
	vertex_of(e)->heap = ++h->n;
	heap_ready_rise(h, e);
}

void
heap_ready_remove(struct ready_heap *h, struct node *e)
{
	struct node *last = h->v[h->n-- - 1];

	if (last != e) {
		vertex_of(last)->heap = vertex_of(e)->heap;
		heap_ready_rise(h, last);
		ready_sink(h, last);
	}
	vertex_of(e)->heap = 0;
}
