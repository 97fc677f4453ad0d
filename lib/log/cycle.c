/* Cycles, of log/node.h: who waits for himself, and which of the waits goes. */
#include "base/xalloc.h"
#include "log/node.h"

enum {
	SEARCH_MAX = 256,	/* records that are looked at in a hurry for a cycle */
	SEARCH_LATE = 1024,	/* and before anything later goes out: much behind one that waits takes long */
};

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

static struct wait *
find_cycle(struct order *o, struct node *e, size_t limit, bool *known)
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
static struct wait *
weakest(struct node *e, uint64_t visit)
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

void
order_drop(struct order *o, struct wait *w)
{
	static const char *const kinds[] = { "clock", "program order", "message", "span", "lifecycle" };
	struct scheduler_dropped d = { w->provider->lane->source, w->waiter->lane->source, w->provider->r.off,
	    w->waiter->r.off, w->rule == UINT16_MAX ? kinds[w->class] : o->spec->rules->v[w->rule].name };

	o->count->dropped++;
	order_mark(w->waiter, "cycle");
	if (o->spec->dropped)
		o->spec->dropped(&d, o->spec->cookie);
	for (struct wait **p = &w->provider->before; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			break;
		}
	w->provider = NULL;
	order_settle(o, w);
}

bool
order_break_cycle(struct order *o)
{
	o->visit++;
	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		for (size_t k = 0; k < l->n; k++) {
			struct node *e = l->ring[(l->head + k) & (l->cap - 1)];
			struct wait *w = e->out || e->visited == o->visit ? NULL : weakest(e, o->visit);

			if (w) {
				order_drop(o, w);
				return true;
			}
		}
	}
	return false;
}

/* Whoever waits for himself need not be behind his time for it: the cycle is broken before TOP goes out. */
bool
order_break_suspect(struct order *o, const struct node *top)
{
	struct node *e;
	bool hurry;

	while ((e = order_suspect_next(o, top, &hurry))) {
		bool known;
		struct wait *w = find_cycle(o, e, hurry ? SEARCH_MAX : SEARCH_LATE, &known);

		if (w || (!known && hurry))
			order_suspect(o, e, w != NULL);
		if (w) {
			order_drop(o, w);
			return true;
		}
	}
	return false;
}
