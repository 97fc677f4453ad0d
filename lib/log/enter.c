/* A record comes in, of log/order.h: its edges tie it to those that are here. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "log/census.h"
#include "record/matcher.h"
#include "log/node.h"

void
order_need(struct order *o, struct node *e, uint64_t id, enum constraint_class class, uint16_t rule, bool quiet)
{
	uint64_t *slot;
	struct wait *w;

	if (o->spec->census && census_is_unsent(o->spec->census, id)) {
		o->count->unmatched++;
		order_mark(e, "unmatched");
		return;
	}
	if (order_was_sent(o, id, e->r.t))
		return;
	slot = ids_put(&o->ids, id);
	if ((*slot & TAGS) == TAG_HERE && untag(*slot) == e)
		return;
	w = order_wait_new(o, e, id, class, rule);
	w->quiet = quiet;
	if ((*slot & TAGS) == TAG_HERE) {
		order_provide(o, w, untag(*slot));
		return;
	}
	w->next = untag(*slot);
	*slot = tagged(w, TAG_WANTED);
	order_stuck_push(o, e);
}

/* The waits W are for E. */
static void
answer(struct order *o, struct node *e, struct wait *w)
{
	for (struct wait *next; w; w = next) {
		next = w->next;
		if (w->waiter == e)
			order_settle(o, w);
		else if (!w->done)
			order_provide(o, w, e);
	}
}

void
order_answer(struct order *o, struct node *e, uint64_t id)
{
	uint64_t *slot = ids_find(&o->ids, id);

	if (!slot || (*slot & TAGS) != TAG_WANTED)
		return;
	answer(o, e, untag(*slot));
	*ids_put(&o->ids, id) = 0;
}

/* SLOT's record sends ID, and so does E: who is first is waited for, as far as can be told before one is out. */
static void
again(struct order *o, struct node *e, uint64_t *slot, uint64_t id)
{
	struct node *other = untag(*slot);
	struct place mine = node_place(e), its = node_place(other);

	if (!place_before(&mine, &its))
		return;
	*slot = tagged(e, TAG_HERE);
	order_provide_instead(o, other, e, id);
}

static void
sends(struct order *o, struct node *e, uint64_t id)
{
	uint64_t *slot, lost;
	struct wait *w;

	if (order_was_sent(o, id, e->r.t))
		return;			/* the first one counts */
	slot = ids_put(&o->ids, id);
	if ((*slot & TAGS) == TAG_HERE) {
		again(o, e, slot, id);
		return;
	}
	w = (*slot & TAGS) == TAG_WANTED ? untag(*slot) : NULL;
	*slot = tagged(e, TAG_HERE);
	answer(o, e, w);
	lost = tally_take(&o->lost, id);
	if (lost) {
		o->count->late += (int64_t)lost;
		order_mark(e, "late");
	}
}

/* Its turn was before that of a record which is out. */
static void
come_late(struct order *o, struct node *e)
{
	o->count->late++;
	order_mark(e, "late");
}

static bool
has_number(const struct node *e)
{
	for (size_t i = 0; i < e->edges.n; i++)
		if (e->edges.v[i].what == CONSTRAINT_SEQUENCE && !e->edges.v[i].own)
			return true;
	return false;
}

static bool
is_out(const struct order *o, const uint64_t *slot, int64_t ns)
{
	return slot && (*slot & TAGS) == TAG_OUT && order_is_remembered(o, *slot, ns);
}

/* Journals of several units are followed one by one, as they come. */
static void
in_series(struct order *o, struct node *e, const struct constraint *x)
{
	const uint64_t *last = ids_find(&o->numbers, x->id), *next;
	uint64_t id = rule_tick_id(x->id, x->n);

	series_enter(o, e, x);
	next = x->what == CONSTRAINT_SEQUENCE ? ids_find(&o->ids, rule_tick_id(x->id, x->n + 1)) : NULL;
	if (x->what == CONSTRAINT_SEQUENCE && is_out(o, ids_find(&o->ids, id), e->r.t))
		return;			/* the first one counts */
	if ((x->what == CONSTRAINT_SEQUENCE ? !o->live || !x->sparse : !o->live && !has_number(e)) &&
	    ((last && !x->own && (int64_t)*last > x->n + 1) || is_out(o, next, e->r.t)))
		come_late(o, e);
	if (x->what == CONSTRAINT_MONO)
		return;
	sends(o, e, id);
	/* With a census it is known whether the one before it is still to come. */
	id = rule_tick_id(x->id, x->n - 1);
	if (o->spec->census && !x->sparse && x->n > 0 && !census_is_unsent(o->spec->census, id))
		order_need(o, e, id, CONSTRAINT_CLOCK, UINT16_MAX, true);
}

