/*
 * Vector clocks: a record of one process that carries component N of another
 * stands behind the record with which that process reached N.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/idmap.h"
#include "causal/kind.h"
#include "causal/known_ids.h"

enum { SKIPPED_MAX = 1000 };	/* values of a clock that are passed over at once and looked up */

struct vector {
	struct kind_env env;
	struct idmap reached;	/* by process: the highest value that is printed */
};

static void *
vector_open(const struct kind_env *env)
{
	struct vector *v = xcalloc(1, sizeof *v);

	v->env = *env;
	return v;
}

static int64_t
reached_count(const struct vector *v, uint64_t process)
{
	const uint64_t *n = idmap_find(&v->reached, process);

	return n ? (int64_t)*n : -1;
}

/* A clock beyond N has passed N by, unless the record with N is known to be still to come. */
static void
vector_need(struct vector *v, struct node *e, const struct constraint *x)
{
	uint64_t id = rule_tick_id(x->id, x->n);
	const struct index_entry *sender = index_find(v->env.index, id);

	if (v->env.verify || reached_count(v, x->id) < x->n || (sender && sender->state == INDEX_ADMITTED) ||
	    (v->env.known && !known_ids_is_unsent(v->env.known, id)))
		exchange_need(v->env.exchange, e, id, CONSTRAINT_CLOCK, UINT16_MAX, false);
	else
		dag_tell_sent(v->env.dag, e, sender, id, CONSTRAINT_CLOCK, UINT16_MAX);
}

static void
vector_admit(void *state, struct node *e, const struct constraint *x)
{
	struct vector *v = state;
	uint64_t id = rule_tick_id(x->id, x->n);

	if (x->what == CONSTRAINT_CLOCK_NEED) {
		vector_need(v, e, x);
		return;
	}
	/* The record after it needs it, and says so where all are in a given order. */
	if (!v->env.verify && reached_count(v, x->id) > x->n && !exchange_is_lost(v->env.exchange, id))
		exchange_late(v->env.exchange, e, NULL, x);
	exchange_send(v->env.exchange, e, id);
}

/* Values between the last one and N will not come: what waits for them does so no longer. */
static void
vector_retire(void *state, struct node *e, const struct constraint *x)
{
	struct vector *v = state;
	uint64_t *last;
	int64_t from;

	if (x->what != CONSTRAINT_CLOCK_SET)
		return;
	dag_sent(v->env.dag, e, rule_tick_id(x->id, x->n));
	last = idmap_put(&v->reached, x->id);
	from = (int64_t)*last + 1;
	if (x->n < from)
		return;
	*last = (uint64_t)x->n;
	if (v->env.known || v->env.verify)
		return;		/* it is known which of them come, or no record waits for them */
	for (int64_t n = x->n - from > SKIPPED_MAX ? x->n - SKIPPED_MAX : from; n < x->n; n++)
		dag_waive(v->env.dag, rule_tick_id(x->id, n));
}

static void
vector_release(void *state)
{
	struct vector *v = state;

	idmap_release(&v->reached);
	free(v);
}

static void
vector_ids(const struct constraint *x, uint64_t *sent, uint64_t *needed)
{
	*(x->what == CONSTRAINT_CLOCK_SET ? sent : needed) = rule_tick_id(x->id, x->n);
}

const struct kind vector_kind = {
	.name = "clock", .takes = KIND_TAKES(CONSTRAINT_CLOCK_SET) | KIND_TAKES(CONSTRAINT_CLOCK_NEED), .ids = vector_ids,
	.open = vector_open, .admit = vector_admit, .retire = vector_retire, .release = vector_release,
};
