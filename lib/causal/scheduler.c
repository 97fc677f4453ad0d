#include <string.h>

#include "base/hash.h"
#include "causal/clockmodel.h"
#include "causal/known_ids.h"
#include "causal/scheduler.h"
#include "record/merged.h"

enum {
	NOW_AND_THEN = 256,	/* records, between two looks at what may be forgotten */
	AT_ONCE = 256,
};

/* --- a record comes in */

static void *
state_of(struct scheduler *s, unsigned kind)
{
	if (!s->states[kind]) {
		const struct kind_env env = scheduler_kind_env(s);

		s->states[kind] = kind_table[kind]->open(&env);
	}
	s->series |= kind_table[kind]->several_sources;
	return s->states[kind];
}

/* The constraints that kinds find in a record of Q by themselves. */
static void
find_constraints(struct scheduler *s, const struct queue *q, struct node *e, const struct kind_record *r)
{
	for (unsigned k = 0; k < KINDS; k++)
		if (kind_table[k]->applies && kind_table[k]->applies(q->source))
			kind_table[k]->find(e, r, KIND_OWN(k), s->count);
}

static uint64_t
emitter_of(const struct source *s, const struct domain *host, const struct fields *fields, struct span text)
{
	struct span v = source_emitter(s, fields->v[FIELD_EMITTER], text);

	if (s->merged && !s->emitter) {
		v = merged_emitter(text);
		return v.p ? hash_bytes(0x6d, v.p, v.n) : 0;
	}
	if (s->by_host && !s->emitter)
		return hash_bytes(0x68, host->name, strlen(host->name));
	return hash_bytes(0x65, v.p ? v.p : "", v.n);
}

/* The constraints of E: those of its block, and before them those that only it has. */
static void
gather_constraints(struct node *e, const struct slot *slot)
{
	const struct block *b = slot->block;
	uint32_t from = b->first ? b->first[slot->index] : 0, to = b->first ? b->first[slot->index + 1] : 0;

	/* The format's clocks come last. */
	while (!e->queue->clocks && to > from && b->constraints[to - 1].rule == UINT16_MAX)
		to--;
	if (e->own.n == 0) {
		e->v = to > from ? b->constraints + from : NULL;
		e->n = to - from;
		return;
	}
	for (uint32_t i = from; i < to; i++)
		*constraints_add(&e->own, CONSTRAINT_SEND, CONSTRAINT_CLOCK, 0) = b->constraints[i];
	e->v = e->own.v;
	e->n = e->own.n;
}

static void
program_order(struct scheduler *s, struct queue *q, struct node *e)
{
	struct node *last = q->last;

	/* A merged record that does not say where it is from follows none. */
	if (q->by_emitter && e->emitter == 0)
		return;
	if (q->by_emitter) {
		uint64_t *slot = idmap_put(&q->emitters, e->emitter);

		last = (struct node *)(uintptr_t)*slot;
		*slot = (uint64_t)(uintptr_t)e;
	}
	q->last = e;
	if (q->fifo && last && !s->spec->verify)
		dag_wait_on(s->dag, e, last, CONSTRAINT_PROGRAM, UINT16_MAX);
}

/* The node of the record in SLOT: its key, and what is known of it without its constraints. */
static struct node *
node_of(struct scheduler *s, struct queue *q, struct slot *slot)
{
	struct node *e = dag_add(s->dag);
	struct fields fields = { .v[0].p = NULL };
	struct record r;

	block_record(slot->block, slot->index, &r);
	slot->node = e;
	q->nodes++;
	e->queue = q;
	e->block = slot->block;
	e->index = slot->index;
	e->t = r.t;
	e->res = r.res;
	e->off = r.off;
	e->rank = q->source->rank;
	e->fifo = q->fifo;
	e->inherited = r.inherited;
	if (q->source->merged && merged_watermark(record_text(&r), &q->watermark_ns))
		e->control = q->has_watermark = true;
	e->arrived_ms = e->awaits_ms = s->clock_ms;
	e->backlog = q->backlog;
	if (slot->block->fields)
		block_fields(slot->block, slot->index, &fields);
	if (q->finds)
		find_constraints(s, q, e, &(struct kind_record){ q->source, record_text(&r), &fields, r.meta });
	if (q->has_emitter)
		e->emitter = emitter_of(q->source, block_domain(slot->block, slot->index, q->source), &fields, record_text(&r));
	e->where = s->lines ? block_line(slot->block, slot->index) : e->off;
	e->behind = s->spec->live && !e->inherited && e->t + e->res <= s->now_ns;
	e->key = node_key(e);
	gather_constraints(e, slot);
	return e;
}