/*
 * A clock that has got further has passed by there, unless that record is known
 * to be still to come.
 */
static void
has_seen(struct order *o, struct node *e, const struct constraint *x)
{
	const struct census *census = o->spec->census;
	uint64_t id = rule_tick_id(x->id, x->n);
	const uint64_t *reached = ids_find(&o->clocks, x->id), *slot = ids_find(&o->ids, id);

	if (!reached || (int64_t)*reached < x->n || (slot && (*slot & TAGS) == TAG_HERE) ||
	    (census && !census_is_unsent(census, id)))
		order_need(o, e, id, CONSTRAINT_CLOCK, UINT16_MAX, false);
}

static void
ticks(struct order *o, struct node *e, const struct constraint *x)
{
	const uint64_t *reached = ids_find(&o->clocks, x->id);
	uint64_t id = rule_tick_id(x->id, x->n);

	if (reached && (int64_t)*reached > x->n && !tally_has(&o->lost, id))
		come_late(o, e);
	sends(o, e, id);
}

static void
enter(struct order *o, struct node *e)
{
	for (size_t i = 0; i < e->edges.n; i++) {
		const struct constraint *x = &e->edges.v[i];

		switch (x->what) {
		case CONSTRAINT_SEND:
			sends(o, e, x->id);
			break;
		case CONSTRAINT_NEED:
			order_need(o, e, x->id, (enum constraint_class)x->class, x->rule, false);
			break;
		case CONSTRAINT_CLOCK_SET:
			ticks(o, e, x);
			break;
		case CONSTRAINT_SEQUENCE:
		case CONSTRAINT_MONO:
			in_series(o, e, x);
			break;
		case CONSTRAINT_CLOCK_NEED:
			has_seen(o, e, x);
			break;
		case CONSTRAINT_CHILD:
			nesting_enter(o, e, x);
			break;
		case CONSTRAINT_END:
			break;		/* when its turn has come */
		default:
			lifecycle_enter(o, e, x);
		}
	}
}

/* Its time is that of its boot's clock, which does not jump. */
static void
by_boot(struct order *o, struct node *e, uint64_t boot, int64_t us)
{
	uint64_t *base = ids_put(&o->boots, boot);

	if (!*base)
		*base = (uint64_t)(e->r.t - us * 1000);
	e->r.t = (int64_t)*base + us * 1000;
	constraints_add(&e->edges, CONSTRAINT_MONO, CONSTRAINT_CLOCK, boot)->n = us;
}

/* What its feed knows of it. */
static void
by_meta(struct order *o, struct node *e, const struct event_meta *meta)
{
	if (meta->boot)
		by_boot(o, e, meta->boot, meta->mono_us);
	if (meta->sequence) {
		struct constraint *x = constraints_add(&e->edges, CONSTRAINT_SEQUENCE, CONSTRAINT_CLOCK, meta->sequence);

		x->n = meta->number;
		x->sparse = meta->sparse;
	}
	if (meta->gap) {
		o->count->gaps++;
		order_mark(e, "gap");
	}
}

static uint64_t
emitter_of(const struct source *s, const struct fields *fields, struct span text)
{
	struct span v = source_emitter(s, fields->v[FIELD_EMITTER], text);

	return hash_bytes(0x65, v.p ? v.p : "", v.n);
}

static void
program_order(struct order *o, struct node *e)
{
	struct lane *l = e->lane;
	struct node *last = l->last;

	if (l->by_emitter) {
		uint64_t *slot = ids_put(&l->emitters, e->emitter);

		last = (struct node *)(uintptr_t)*slot;
		*slot = (uint64_t)(uintptr_t)e;
	}
	l->last = e;
	if (l->source->fifo && last)
		order_provide(o, order_wait_new(o, e, 0, CONSTRAINT_PROGRAM, UINT16_MAX), last);
}

