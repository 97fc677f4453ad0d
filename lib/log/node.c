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

/* What E waits for and can be followed: somebody who is here. */
static struct wait *
open_wait(const struct node *e)
{
	for (struct wait *w = e->needs; w; w = w->mine)
		if (!w->done && w->provider)
			return w;
	return NULL;
}

static int64_t
gap(const struct wait *w)
{
	return w->provider->r.t - w->waiter->r.t;
}

struct wait *
node_weaker(struct wait *a, struct wait *b)
{
	return b->class > a->class || (b->class == a->class && gap(b) > gap(a)) ? b : a;
}

/* The waits from E to P, as VIA tells, and W, by which P waits for E. */
static struct wait *
weakest_on_path(struct node *e, struct node *p, struct wait *w)
{
	struct wait *worst = w;

	for (; p != e; p = p->via->waiter)
		worst = node_weaker(worst, p->via);
	return worst;
}

struct wait *
node_cycle(struct order *o, struct node *e, size_t limit, bool *known)
{
	size_t n = 0, seen = 0;
	struct node *p = e;

	*known = true;
	o->visit++;
	for (;;) {
		p->visited = o->visit;
		for (struct wait *w = p->needs; w; w = w->mine) {
			if (!w->done && w->provider == e)
				return weakest_on_path(e, p, w);
			if (w->done || !w->provider || w->provider->visited == o->visit)
				continue;
			if (++seen > limit) {
				*known = false;
				return NULL;
			}
			w->provider->visited = o->visit;
			w->provider->via = w;
			o->path = xgrow(o->path, n, &o->path_cap, sizeof *o->path);
			o->path[n++] = w->provider;
		}
		if (n == 0)
			return NULL;
		p = o->path[--n];
	}
}

/*
 * Whoever waits has at least one need, so by following any one of each we come
 * to a record a second time, and have a cycle.  Its weakest edge goes; of two
 * the one whose times contradict it more.
 */
struct wait *
node_weakest(struct node *e, uint64_t visit)
{
	struct wait *w, *worst;
	struct node *start;

	while (e && e->visited != visit) {
		e->visited = visit;
		w = open_wait(e);
		e = w ? w->provider : NULL;
	}
	if (!e)
		return NULL;
	start = e;
	worst = open_wait(e);
	do {
		w = open_wait(e);
		if (!w)
			return NULL;		/* it needs what nobody has sent yet */
		worst = node_weaker(worst, w);
		e = w->provider;
	} while (e != start);
	return worst;
}
