/* What the scheduler says of records: to its caller, and as reasons. */
#include "causal/reason.h"
#include "causal/scheduler.h"

static void
tell_dropped(const struct dag_dropped *d, void *cookie)
{
	struct scheduler *s = cookie;
	int64_t pairs, against;
	struct scheduler_dropped x = { d->before->queue->source, d->after->queue->source, d->before->off, d->after->off,
	    reason_name(s->spec->rules, d->class, d->rule) };

	if (refutations_drop(s->refutations, d->rule, &pairs, &against) && s->spec->refuted)
		s->spec->refuted(&s->spec->rules->v[d->rule], pairs, against, s->spec->cookie);
	if (d->quiet)
		return;
	s->count->dropped++;
	if (s->spec->dropped)
		s->spec->dropped(&x, s->spec->cookie);
}

static void
tell_met(struct node *waiter, const struct node *predecessor, uint64_t id, enum constraint_class class, uint16_t rule,
    void *cookie)
{
	struct scheduler *s = cookie;

	if (s->spec->relations)
		relation_add(&waiter->relations, &(struct relation){ predecessor->where, id, predecessor->rank, rule,
		    (uint8_t)class, false });
	if (s->spec->explain)
		reason_add(waiter, &(struct reason){ s->spec->rules, s->used, class, rule, id, predecessor,
		    predecessor->queue->source->name, predecessor->where });
}

/* The source whose rank is RANK. */
static const struct source *
source_of(const struct scheduler *s, uint32_t rank)
{
	if (rank < s->n && s->queues[rank]->source->rank == rank)
		return s->queues[rank]->source;
	for (unsigned i = 0; i < s->n; i++)
		if (s->queues[i]->source->rank == rank)
			return s->queues[i]->source;
	return NULL;
}

/* A record follows one that is printed already: that of X, which is NULL where it is forgotten. */
static struct reason
sent_reason(const struct scheduler *s, const struct index_entry *x, uint64_t id, enum constraint_class class,
    uint16_t rule)
{
	const struct source *src = x ? source_of(s, x->source) : NULL;

	return (struct reason){ .rules = s->spec->rules, .used = s->used, .class = class, .rule = rule, .id = id,
	    .source = src ? src->name : NULL, .line = src ? x->where : 0 };
}

static void
tell_sent(struct node *e, const struct index_entry *x, uint64_t id, enum constraint_class class, uint16_t rule,
    void *cookie)
{
	const struct scheduler *s = cookie;
	const struct reason r = sent_reason(s, x, id, class, rule);

	if (s->spec->relations && x)
		relation_add(&e->relations, &(struct relation){ x->where, id, x->source, rule, (uint8_t)class, false });
	if (s->spec->explain)
		reason_add(e, &r);
}

void
scheduler_explain_head(struct scheduler *s, struct queue *q, const struct lane_head *h, struct printed *p)
{
	const struct reason_of of = { q, h->block, h->index };
	const struct block *b = h->block;

	buf_reset(&s->why);
	s->head_relations.n = 0;
	for (uint32_t i = b->first ? b->first[h->index] : 0; b->first && i < b->first[h->index + 1]; i++) {
		const struct constraint *x = &b->constraints[i];
		const struct index_entry *e = x->what == CONSTRAINT_NEED ? index_find(s->index, x->id) : NULL;
		struct reason r;

		if (!e || !index_is_sent(s->index, e, b->v[h->index].t))
			continue;
		if (s->spec->relations)
			relation_add(&s->head_relations, &(struct relation){ e->where, x->id, e->source, x->rule, x->class, false });
		if (!s->spec->explain)
			continue;
		r = sent_reason(s, e, x->id, (enum constraint_class)x->class, x->rule);
		reason_write(&s->why, &of, &r);
	}
	p->why = s->why.len ? s->why.s : NULL;
	p->relations = s->head_relations.v;
	p->n_relations = s->head_relations.n;
}

void
scheduler_explain_order(struct scheduler *s, struct node *e)
{
	struct queue *q = e->queue;

	if (q->fifo && !q->by_emitter && !e->reason && s->now_ns > e->t && q->passed_ns > e->t)
		reason_add(e, &(struct reason){ .class = CONSTRAINT_PROGRAM, .rule = UINT16_MAX, .source = q->source->name,
		    .line = q->passed_line });
	q->passed_ns = s->now_ns > e->t ? s->now_ns : e->t;
	q->passed_line = e->where;
}

/* What is behind a record that waits may have to be known. */
static void
tell_waits(struct node *e, void *cookie)
{
	struct scheduler *s = cookie;

	if (e->queue->newest_ns < s->behind_ns)
		s->behind_ns = e->queue->newest_ns;
}

static void
tell_unsafe(uint16_t rule, int64_t pairs, int64_t lost_sends, int64_t lost_receives, void *cookie)
{
	const struct scheduler *s = cookie;

	if (s->spec->unsafe)
		s->spec->unsafe(&s->spec->rules->v[rule], pairs, lost_sends, lost_receives, s->spec->cookie);
}

static void
tell_lost_channel(uint16_t rule, const struct node *e, void *cookie)
{
	const struct scheduler *s = cookie;

	if (s->spec->lost_channel)
		s->spec->lost_channel(&s->spec->rules->v[rule], e->queue->source, e->off, s->spec->cookie);
}

struct dag_callbacks
scheduler_dag_callbacks(struct scheduler *s)
{
	const bool told = s->spec->explain || s->spec->relations;

	return (struct dag_callbacks){ .dropped = tell_dropped, .met = told ? tell_met : NULL,
	    .sent = told ? tell_sent : NULL, .waits = tell_waits, .cookie = s };
}

struct kind_env
scheduler_kind_env(struct scheduler *s)
{
	return (struct kind_env){ s->dag, s->index, s->exchange, s->refutations, s->spec->known, s->count, s->spec->live, s->spec->verify,
	    tell_unsafe, tell_lost_channel, s };
}
