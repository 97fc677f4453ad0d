/* Waiting, of log/order.h: who waits for whom, and who for what nobody has sent. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "log/node.h"

static bool
before(const struct stuck *a, const struct stuck *b)
{
	if (a->t != b->t)
		return a->t < b->t;
	return a->rank != b->rank ? a->rank < b->rank : a->off < b->off;
}

static void
push(struct stuck_heap *h, struct node *e, int64_t t)
{
	size_t i = ++h->n;
	struct stuck s = { t, e->r.off, e->lane->source->rank, e, e->serial };

	h->v = xgrow(h->v, i, &h->cap, sizeof *h->v);
	for (; i > 1 && before(&s, &h->v[i / 2]); i /= 2)
		h->v[i] = h->v[i / 2];
	h->v[i] = s;
}

static void
pop(struct stuck_heap *h)
{
	struct stuck s = h->v[h->n--];
	size_t i = 1, child;

	while ((child = 2 * i) <= h->n) {
		if (child < h->n && before(&h->v[child + 1], &h->v[child]))
			child++;
		if (!before(&h->v[child], &s))
			break;
		h->v[i] = h->v[child];
		i = child;
	}
	h->v[i] = s;
}

void
order_stuck_push(struct order *o, struct node *e)
{
	push(&o->stuck, e, o->live ? e->arrived_ms : e->r.t);
}

void
order_suspect(struct order *o, struct node *e, bool now)
{
	push(&o->suspects, e, now ? INT64_MIN : e->r.t);
}

struct node *
order_suspect_next(struct order *o, const struct node *top, bool *hurry)
{
	struct stuck_heap *h = &o->suspects;

	while (h->n && (!top || h->v[1].t <= top->place.t)) {
		struct stuck s = h->v[1];

		pop(h);
		*hurry = s.t == INT64_MIN;
		if (s.node->serial == s.serial && s.node->unmet)
			return s.node;
	}
	return NULL;
}

static bool
needs_absent(const struct node *e)
{
	for (const struct wait *w = e->needs; w; w = w->mine)
		if (!w->done && !w->provider)
			return true;
	return false;
}

struct node *
order_stuck_first(struct order *o)
{
	while (o->stuck.n) {
		struct stuck *s = &o->stuck.v[1];

		if (s->node->serial == s->serial && needs_absent(s->node))
			return s->node;
		pop(&o->stuck);
	}
	return NULL;
}

struct wait *
order_wait_new(struct order *o, struct node *waiter, uint64_t id, enum constraint_class class, uint16_t rule)
{
	struct wait *w = o->free_waits;

	if (w)
		o->free_waits = w->next;
	else
		w = xcalloc(1, sizeof *w);
	*w = (struct wait){ .waiter = waiter, .id = id, .class = (uint8_t)class, .rule = rule, .mine = waiter->needs };
	waiter->needs = w;
	if (waiter->heap)
		ready_remove(&o->ready, waiter);
	waiter->unmet++;
	if (waiter->lane->newest_ns < o->behind_ns)
		o->behind_ns = waiter->lane->newest_ns;
	return w;
}

/* P goes to the place of WHO, if its own time is not more exact than that; false where it does not. */
static bool
advance(struct order *o, struct node *p, const struct node *who)
{
	if (p->r.t - who->place.t >= p->r.res || place_before(&p->place, &who->place))
		return false;
	p->place = who->place;
	p->place.depth--;
	if (p->heap)
		ready_rise(&o->ready, p);
	return true;
}

/*
 * From P on, to whom it waits for, and whom they wait for, as long as GO says.
 * Each is gone on from once, because they may wait for each other.
 */
static void
spread(struct order *o, struct node *p, bool (*go)(struct order *o, struct node *to, const struct node *from))
{
	size_t n = 0;

	o->visit++;
	for (;;) {
		p->visited = o->visit;
		for (struct wait *w = p->needs; w; w = w->mine) {
			struct node *to = w->provider;

			if (w->done || !to || to->visited == o->visit || !go(o, to, p))
				continue;
			o->promoted = xgrow(o->promoted, n, &o->promoted_cap, sizeof(struct node *));
			o->promoted[n++] = to;
		}
		if (n == 0)
			return;
		p = o->promoted[--n];
	}
}

