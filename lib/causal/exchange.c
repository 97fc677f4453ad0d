#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/exchange.h"
#include "causal/known_ids.h"
#include "causal/unmet.h"

struct exchange {
	struct dag *dag;
	const struct known_ids *known;
	struct causal_count *count;
	bool live;
	void (*settle)(void *cookie);
	void (*admit)(struct queue *q, void *cookie);
	void *cookie;
	struct unmet *unmet;		/* needs that were given up */
};

struct exchange *
exchange_new(struct dag *g, const struct known_ids *known, struct causal_count *count, bool live, size_t places)
{
	struct exchange *x = xcalloc(1, sizeof *x);

	*x = (struct exchange){ .dag = g, .known = known, .count = count, .live = live,
	    .unmet = unmet_new(places) };
	return x;
}

void
exchange_free(struct exchange *x)
{
	if (x)
		unmet_free(x->unmet);
	free(x);
}

void
exchange_late(struct exchange *x, struct node *e, const struct index_entry *behind, const struct constraint *by)
{
	x->count->late++;
	node_mark(e, "late");
	if (behind && behind->state == INDEX_SENT)
		relation_add(&e->relations, &(struct relation){ behind->where, 0, behind->source, by->rule, by->class, true });
}

void
exchange_on_head(struct exchange *x, void (*settle)(void *cookie), void (*admit)(struct queue *q, void *cookie),
    void *cookie)
{
	x->settle = settle;
	x->admit = admit;
	x->cookie = cookie;
}

/* If a record in the fast lane sends ID, it becomes a node. */
static void
leave_lane(struct exchange *x, uint64_t id)
{
	const struct index_entry *e;

	if (!x->admit)
		return;
	x->settle(x->cookie);
	e = dag_entry(x->dag, id);
	if (e && e->state == INDEX_HEAD)
		x->admit(e->queue, x->cookie);
}

void
exchange_send(struct exchange *x, struct node *e, uint64_t id)
{
	int64_t late;

	leave_lane(x, id);
	if (!dag_send(x->dag, e, id))
		return;
	late = unmet_take(x->unmet, id, &e->relations);
	x->count->late += late;
	if (late)
		node_mark(e, "late");
}

void
exchange_need(struct exchange *x, struct node *e, uint64_t id, enum constraint_class class, uint16_t rule, bool quiet)
{
	if (x->known && known_ids_is_unsent(x->known, id)) {
		x->count->unmatched += !quiet;
		if (!quiet)
			node_mark(e, "unmatched");
		return;
	}
	leave_lane(x, id);
	dag_wait_on_id(x->dag, e, id, class, rule, quiet);
}

void
exchange_wait_once(struct exchange *x, struct node *e, uint64_t id, const struct constraint *by)
{
	if (!x->live || e->waited || !id)
		return;
	exchange_need(x, e, id, (enum constraint_class)by->class, by->rule, true);
	e->waited = dag_is_blocked(e);
	e->judged = !e->waited;
}

static void
on_lost(const struct dag_left *d, void *cookie)
{
	const struct exchange *x = cookie;

	unmet_add(x->unmet, d->id, &(struct relation){ d->waiter->where, d->id, d->waiter->rank, d->rule,
	    (uint8_t)d->class, true });
}

void
exchange_give_up(struct exchange *x, struct node *e, const char *mark)
{
	x->count->unmatched += dag_give_up(x->dag, e, mark, on_lost, x);
}

/* A record is printed before the one that it follows. */
static void
violate(const struct dag_left *d, void *cookie)
{
	struct exchange *x = cookie;

	if (!d->predecessor) {
		on_lost(d, x);
		return;
	}
	node_mark(d->predecessor, "late");
	x->count->late += relation_add(&d->predecessor->relations, &(struct relation){ d->waiter->where, d->id,
	    d->waiter->rank, d->rule, (uint8_t)d->class, true });
}

void
exchange_leave(struct exchange *x, struct node *e)
{
	dag_leave(x->dag, e, violate, x);
}

bool
exchange_is_lost(const struct exchange *x, uint64_t id)
{
	return unmet_has(x->unmet, id);
}
