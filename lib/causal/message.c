/* Messages: a record that receives an id stands behind the one that sends it. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/kind.h"

static void *
message_open(const struct kind_env *env)
{
	struct kind_env *m = xcalloc(1, sizeof *m);

	*m = *env;
	return m;
}

static void
message_admit(void *state, struct node *e, const struct constraint *x)
{
	const struct kind_env *m = state;

	if (x->what == CONSTRAINT_SEND)
		exchange_send(m->exchange, e, x->id);
	else if (x->soft && refutations_has(m->refutations, x->rule))
		return;
	else if (!x->soft || !m->live || e->backlog)
		exchange_need(m->exchange, e, x->id, (enum constraint_class)x->class, x->rule, x->soft);
}

/* Live: what may never come is not waited for; but what came while the record was held stands before it. */
static void
message_check_due(void *state, struct node *e, const struct constraint *x, bool again)
{
	const struct kind_env *m = state;
	const struct index_entry *sent;

	if (!x->soft || !m->live || e->backlog || again || x->what != CONSTRAINT_NEED || refutations_has(m->refutations, x->rule))
		return;
	sent = dag_entry(m->dag, x->id);
	if (sent && sent->state != INDEX_NONE && sent->state != INDEX_WANTED)
		exchange_need(m->exchange, e, x->id, (enum constraint_class)x->class, x->rule, true);
}

static void
message_retire(void *state, struct node *e, const struct constraint *x)
{
	const struct kind_env *m = state;

	if (x->what == CONSTRAINT_SEND)
		dag_sent(m->dag, e, x->id);
	else if (x->soft)
		refutations_follow(m->refutations, x->rule);
}

static void
message_ids(const struct constraint *x, uint64_t *sent, uint64_t *needed)
{
	*(x->what == CONSTRAINT_SEND ? sent : needed) = x->id;
}

static void
message_clock(struct clockmodel *m, const struct clockmodel_stamp *at, const struct constraint *x)
{
	(x->what == CONSTRAINT_SEND ? clockmodel_sent : clockmodel_needed)(m, at, x->id);
}

const struct kind message_kind = {
	.name = "message", .takes = KIND_TAKES(CONSTRAINT_SEND) | KIND_TAKES(CONSTRAINT_NEED),
	.takes_of_spans = KIND_TAKES(CONSTRAINT_NEED), .ids = message_ids, .note_clock = message_clock,
	.open = message_open, .admit = message_admit, .check_due = message_check_due, .retire = message_retire, .release = free,
};