/* P goes to the place of WHO, which waits for it, and so do those whom P waits for. */
static void
promote(struct order *o, struct node *p, const struct node *who)
{
	if (o->spec->mode != ORDER_MINIMAX && advance(o, p, who))
		spread(o, p, advance);
}

void
order_provide(struct order *o, struct wait *w, struct node *provider)
{
	w->provider = provider;
	w->next = provider->before;
	provider->before = w;
	promote(o, provider, w->waiter);
	/* Only who is waited for, and waits for who waits, can close a cycle. */
	if (w->waiter->before && provider->unmet && o->spec->mode != ORDER_MINIMAX)
		order_suspect(o, w->waiter, true);
}

/* P goes to where those who still wait for it want it, or back to its time. */
static bool
go_back(struct order *o, struct node *p, const struct node *from)
{
	bool ready = p->heap;

	(void)from;
	if (ready)
		ready_remove(&o->ready, p);
	p->place = node_place(p);
	for (struct wait *w = p->before; w; w = w->next)
		if (!w->done)
			advance(o, p, w->waiter);
	if (ready)
		ready_push(&o->ready, p);
	return true;
}

void
order_provide_instead(struct order *o, struct node *provider, struct node *instead, uint64_t id)
{
	bool any = false;

	for (struct wait **p = &provider->before, *w; (w = *p);) {
		if (w->done || w->id != id) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		any = true;
		if (w->waiter == instead) {
			w->provider = NULL;
			order_settle(o, w);
		} else {
			order_provide(o, w, instead);
		}
	}
	if (any && o->spec->mode != ORDER_MINIMAX) {
		go_back(o, provider, NULL);
		spread(o, provider, go_back);
	}
}

static bool
waits_for_present(const struct node *e)
{
	for (const struct wait *w = e->needs; w; w = w->mine)
		if (!w->done && w->provider)
			return true;
	return false;
}

bool
order_is_time(const struct order *o, const struct node *stuck, const struct node *top)
{
	if (!top)
		return true;
	if (o->scouts)
		return o->stuck.v[1].t > stuck->r.t ? o->stuck.v[1].t < top->place.t :
		    place_before(&stuck->place, &top->place);
	return !o->spec->census && top->place.t > stuck->r.t + o->spec->patience_ns;
}

bool
order_postpone(struct order *o, struct node *e, int64_t ns)
{
	if (o->stuck.v[1].t >= ns)
		return false;
	pop(&o->stuck);
	push(&o->stuck, e, ns);
	return true;
}

bool
order_defer(struct order *o, struct node *e)
{
	if (!waits_for_present(e))
		return false;
	e->deferred = true;
	pop(&o->stuck);
	return true;
}

void
order_settle(struct order *o, struct wait *w)
{
	struct node *e = w->waiter;

	if (w->done)
		return;
	w->done = true;
	if (--e->unmet == 0) {
		ready_push(&o->ready, e);
	} else if (e->deferred && !waits_for_present(e)) {
		e->deferred = false;
		order_stuck_push(o, e);
	}
}

void
order_mark(struct node *e, const char *what)
{
	if (!e->mark)
		e->mark = what;
}

void
order_forget_needs(struct order *o, struct node *e)
{
	for (struct wait *w = e->needs, *next; w; w = next) {
		next = w->mine;
		w->next = o->free_waits;
		o->free_waits = w;
	}
	e->needs = NULL;
}

void
order_node_free(struct order *o, struct node *e)
{
	free(e->reason);
	e->reason = NULL;
	e->serial = 0;
	e->before = (struct wait *)o->free_nodes;
	o->free_nodes = e;
}

void
order_give_up(struct order *o, struct node *e, const char *why)
{
	for (struct wait *w = e->needs; w; w = w->mine) {
		uint64_t *slot;

		if (w->done || w->provider)
			continue;
		slot = ids_find(&o->ids, w->id);
		if (slot && (*slot & TAGS) == TAG_WANTED) {
			struct wait *x = untag(*slot), *before = NULL;

			while (x && x != w) {
				before = x;
				x = x->next;
			}
			if (x && before)
				before->next = x->next;
			else if (x)
				*slot = x->next ? tagged(x->next, TAG_WANTED) : 0;
		}
		if (!w->quiet && !bloom_has(&o->forgotten, w->id)) {
			o->count->unmatched++;
			e->given_up = true;
			tally_add(&o->lost, w->id);
			order_mark(e, why);
		}
		order_settle(o, w);
	}
}

