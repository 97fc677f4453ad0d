/*
 * Lifecycles: which stop belongs before which start.
 *
 * Stops and starts of an entity alternate.  A start that is about to be printed
 * while the entity is started already, or while nothing is known of it, may have
 * been logged ahead of the stop before it.  That stop is searched among the
 * admitted records:
 *
 *	started	within the rule's window, unless the stop is really later and a
 *		start of its own follows it;
 *	unknown	only where the resolution does not tell the two times apart, so
 *		that a start and a stop that are really that way round stay so.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/idmap.h"
#include "causal/kind.h"

struct entity {
	enum { ENTITY_UNKNOWN, ENTITY_STOPPED, ENTITY_STARTED } state;
	struct index_entry stop;	/* where the last printed stop is */
	struct node **v;		/* its stops and starts that are admitted */
	size_t n, cap;
};

struct lifecycles {
	struct kind_env env;
	struct idmap entities;		/* pointers */
};

static void *
lifecycle_open(const struct kind_env *env)
{
	struct lifecycles *l = xcalloc(1, sizeof *l);

	l->env = *env;
	return l;
}

static int64_t
lifecycle_window(const struct rule *r)
{
	return r->kind == RULE_LIFECYCLE ? r->within_ns + 1 : 0;
}

static struct entity *
entity_get(struct lifecycles *l, const struct constraint *x)
{
	uint64_t *slot = idmap_put(&l->entities, x->id);
	struct entity *t = (struct entity *)(uintptr_t)*slot;

	if (t)
		return t;
	t = xcalloc(1, sizeof *t);
	t->state = x->started ? ENTITY_STARTED : ENTITY_UNKNOWN;
	*slot = (uint64_t)(uintptr_t)t;
	return t;
}

/* Is E a stop, or a start, of the entity ID? */
static bool
is_event(const struct node *e, uint64_t id, enum constraint_kind what)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->v[i].id == id && (e->v[i].what == CONSTRAINT_STOP || e->v[i].what == CONSTRAINT_START))
			return e->v[i].what == what;
	return false;
}

/* The id by which a start waits for a stop that is missing. */
static uint64_t
missing_id(const struct constraint *x)
{
	return rule_tick_id(x->id, -1);
}

static void
lifecycle_admit(void *state, struct node *e, const struct constraint *x)
{
	struct lifecycles *l = state;
	struct entity *t = entity_get(l, x);

	if (x->what == CONSTRAINT_BELONGS)
		return;
	t->v = xgrow(t->v, t->n, &t->cap, sizeof *t->v);
	t->v[t->n++] = e;
	if (l->env.live && x->what == CONSTRAINT_STOP)
		dag_answer(l->env.dag, e, missing_id(x));
}

static void
lifecycle_retire(void *state, struct node *e, const struct constraint *x)
{
	struct entity *t = entity_get(state, x);
	size_t i = 0;

	if (x->what == CONSTRAINT_BELONGS)
		return;
	while (i < t->n && t->v[i] != e)
		i++;
	if (i < t->n)
		t->v[i] = t->v[--t->n];
	t->state = x->what == CONSTRAINT_STOP ? ENTITY_STOPPED : ENTITY_STARTED;
	if (x->what == CONSTRAINT_STOP)
		t->stop = (struct index_entry){ .state = INDEX_SENT, .source = e->rank, .where = e->where };
}

/* Does a start other than E follow STOP, which is later than E, so that STOP more likely belongs to it? */
static bool
has_own_start(const struct entity *t, const struct node *stop, const struct node *e, const struct constraint *x)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct node *o = t->v[i];

		if (o != e && is_event(o, x->id, CONSTRAINT_START) && o->t >= stop->t && o->t - stop->t <= x->n)
			return true;
	}
	return false;
}

/* Is A behind E in the program's order? */
static bool
follows(const struct node *a, const struct node *e)
{
	return a->queue == e->queue && a->fifo && a->emitter == e->emitter && a->off > e->off;
}

/* The stop that must stand before the start E; NULL for none. */
static struct node *
find_stop(const struct entity *t, struct node *e, const struct constraint *x)
{
	struct node *best = NULL;

	if (t->state == ENTITY_STOPPED)
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		struct node *o = t->v[i];
		int64_t later = o->t - e->t, res = o->res > e->res ? o->res : e->res;

		if (!is_event(o, x->id, CONSTRAINT_STOP) || later < -x->n || follows(o, e))
			continue;
		if (later >= res && (t->state == ENTITY_UNKNOWN || later > x->n || has_own_start(t, o, e, x)))
			continue;
		if (!best || node_key_before(&o->key, &best->key))
			best = o;
	}
	return best;
}

/* Does E, which stands behind the start S by its time, or may, belong to the incarnation that S begins? */
static bool
is_of_start(const struct node *e, const struct node *s)
{
	const struct sort_key mine = node_key(e), its = node_key(s);

	if (e->queue == s->queue && e->fifo && e->emitter == s->emitter)
		return e->off > s->off;
	return node_key_before(&its, &mine) || s->t - e->t < (s->res < e->res ? s->res : e->res);
}

/* E belongs to an incarnation: while the start of that waits, so does E. */
static void
check_belongs(struct lifecycles *l, struct node *e, const struct constraint *x)
{
	const struct entity *t = entity_get(l, x);

	for (size_t i = 0; i < t->n; i++) {
		struct node *s = t->v[i];

		if (s != e && !s->out && is_event(s, x->id, CONSTRAINT_START) && is_of_start(e, s))
			dag_wait_on(l->env.dag, e, s, CONSTRAINT_LIFECYCLE, x->rule);
	}
}

/* The stop may be later than the start E by the rule's window, and then come as late as any record. */
static void
await_stop(struct lifecycles *l, struct node *e, const struct constraint *x)
{
	if (!e->waited && !e->backlog)
		e->awaits_ms = e->arrived_ms + x->n / 1000000;
	exchange_wait_once(l->env.exchange, e, missing_id(x), x);
}

static void
lifecycle_check_due(void *state, struct node *e, const struct constraint *x, bool again)
{
	struct lifecycles *l = state;
	struct entity *t;
	struct node *stop;

	if (x->what == CONSTRAINT_BELONGS && !again)
		check_belongs(l, e, x);
	if (x->what != CONSTRAINT_START || again)
		return;
	t = entity_get(l, x);
	stop = find_stop(t, e, x);
	if (t->state == ENTITY_STOPPED)
		dag_tell_sent(l->env.dag, e, &t->stop, 0, CONSTRAINT_LIFECYCLE, x->rule);
	if (!stop) {
		if (t->state == ENTITY_STARTED)
			await_stop(l, e, x);
	} else if (stop != e && !stop->out) {
		dag_wait_on(l->env.dag, e, stop, (enum constraint_class)x->class, x->rule);
	}
}

static void
lifecycle_release(void *state)
{
	struct lifecycles *l = state;

	for (size_t i = 0; i < l->entities.cap; i++) {
		struct entity *t = (struct entity *)(uintptr_t)l->entities.v[i].value;

		if (l->entities.v[i].id && t) {
			free(t->v);
			free(t);
		}
	}
	idmap_release(&l->entities);
	free(l);
}

const struct kind lifecycle_kind = {
	.name = "lifecycle",
	.takes = KIND_TAKES(CONSTRAINT_STOP) | KIND_TAKES(CONSTRAINT_START) | KIND_TAKES(CONSTRAINT_BELONGS),
	.open = lifecycle_open, .window_ns = lifecycle_window, .admit = lifecycle_admit,
	.check_due = lifecycle_check_due, .retire = lifecycle_retire, .release = lifecycle_release,
};
