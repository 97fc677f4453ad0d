/*
 * order_minimax() of log/node.h.
 *
 * L(e), the latest of the times of e and all before it, is how far delays alone
 * move it; P(e), the earliest of e's and all behind it, how far promotions
 * alone.  In the order of (L + P) / 2 no edge is violated, and the farthest
 * move is half of what the worst edge contradicts the times by, which no order
 * can do better (isotonic regression in the maximum norm).
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "log/node.h"

struct bounds {
	struct node *node;
	int64_t late, early;
	unsigned open;		/* needs whose bounds are not known yet */
	size_t walk;		/* the last one that came by, in search of a cycle */
};

static int64_t
max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The number of E's bounds; its VISITED holds it. */
static struct bounds *
bounds_of(struct bounds *v, const struct node *e)
{
	return &v[e->visited];
}

static size_t
list(struct order *o, struct bounds **out)
{
	struct bounds *v;
	size_t n = 0;

	for (unsigned i = 0; i < o->n_lanes; i++)
		n += o->lanes[i].n;
	v = xcalloc(n + 1, sizeof *v);
	n = 0;
	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		for (size_t k = 0; k < l->n; k++) {
			struct node *e = l->ring[(l->head + k) & (l->cap - 1)];

			e->visited = n;
			v[n++] = (struct bounds){ e, e->r.t, e->r.t, e->unmet, 0 };
		}
	}
	*out = v;
	return n;
}

/* Of B, which waits for somebody whose bounds are not known: that wait. */
static struct wait *
open_wait(struct bounds *v, const struct bounds *b)
{
	for (struct wait *w = b->node->needs; w; w = w->mine)
		if (!w->done && w->provider && bounds_of(v, w->provider)->open)
			return w;
	return NULL;
}

/* From B on everybody waits for somebody, so there is a cycle: which of its waits is best dropped. */
static struct wait *
weakest(struct bounds *v, struct bounds *b, size_t walk)
{
	struct wait *w, *worst;
	struct bounds *start;

	while (b->walk != walk) {
		b->walk = walk;
		w = open_wait(v, b);
		if (!w)
			return NULL;
		b = bounds_of(v, w->provider);
	}
	start = b;
	worst = open_wait(v, b);
	do {
		w = open_wait(v, b);
		worst = node_weaker(worst, w);
		b = bounds_of(v, w->provider);
	} while (b != start);
	return worst;
}

/* The records so that each is behind what it waits for; the weakest wait of each cycle is dropped. */
static size_t
sort(struct order *o, struct bounds *v, size_t n, size_t *sorted)
{
	size_t done = 0, k = 0, walk = 0, i = 0;

	for (size_t j = 0; j < n; j++)
		if (v[j].open == 0)
			sorted[k++] = j;
	while (done < n) {
		struct bounds *b;

		if (done == k) {
			struct wait *w;

			while (v[i].open == 0)
				i++;
			w = weakest(v, &v[i], ++walk);
			if (!w)
				break;
			b = bounds_of(v, w->waiter);
			order_drop(o, w);
			if (--b->open == 0)
				sorted[k++] = (size_t)(b - v);
			continue;
		}
		b = &v[sorted[done++]];

		for (struct wait *w = b->node->before; w; w = w->next) {
			struct bounds *x = bounds_of(v, w->waiter);

			if (w->done)
				continue;
			x->late = max(x->late, b->late);
			if (--x->open == 0)
				sorted[k++] = (size_t)(x - v);
		}
	}
	return done;
}

/* Whose ends wait for the ends of others need not have their turn to be known. */
static void
nest(struct order *o)
{
	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		for (size_t k = 0; k < l->n; k++) {
			struct node *e = l->ring[(l->head + k) & (l->cap - 1)];

			for (size_t j = 0; j < e->edges.n; j++)
				if (e->edges.v[j].what == CONSTRAINT_END)
					nesting_end(o, e, &e->edges.v[j]);
		}
	}
}

void
order_minimax(struct order *o)
{
	struct bounds *v;
	struct node *e;
	size_t *sorted, n, k;

	order_look_ahead(o, FAR_NS);
	series_chain(o);
	nest(o);
	while ((e = order_stuck_first(o)))
		order_give_up(o, e, "unmatched");
	n = list(o, &v);
	sorted = xcalloc(n + 1, sizeof *sorted);
	k = sort(o, v, n, sorted);
	while (k-- > 0) {
		struct bounds *b = &v[sorted[k]];

		for (struct wait *w = b->node->before; w; w = w->next)
			if (!w->done && bounds_of(v, w->waiter)->early < b->early)
				b->early = bounds_of(v, w->waiter)->early;
		b->node->place.t = b->early + (b->late - b->early) / 2;
	}
	/* The places have changed, so the heap is none any more. */
	n = o->ready.n;
	o->ready.n = 0;
	for (size_t i = 0; i < n; i++)
		ready_push(&o->ready, o->ready.v[i]);
	o->visit = 0;
	for (unsigned i = 0; i < o->n_lanes; i++)
		for (k = 0; k < o->lanes[i].n; k++)
			o->lanes[i].ring[(o->lanes[i].head + k) & (o->lanes[i].cap - 1)]->visited = 0;
	free(sorted);
	free(v);
}