/* What E, a record of Q, says of clocks; what was decoded before offsets changed does not count. */
static void
note_clock(struct scheduler *s, const struct queue *q, const struct node *e)
{
	const struct domain *d = block_domain(e->block, e->index, q->source);

	if (!d || e->inherited || e->block->arrived_ms < s->offsets_ms)
		return;
	for (size_t i = 0; i < e->n; i++) {
		const struct kind *kind = kind_table[kind_of(&s->kinds, &e->v[i])];

		if (e->v[i].rule != UINT16_MAX && kind->note_clock)
			kind->note_clock(s->spec->clocks, &(struct clockmodel_stamp){ d->number,
			    e->t + d->offset_ns - d->given_ns, e->res }, &e->v[i]);
	}
}

/* The next record of Q becomes a node; false where there is none. */
static bool
admit_node(struct scheduler *s, struct queue *q)
{
	struct slot *slot = queue_next(q);
	struct node *e;

	if (!slot)
		return false;
	e = node_of(s, q, slot);
	/* In a given order it is what was read last that tells how far it was read. */
	if (e->t > q->newest_ns || s->spec->verify)
		q->newest_ns = e->t;
	s->count->inherited += e->inherited && !e->control;
	program_order(s, q, e);
	if (s->spec->clocks)
		note_clock(s, q, e);
	for (size_t i = 0; i < e->n; i++) {
		const unsigned kind = kind_of(&s->kinds, &e->v[i]);
		void *state = state_of(s, kind);

		if (kind_table[kind]->admit)
			kind_table[kind]->admit(state, e, &e->v[i]);
	}
	dag_enter(s->dag, e);
	return true;
}

/* Has record K of B constraints other than its format's clocks, which come last? */
static bool
has_constraints(const struct block *b, size_t k)
{
	return b->first && b->first[k + 1] > b->first[k] && b->constraints[b->first[k]].rule != UINT16_MAX;
}

/* The records of Q, which a sorter cannot sort any more, become nodes. */
static void
leave_sorter(struct scheduler *s, struct queue *q)
{
	lane_leave(&s->lane, q);
	queue_unsort(q);
	q->lane = false;
	while (q->nodes < q->n)
		admit_node(s, q);
}

/* Read one more record of Q, which has a sorter; false where there is none. */
static bool
sort_record(struct scheduler *s, struct queue *q)
{
	struct fields fields = { .v[0].p = NULL };
	const struct block *b;
	struct record r;
	uint64_t emitter = 0;
	size_t k;

	if (q->ended || q->open)
		return false;
	if (cursor_peek(q->cursor, q->number, &b, &k) != 1) {
		q->ended = true;
		return false;
	}
	if (has_constraints(b, k)) {
		if (q->by_emitter)
			leave_sorter(s, q);
		return admit_node(s, q);
	}
	if (q->by_emitter) {
		if (b->fields)
			block_fields(b, k, &fields);
		block_record(b, k, &r);
		emitter = emitter_of(q->source, block_domain(b, k, q->source), &fields, record_text(&r));
		emitter += emitter == 0;
		if (sorter_may_advance(q->sorter, b, k, emitter)) {
			leave_sorter(s, q);
			return admit_node(s, q);
		}
	}
	queue_sort(q, b, k, emitter);
	return lane_enter(&s->lane, q);
}

