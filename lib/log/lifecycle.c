/*
 * Lifecycles of log/node.h: which stop belongs before which start.
 *
 * Stops and starts of an entity take turns.  A start whose turn in time has
 * come while the entity is started already, or while nothing is known of it,
 * may have been logged ahead of the stop that was before it.  That stop is
 * looked for among what has been read:
 *
 *	started	within the rule's window, unless it has a start of its own
 *		behind it and is really later;
 *	unknown	only where the two times are not told apart by their resolution,
 *		so that a start and a stop that are really that way round stay so.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "log/node.h"

static struct entity *
entity_get(struct order *o, uint64_t id)
{
	uint64_t *slot = ids_put(&o->entities, id);

	if (!*slot)
		*slot = (uint64_t)(uintptr_t)xcalloc(1, sizeof(struct entity));
	return (struct entity *)(uintptr_t)*slot;
}

static const struct constraint *
edge_of(const struct node *e, uint64_t id)
{
	for (size_t i = 0; i < e->edges.n; i++)
		if (e->edges.v[i].id == id && e->edges.v[i].what >= CONSTRAINT_STOP)
			return &e->edges.v[i];
	return NULL;
}

static bool
is(const struct node *e, uint64_t id, enum constraint_kind what)
{
	const struct constraint *edge = edge_of(e, id);

	return edge && edge->what == what;
}

void
lifecycle_enter(struct order *o, struct node *e, const struct constraint *edge)
{
	struct entity *t = entity_get(o, edge->id);

	t->v = xgrow(t->v, t->n, &t->cap, sizeof(struct node *));
	t->v[t->n++] = e;
	if (o->live && edge->what == CONSTRAINT_STOP)
		order_answer(o, e, rule_tick_id(edge->id, -1));
}

void
lifecycle_leave(struct order *o, struct node *e, const struct constraint *edge)
{
	struct entity *t = entity_get(o, edge->id);
	size_t i = 0;

	while (i < t->n && t->v[i] != e)
		i++;
	if (i < t->n)
		t->v[i] = t->v[--t->n];
	t->state = edge->what == CONSTRAINT_STOP ? ENTITY_STOPPED : ENTITY_STARTED;
}

/* Has STOP, which is later than E, a start behind it that is more likely its own? */
static bool
has_own_start(const struct entity *t, const struct node *stop, const struct node *e, const struct constraint *edge)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct node *x = t->v[i];

		if (x != e && is(x, edge->id, CONSTRAINT_START) && x->r.t >= stop->r.t && x->r.t - stop->r.t <= edge->n)
			return true;
	}
	return false;
}

/* Is X behind E in its program's order? */
static bool
follows(const struct node *x, const struct node *e)
{
	return x->lane == e->lane && x->lane->source->fifo && x->emitter == e->emitter && x->r.off > e->r.off;
}

struct node *
lifecycle_stop(struct order *o, struct node *e, const struct constraint *edge)
{
	struct entity *t = entity_get(o, edge->id);
	struct node *best = NULL;

	if (t->state == ENTITY_STOPPED)
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		struct node *x = t->v[i];
		int64_t later = x->r.t - e->r.t, res = x->r.res > e->r.res ? x->r.res : e->r.res;

		if (!is(x, edge->id, CONSTRAINT_STOP) || later < -edge->n || follows(x, e))
			continue;
		if (later >= res && (t->state == ENTITY_UNKNOWN || later > edge->n || has_own_start(t, x, e, edge)))
			continue;
		if (!best || place_before(&x->place, &best->place))
			best = x;
	}
	return best;
}

uint64_t
lifecycle_missing(struct order *o, const struct constraint *edge)
{
	return entity_get(o, edge->id)->state == ENTITY_STARTED ? rule_tick_id(edge->id, -1) : 0;
}

void
lifecycle_release(struct order *o)
{
	for (size_t i = 0; i < o->entities.cap; i++) {
		struct entity *t = (struct entity *)(uintptr_t)o->entities.v[i].value;

		if (o->entities.v[i].id && t) {
			free(t->v);
			free(t);
		}
	}
	ids_release(&o->entities);
}
