/* Cycles of causal/dag: which nodes wait for themselves, and which dependency is dropped. */
#include "base/xalloc.h"
#include "causal/cycle.h"
#include "causal/dependency.h"

enum {
	SEARCH_NOW = 256,	/* nodes that are looked at when a dependency may have closed a cycle */
	SEARCH_DUE = 1024,	/* and before a later record is printed: many may be behind one that waits */
};

static int64_t
dependency_gap(const struct dependency *d)
{
	return d->predecessor->t - d->waiter->t;
}

struct dependency *
cycle_weaker(struct dependency *a, struct dependency *b)
{
	/* What was learned, or waits for a parent that may be in no log, is the least sure. */
	if (a->quiet != b->quiet)
		return a->quiet ? a : b;
	return b->class > a->class || (b->class == a->class && dependency_gap(b) > dependency_gap(a)) ? b : a;
}

/* The weakest of LAST, by which P waits for E, and the dependencies from E to P that VIA names. */
static struct dependency *
weakest_on_path(const struct node *e, const struct node *p, struct dependency *last)
{
	struct dependency *worst = last;

	for (; p != e; p = vertex_of(p)->via->waiter)
		worst = cycle_weaker(worst, vertex_of(p)->via);
	return worst;
}

/* The weakest dependency of a cycle through E; NULL for none, or, with *KNOWN false, none within LIMIT nodes. */
static struct dependency *
find_cycle(struct dag *g, struct node *e, size_t limit, bool *known)
{
	size_t n = 0, seen = 0;
	struct node *p = e;

	*known = true;
	g->visit++;
	for (;;) {
		vertex_of(p)->visited = g->visit;
		for (struct dependency *d = vertex_of(p)->needs; d; d = d->mine) {
			struct node *to = d->predecessor;

			if (d->done || !to)
				continue;
			if (to == e)
				return weakest_on_path(e, p, d);
			if (vertex_of(to)->visited == g->visit)
				continue;
			if (++seen > limit) {
				*known = false;
				return NULL;
			}
			vertex_of(to)->visited = g->visit;
			vertex_of(to)->via = d;
			g->path = xgrow(g->path, n, &g->path_cap, sizeof *g->path);
			g->path[n++] = to;
		}
		if (n == 0)
			return NULL;
		p = g->path[--n];
	}
}

/* A dependency of E whose predecessor is present. */
static struct dependency *
present_dependency(const struct node *e)
{
	for (struct dependency *d = vertex_of(e)->needs; d; d = d->mine)
		if (!d->done && d->predecessor)
			return d;
	return NULL;
}

/* From E along one dependency of each node, until a node of this visit comes again: the weakest of that cycle. */
static struct dependency *
weakest_behind(struct node *e, uint64_t visit)
{
	struct dependency *d, *worst;
	struct node *start;

	while (e && vertex_of(e)->visited != visit) {
		vertex_of(e)->visited = visit;
		d = present_dependency(e);
		e = d ? d->predecessor : NULL;
	}
	if (!e)
		return NULL;
	start = e;
	worst = present_dependency(e);
	do {
		d = present_dependency(e);
		if (!d)
			return NULL;		/* it waits for an absent id */
		worst = cycle_weaker(worst, d);
		e = d->predecessor;
	} while (e != start);
	return worst;
}

bool
cycle_break(struct dag *g, struct node *(*next)(size_t i, void *cookie), void *cookie)
{
	struct node *e;

	g->visit++;
	for (size_t i = 0; (e = next(i, cookie)); i++) {
		struct dependency *d = e->out || vertex_of(e)->visited == g->visit ? NULL : weakest_behind(e, g->visit);

		if (d) {
			dag_drop(g, d);
			return true;
		}
	}
	return false;
}

/* The next node to search from, if a search is due before a record with the key TOP is printed. */
static struct node *
next_suspect(struct dag *g, const struct sort_key *top, bool *now)
{
	struct blocked_heap *h = &g->suspects;

	while (h->n && (!top || h->v[1].t <= top->t)) {
		struct blocked x = h->v[1];

		heap_blocked_pop(h);
		*now = x.t == INT64_MIN;
		if (vertex_of(x.node)->serial == x.serial && vertex_of(x.node)->unmet)
			return x.node;
	}
	return NULL;
}

bool
cycle_break_suspect(struct dag *g, const struct sort_key *top)
{
	struct node *e;
	bool now;

	while ((e = next_suspect(g, top, &now))) {
		bool known;
		struct dependency *d = find_cycle(g, e, now ? SEARCH_NOW : SEARCH_DUE, &known);

		if (d || (!known && now))
			dag_suspect(g, e, d != NULL);
		if (d) {
			dag_drop(g, d);
			return true;
		}
	}
	return false;
}