bool
scheduler_admit(struct scheduler *s, struct queue *q)
{
	if (q->sorter)
		return sort_record(s, q);
	if (q->lane)
		lane_leave(&s->lane, q);
	return admit_node(s, q);
}

void
scheduler_begin(struct scheduler *s, struct queue *q)
{
	if (q->sorter && sorter_count(q->sorter) == 0)
		scheduler_admit(s, q);
	if (!q->lane || !lane_enter(&s->lane, q))
		scheduler_admit(s, q);
}

int
scheduler_fetch(struct scheduler *s, struct queue *q)
{
	struct lane_head *h = &s->lane.heads[q->number];
	bool is_head = q->n == 0 && h->block;
	int r = queue_fetch(q);

	if (r == 1 && is_head)
		h->queued = true;
	return r;
}

size_t
scheduler_bytes_held(const struct scheduler *s)
{
	size_t n = s->lookahead_bytes;

	for (unsigned i = 0; i < s->n; i++)
		n += s->queues[i]->bytes + s->queues[i]->nodes * sizeof(struct node) +
		    (s->queues[i]->sorter ? sorter_bytes(s->queues[i]->sorter) : 0);
	return n;
}

bool
scheduler_look_ahead(struct scheduler *s, int64_t ns)
{
	bool any = false;

	if (ns < s->ahead_ns)
		return false;
	s->ahead_ns = INT64_MAX;
	for (unsigned i = 0; i < s->n; i++) {
		struct queue *q = s->queues[i];

		if (!q->window_ns)
			continue;
		/* How much is held is summed up only now and then. */
		while (!q->full && q->newest_ns - q->window_ns <= ns && scheduler_admit(s, q)) {
			any = true;
			if ((queue_count(q) & 1023) == 0 && scheduler_bytes_held(s) > s->spec->buffer)
				q->full = true;
		}
		if (!queue_is_drained(q) && q->newest_ns - q->window_ns < s->ahead_ns)
			s->ahead_ns = q->newest_ns - q->window_ns;
	}
	return any;
}

bool
scheduler_read_beyond(struct scheduler *s, int64_t ns)
{
	bool any = false;

	if (scheduler_bytes_held(s) > s->spec->buffer)
		return false;
	for (unsigned i = 0; i < s->n; i++) {
		struct queue *q = s->queues[i];

		for (int k = 0; k < AT_ONCE && !q->scanned && q->newest_ns <= ns && scheduler_admit(s, q); k++)
			any = true;
	}
	return any;
}

/* --- a record goes out */

bool
scheduler_check_due(struct scheduler *s, struct node *e)
{
	bool again = e->judged;

	e->judged = true;
	for (size_t i = 0; i < e->n; i++) {
		const unsigned kind = kind_of(&s->kinds, &e->v[i]);

		if (kind_table[kind]->check_due)
			kind_table[kind]->check_due(state_of(s, kind), e, &e->v[i], again);
	}
	return dag_is_blocked(e);
}

void
scheduler_forget(struct scheduler *s)
{
	const struct known_ids *p = s->spec->known;
	int64_t behind = s->now_ns;

	/* What is known to be sent when it is needed is remembered until all have been read that may need it. */
	for (unsigned i = 0; p && i < s->n; i++)
		if (!s->queues[i]->ended && s->queues[i]->newest_ns < behind)
			behind = s->queues[i]->newest_ns;
	if (behind > -QUEUE_FAR_NS)
		index_passed(s->index, behind - (p ? p->window_ns : s->spec->remember_ns));
}

/* The record K of B, of Q, is printed, or left out: nothing is read behind it before its pieces. */
static void
skip_pieces(struct queue *q, const struct block *b, size_t k)
{
	const char *p;
	size_t n;

	while (b->v[k].flags & RECORD_MORE && queue_piece(q, &p, &n))
		;
}

