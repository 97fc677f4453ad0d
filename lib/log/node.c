#include "base/xalloc.h"
#include "log/node.h"

struct place
node_place(const struct node *e)
{
	return (struct place){ e->r.t, e->lane->source->rank, 0, e->r.off };
}

bool
place_before(const struct place *a, const struct place *b)
{
	if (a->t != b->t)
		return a->t < b->t;
	if (a->rank != b->rank)
		return a->rank < b->rank;
	return a->off != b->off ? a->off < b->off : a->depth < b->depth;
}

static void
put(struct ready *h, size_t i, struct node *e)
{
	h->v[i - 1] = e;
	e->heap = i;
}

void
ready_rise(struct ready *h, struct node *e)
{
	size_t i = e->heap;

	while (i > 1 && place_before(&e->place, &h->v[i / 2 - 1]->place)) {
		put(h, i, h->v[i / 2 - 1]);
		i /= 2;
	}
	put(h, i, e);
}

static void
sink(struct ready *h, struct node *e)
{
	size_t i = e->heap, child;

	while ((child = 2 * i) <= h->n) {
		if (child < h->n && place_before(&h->v[child]->place, &h->v[child - 1]->place))
			child++;
		if (!place_before(&h->v[child - 1]->place, &e->place))
			break;
		put(h, i, h->v[child - 1]);
		i = child;
	}
	put(h, i, e);
}

void
ready_push(struct ready *h, struct node *e)
{
	h->v = xgrow(h->v, h->n, &h->cap, sizeof(struct node *));
	e->heap = ++h->n;
	ready_rise(h, e);
}

void
ready_remove(struct ready *h, struct node *e)
{
	struct node *last = h->v[h->n-- - 1];

	if (last != e) {
		last->heap = e->heap;
		ready_rise(h, last);
		sink(h, last);
	}
	e->heap = 0;
}
