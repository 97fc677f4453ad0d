#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/lookahead.h"
#include "causal/scheduler.h"

enum {
	QUEUE_BITS = 16,		/* of a value: the queue, and above it the offset */
	AT_ONCE = 256,			/* records */
};

struct lookahead {
	struct scheduler *scheduler;
	struct idmap ahead;		/* ids, and which record sends each */
};

/* Offset of the next record of Q that has no node; beyond all where none is known. */
static int64_t
next_offset(const struct queue *q)
{
	const struct slot *s;

	if (q->nodes == q->n)
		return INT64_MAX;
	s = queue_slot(q, q->nodes);
	return s->block->base + s->block->v[s->index].at;
}

/* Is the record of the value not admitted yet? */
static bool
is_ahead(const struct lookahead *l, uint64_t value)
{
	return (int64_t)(value >> QUEUE_BITS) >= next_offset(l->scheduler->queues[value & ((1U << QUEUE_BITS) - 1)]);
}

static bool
keep_ahead(uint64_t id, uint64_t value, void *cookie)
{
	(void)id;
	return is_ahead(cookie, value);
}

struct lookahead *
lookahead_new(struct scheduler *s)
{
	struct lookahead *l;
	bool any = false;

	/* Which stop belongs before a start, or which spans are within another, is asked of admitted records. */
	for (unsigned i = 0; i < s->n; i++)
		if (s->queues[i]->asks)
			return NULL;
	if (s->spec->minimax || s->spec->live || s->spec->known || s->n >= 1U << QUEUE_BITS)
		return NULL;
	for (unsigned i = 0; i < s->n; i++) {
		struct queue *q = s->queues[i];

		q->scanned = !q->clocks && !q->window_ns;
		any |= q->scanned;
	}
	if (!any)
		return NULL;
	l = xcalloc(1, sizeof *l);
	l->scheduler = s;
	l->ahead.keep = keep_ahead;
	l->ahead.cookie = l;
	return l;
}

void
lookahead_free(struct lookahead *l)
{
	if (l)
		idmap_release(&l->ahead);
	free(l);
}

/* What the record in SLOT of Q sends. */
static void
remember_sends(struct lookahead *l, const struct queue *q, const struct slot *slot)
{
	const struct block *b = slot->block;
	const uint64_t value = (uint64_t)(b->base + b->v[slot->index].at) << QUEUE_BITS | q->number;

	if (!b->first)
		return;
	for (uint32_t i = b->first[slot->index]; i < b->first[slot->index + 1]; i++) {
		uint64_t *known;

		if (b->constraints[i].what != CONSTRAINT_SEND)
			continue;
		known = idmap_put(&l->ahead, b->constraints[i].id);
		if (!*known || !is_ahead(l, *known))
			*known = value;
	}
	l->scheduler->lookahead_bytes = l->ahead.cap * sizeof(struct idmap_entry);
}

/* Look through some more of Q, up to beyond NS; false where there is no more. */
static bool
queue_look_ahead(struct lookahead *l, struct queue *q, int64_t ns)
{
	bool any = false;

	if (q->seen_ns > ns || !q->rules)
		return false;
	for (int k = 0; k < AT_ONCE && q->seen_ns <= ns && scheduler_fetch(l->scheduler, q); k++) {
		remember_sends(l, q, queue_slot(q, q->n - 1));
		any = true;
	}
	return any;
}

/*
 * If it is known where an id is sent that E waits for, admit that record, or some
 * of those before it; but as long as others can be printed it mostly comes by itself.
 */
static bool
fetch_sender(struct lookahead *l, struct node *e, int64_t ns, bool idle)
{
	uint64_t id;

	for (unsigned i = 0; (id = dag_absent_id(e, i)); i++) {
		const uint64_t *known = idmap_find(&l->ahead, id);
		struct queue *q;
		bool any = false;

		if (!known || !is_ahead(l, *known))
			continue;
		if (!idle && dag_requeue(l->scheduler->dag, e, ns))
			return true;
		q = l->scheduler->queues[*known & ((1U << QUEUE_BITS) - 1)];
		for (int k = 0; k < AT_ONCE && is_ahead(l, *known) && scheduler_admit(l->scheduler, q); k++)
			any = true;
		if (any)
			return true;
	}
	return false;
}

bool
lookahead_fetch(struct lookahead *l, struct node *e, int64_t ns, bool idle)
{
	struct scheduler *s = l->scheduler;

	for (bool any = true; any;) {
		if (scheduler_bytes_held(s) > s->spec->buffer)
			return false;
		if (fetch_sender(l, e, ns, idle))
			return true;
		any = false;
		for (unsigned i = 0; i < s->n; i++)
			if (s->queues[i]->scanned)
				any |= queue_look_ahead(l, s->queues[i], ns);
	}
	return scheduler_read_beyond(s, ns);
}