static void
show(struct scheduler *s, struct node *e)
{
	struct record r;
	struct printed p = { .source = e->queue->source, .record = &r, .mark = e->mark, .why = e->reason, .where = e->where,
	    .line = s->lines ? e->where : 0, .relations = e->relations.v, .n_relations = e->relations.n };
	struct fields fields;

	if (e->control)
		return;
	block_record(e->block, e->index, &r);
	r.t = e->t;
	if (s->now_ns > e->t)
		p.moved_ns = s->now_ns - e->t;
	else
		s->now_ns = e->t;
	if (e->behind && !e->mark) {
		s->count->behind++;
		p.mark = "behind";
	}
	if (s->spec->fields && e->block->fields) {
		block_fields(e->block, e->index, &fields);
		p.fields = &fields;
	}
	s->count->records += s->spec->print(&p, s->spec->cookie);
	skip_pieces(e->queue, e->block, e->index);
}

/* The next record of the emitter of E does not wait for E. */
static void
unlink_last(struct queue *q, struct node *e)
{
	if (q->last == e)
		q->last = NULL;
	if (q->by_emitter) {
		uint64_t *slot = idmap_find(&q->emitters, e->emitter);

		if (slot && *slot == (uint64_t)(uintptr_t)e)
			*slot = 0;
	}
}

static void
retire_first(struct scheduler *s, struct queue *q)
{
	dag_retire(s->dag, queue_slot(q, 0)->node);
	queue_drop(q);
}

void
scheduler_print(struct scheduler *s, struct node *e)
{
	struct queue *q = e->queue;

	if (s->spec->explain)
		scheduler_explain_order(s, e);
	show(s, e);
	e->out = true;
	for (size_t i = 0; i < e->n; i++) {
		const unsigned kind = kind_of(&s->kinds, &e->v[i]);

		if (kind_table[kind]->retire)
			kind_table[kind]->retire(state_of(s, kind), e, &e->v[i]);
	}
	dag_print(s->dag, e);
	unlink_last(q, e);
	while (q->nodes && queue_slot(q, 0)->node->out)
		retire_first(s, q);
	q->full = false;
	if (q->nodes == 0)
		scheduler_begin(s, q);
	if (++s->turns % NOW_AND_THEN == 0)
		scheduler_forget(s);
}

void
scheduler_show_head(struct scheduler *s, struct queue *q)
{
	const struct lane_head *h = &s->lane.heads[q->number];
	const struct block *b = h->block;
	struct record r;
	struct printed p = { .source = q->source, .record = &r, .where = s->lines ? block_line(b, h->index) :
	    b->base + b->v[h->index].at, .line = s->lines ? block_line(b, h->index) : 0 };
	struct fields fields;

	block_record(b, h->index, &r);
	if (s->now_ns > r.t)
		p.moved_ns = s->now_ns - r.t;
	else
		s->now_ns = r.t;
	if (s->spec->fields && b->fields) {
		block_fields(b, h->index, &fields);
		p.fields = &fields;
	}
	s->count->inherited += r.inherited;
	if ((s->spec->explain || s->spec->relations) && !s->spec->by_time && !q->sorter)
		scheduler_explain_head(s, q, h, &p);
	if (s->spec->explain) {
		q->passed_ns = s->now_ns;
		q->passed_line = block_line(b, h->index);
	}
	s->count->records += s->spec->print(&p, s->spec->cookie);
	skip_pieces(q, b, h->index);
}

void
scheduler_print_head(struct scheduler *s, struct queue *q)
{
	scheduler_show_head(s, q);
	lane_sent(&s->lane, q);
	lane_drop(&s->lane, q);
	q->full = false;
	scheduler_begin(s, q);
	if (++s->turns % NOW_AND_THEN == 0)
		scheduler_forget(s);
}

struct node *
scheduler_node(size_t i, void *cookie)
{
	struct scheduler *s = cookie;

	for (unsigned k = 0; k < s->n; k++) {
		if (i < s->queues[k]->nodes)
			return queue_slot(s->queues[k], i)->node;
		i -= s->queues[k]->nodes;
	}
	return NULL;
}
