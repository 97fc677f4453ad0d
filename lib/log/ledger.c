#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "log/ledger.h"

enum {
	CAP = 1 << 14,		/* ids of a range, to begin with */
	RANKS = 255,
	RANK_SHIFT = 2, TIME_SHIFT = 10,
};

_Static_assert((int)SKEW_CLOCKS_MAX <= (int)RANKS, "a value tells the clocks apart");

uint64_t
ledger_value(unsigned rank, int64_t t, bool timed)
{
	return (uint64_t)(t < 0 ? 0 : t / 1000) << TIME_SHIFT | (uint64_t)(rank & RANKS) << RANK_SHIFT |
	    (timed ? LEDGER_TIMED : 0) | LEDGER_SENT;
}

unsigned
ledger_rank(uint64_t value)
{
	return (unsigned)(value >> RANK_SHIFT) & RANKS;
}

int64_t
ledger_time(uint64_t value)
{
	return (int64_t)(value >> TIME_SHIFT) * 1000;
}

void
ledger_clear(struct ledger *l)
{
	l->sent.cap_min = CAP;
	ids_clear(&l->sent);
	l->n_open = 0;
	l->newest_ns = INT64_MIN;
}

void
ledger_release(struct ledger *l)
{
	ids_release(&l->sent);
	skew_free(l->skew);
	free(l->open);
	free(l->edges.v);
}

static void
sends(struct ledger *l, uint64_t id, uint64_t value)
{
	uint64_t *slot = ids_put(&l->sent, id);

	if (!*slot)		/* the first one counts */
		*slot = value;
}

static void
needs(struct ledger *l, uint64_t id, const struct source *s, const struct record *r)
{
	const uint64_t *slot = ids_find(&l->sent, id);

	if (!slot || (l->window_ns && l->newest_ns - ledger_time(*slot) > l->window_ns)) {
		l->open = xgrow(l->open, l->n_open, &l->open_cap, sizeof *l->open);
		l->open[l->n_open++] = (struct need){ id, r->t, r->inherited ? 0 : r->res, l->newest_ns, s->rank };
	} else if (l->skew && (*slot & LEDGER_TIMED) && !r->inherited) {
		skew_add(l->skew, ledger_rank(*slot), s->rank, ledger_time(*slot), r->t, r->res);
	}
}

/* Other units' entries have the numbers between those of a journal. */
static void
number(struct ledger *l, const struct constraint *x, const struct source *s, const struct record *r)
{
	if (x->sparse)
		return;
	sends(l, rule_tick_id(x->id, x->n), ledger_value(s->rank, r->t, false));
	if (x->n > 0)
		needs(l, rule_tick_id(x->id, x->n - 1), s, r);
}

void
ledger_enter(struct ledger *l, const struct source *s, const struct record *r)
{
	if (r->t > l->newest_ns)
		l->newest_ns = r->t;
	for (size_t i = 0; i < l->edges.n; i++) {
		const struct constraint *x = &l->edges.v[i];

		if (x->what == CONSTRAINT_SEND)
			sends(l, x->id, ledger_value(s->rank, r->t, !r->inherited));
		else if (x->what == CONSTRAINT_CLOCK_SET)
			sends(l, rule_tick_id(x->id, x->n), ledger_value(s->rank, r->t, false));
		else if (x->what == CONSTRAINT_SEQUENCE)
			number(l, x, s, r);
		else if (x->what == CONSTRAINT_NEED)
			needs(l, x->id, s, r);
		else if (x->what == CONSTRAINT_CHILD)	/* so that it is known whether it ends */
			needs(l, (uint64_t)x->n, s, r);
		else if (x->what == CONSTRAINT_CLOCK_NEED)
			needs(l, rule_tick_id(x->id, x->n), s, r);
	}
	l->edges.n = 0;
}

void
past_add(struct past *p, struct ledger *l)
{
	struct ledger *own;

	if (l->sent.n == 0)
		return;
	if (p->head + p->n == p->cap && p->head > p->n) {
		memmove(p->v, p->v + p->head, p->n * sizeof *p->v);
		p->head = 0;
	}
	p->v = xgrow(p->v, p->head + p->n, &p->cap, sizeof *p->v);
	own = &p->v[p->head + p->n++];
	*own = (struct ledger){ .newest_ns = l->newest_ns };
	/* A table that is well filled is taken as it is. */
	if (l->sent.n * 4 >= l->sent.cap) {
		own->sent = l->sent;
		l->sent = (struct ids){ .v = NULL };
	} else {
		ids_copy(&own->sent, &l->sent);
	}
	p->ids += own->sent.n;
}

uint64_t
past_find(const struct past *p, uint64_t id)
{
	for (size_t i = p->n; i-- > 0;) {
		const uint64_t *slot = ids_find(&p->v[p->head + i].sent, id);

		if (slot)
			return *slot;
	}
	return 0;
}

bool
past_forget(struct past *p, int64_t ns, size_t keep, struct bloom *forgotten)
{
	bool any = false;

	while (p->n) {
		struct ledger *l = &p->v[p->head];

		if (l->newest_ns >= ns || p->ids - l->sent.n < keep)
			break;
		for (size_t i = 0; forgotten && i < l->sent.cap; i++)
			if (l->sent.v[i].id)
				bloom_add(forgotten, l->sent.v[i].id);
		p->ids -= l->sent.n;
		ids_release(&l->sent);
		p->head++;
		p->n--;
		any = true;
	}
	return any;
}

void
past_release(struct past *p)
{
	for (size_t i = 0; i < p->n; i++)
		ids_release(&p->v[p->head + i].sent);
	free(p->v);
	*p = (struct past){ NULL, 0, 0, 0, 0 };
}