static struct node *
node_new(struct order *o, struct lane *l)
{
	struct node *e = o->free_nodes;
	struct constraints kept = { NULL, 0, 0 };

	if (e) {
		o->free_nodes = (struct node *)e->before;
		kept = e->edges;
	} else {
		e = xcalloc(1, sizeof *e);
	}
	*e = (struct node){ .lane = l, .edges = { kept.v, 0, kept.cap }, .serial = ++o->serial };
	return e;
}

static void
ring_push(struct lane *l, struct node *e)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;
		struct node **v = xcalloc(cap, sizeof(struct node *));

		for (size_t i = 0; i < l->n; i++)
			v[i] = l->ring[(l->head + i) & (l->cap - 1)];
		free(l->ring);
		l->ring = v;
		l->head = 0;
		l->cap = cap;
	}
	l->ring[(l->head + l->n++) & (l->cap - 1)] = e;
}

static int64_t
count_lines(const char *p, size_t n)
{
	int64_t lines = 0;

	for (const char *nl; n && (nl = memchr(p, '\n', n)); lines++) {
		n -= (size_t)(nl + 1 - p);
		p = nl + 1;
	}
	return lines;
}

/* Read one more record of L; false where there is none to be had. */
bool
order_load(struct order *o, struct lane *l)
{
	struct fields fields = { .v[0].p = NULL };
	struct node *e;
	uint64_t boot;
	int64_t us;

	if (l->ended || (l->last && l->last->r.more))
		return false;
	e = node_new(o, l);
	if (source_next(l->source, &e->r) == 0) {
		order_node_free(o, e);
		l->ended = true;
		l->backlog = false;
		return false;
	}
	if (e->r.partial)
		order_mark(e, "partial");
	e->arrived_ms = o->clock_ms;
	e->backlog = l->backlog;
	if (l->clocks)
		source_fields(l->source, e->r.p, e->r.n, &fields);
	if (l->clocks && rule_boot(&fields, &boot, &us))
		by_boot(o, e, boot, us);
	if (e->r.meta)
		by_meta(o, e, e->r.meta);
	e->behind = o->live && !e->r.inherited && e->r.t + e->r.res <= o->now_ns;
	if (o->spec->explain) {
		e->line = l->line + 1;
		l->line += count_lines(e->r.p, e->r.n);
	}
	e->place = node_place(e);
	if (e->r.t > l->newest_ns)
		l->newest_ns = e->r.t;
	o->count->inherited += e->r.inherited;
	ring_push(l, e);
	e->emitter = l->by_emitter ? emitter_of(l->source, &fields, record_text(&e->r)) : 0;
	program_order(o, e);
	if (l->rules)
		matcher_constraints(l->source->matcher, l->source, &e->r, &e->edges);
	if (l->clocks)
		rule_clocks(l->source, &fields, &e->edges);
	enter(o, e);
	if (e->unmet == 0)
		ready_push(&o->ready, e);
	return true;
}

size_t
order_bytes_held(const struct order *o)
{
	size_t n = o->ahead.cap * sizeof(struct ids_entry);

	for (unsigned i = 0; i < o->n_lanes; i++) {
		const struct lane *l = &o->lanes[i];
		const struct source *s = l->source;

		n += (l->scout && l->scout->behind ? s->hi : s->cur) - s->lo + l->n * sizeof(struct node);
	}
	return n;
}

bool
order_look_ahead(struct order *o, int64_t ns)
{
	bool any = false;

	if (ns < o->ahead_ns)
		return false;
	o->ahead_ns = INT64_MAX;
	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		if (!l->window_ns)
			continue;
		/* How much is held is summed up only now and then. */
		while (!l->ended && !l->full && l->newest_ns - l->window_ns <= ns) {
			if (!order_load(o, l))
				break;
			any = true;
			if ((l->n & 1023) == 0 && order_bytes_held(o) > o->spec->buffer)
				l->full = true;
		}
		if (!l->ended && l->newest_ns - l->window_ns < o->ahead_ns)
			o->ahead_ns = l->newest_ns - l->window_ns;
	}
	return any;
}

