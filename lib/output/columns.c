#include <stdlib.h>

#include "base/xalloc.h"
#include "output/columns.h"

/* Arrows from one emitter to another, each pair once, in the order in which they first appear. */
struct link {
	unsigned from, to;
};

struct links {
	struct link *v;
	size_t n, cap;
	bool *reached;		/* some arrow leads to that emitter */
};

static void
add_link(struct links *l, unsigned from, unsigned to)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].from == from && l->v[i].to == to)
			return;
	l->v = xgrow(l->v, l->n, &l->cap, sizeof *l->v);
	l->v[l->n++] = (struct link){ from, to };
	l->reached[to] = true;
}

static void
find_links(struct links *l, const struct ring *ring, unsigned n)
{
	for (size_t i = 0; i < ring->n; i++) {
		const struct event *e = ring_get(ring, i);

		for (size_t k = 0; k < e->n_arrows; k++) {
			const struct arrow *a = &e->arrows[k];

			if (a->emitter < n && e->emitter < n && a->emitter != e->emitter)
				add_link(l, a->back ? e->emitter : a->emitter, a->back ? a->emitter : e->emitter);
		}
	}
}

/* Give the next column to E, then to those that its arrows reach; LANE holds columns plus 1. */
static void
column_place(const struct links *l, unsigned e, unsigned *lane, unsigned *next)
{
	if (lane[e])
		return;
	lane[e] = ++*next;
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].from == e)
			column_place(l, l->v[i].to, lane, next);
}

unsigned *
columns_order(const struct ring *ring, unsigned n)
{
	unsigned *lane = xcalloc(n + 1, sizeof *lane), next = 0;
	struct links l = { .reached = xcalloc(n + 1, sizeof(bool)) };

	find_links(&l, ring, n);
	for (size_t i = 0; i < l.n; i++)
		if (!l.reached[l.v[i].from])
			column_place(&l, l.v[i].from, lane, &next);
	for (unsigned e = 0; e < n; e++)
		column_place(&l, e, lane, &next);
	for (unsigned e = 0; e < n; e++)
		lane[e]--;
	free(l.v);
	free(l.reached);
	return lane;
}
