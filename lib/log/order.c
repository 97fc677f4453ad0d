#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "log/census.h"
#include "log/merge.h"
#include "log/node.h"

enum { IDS_CAP = 1 << 17 };	/* as many ids are remembered beyond the patience, at no cost that matters */

/* Times as a value: microseconds, not below zero. */
static uint64_t
out_at(int64_t ns)
{
	return (uint64_t)(ns < 0 ? 0 : ns / 1000) << 2 | TAG_OUT;
}

static bool
keep_id(uint64_t value, void *cookie)
{
	const struct order *o = cookie;

	return (value & TAGS) != TAG_OUT || o->spec->census ||
	    (int64_t)(value >> 2) * 1000 >= o->now_ns - o->spec->patience_ns;
}

static void
remember_reason(const struct order *o, struct wait *w, const struct node *provider)
{
	static const char *const kinds[] = { "clock", "program order", "message", "span", "lifecycle" };
	struct node *e = w->waiter;

	if (w->class == EDGE_PROGRAM || w->done)
		return;
	free(e->reason);
	e->reason = xasprintf("%s%s%s after %s:%jd", kinds[w->class], w->rule == UINT16_MAX ? "" : " ",
	    w->rule == UINT16_MAX ? "" : o->spec->rules->v[w->rule].name, provider->lane->source->name,
	    (intmax_t)provider->line);
}

/* Nobody is told of a clock's ticks that were skipped but those who wait for them. */
static void
tick(struct order *o, const struct edge *x)
{
	uint64_t *reached = ids_put(&o->clocks, x->id);
	int64_t from = (int64_t)*reached + 1;

	if (x->n < from)
		return;
	*reached = (uint64_t)x->n;
	for (int64_t m = x->n - from > 1000 ? x->n - 1000 : from; m < x->n; m++) {
		uint64_t *slot = ids_find(&o->ids, rule_tick_id(x->id, m));
		struct wait *w = slot && (*slot & TAGS) == TAG_WANTED ? untag(*slot) : NULL;

		if (w)
			*slot = 0;
		for (struct wait *next; w; w = next) {
			next = w->next;
			order_settle(o, w);
		}
	}
}

static void
leave(struct order *o, struct node *e)
{
	for (size_t i = 0; i < e->edges.n; i++) {
		const struct edge *x = &e->edges.v[i];
		uint64_t id = x->what == EDGE_TICK || x->what == EDGE_NUMBER ? rule_tick_id(x->id, x->n) : x->id;
		uint64_t *slot;

		if (x->what >= EDGE_STOP) {
			lifecycle_leave(o, e, x);
			continue;
		}
		if (x->what == EDGE_NEED || x->what == EDGE_SEEN)
			continue;
		slot = ids_find(&o->ids, id);
		if (slot && (*slot & TAGS) == TAG_HERE && untag(*slot) == e)
			*slot = out_at(e->r.t > o->now_ns ? e->r.t : o->now_ns);
		if (x->what == EDGE_TICK)
			tick(o, x);
		if (x->what == EDGE_NUMBER)
			*ids_put(&o->numbers, x->id) = (uint64_t)x->n + 1;
	}
	for (struct wait *w = e->before, *next; w; w = next) {
		next = w->next;
		if (o->spec->explain)
			remember_reason(o, w, e);
		order_settle(o, w);
		w->provider = NULL;
	}
	e->before = NULL;
}

/* Nobody is to find E any more: its emitter's next record does not wait for it. */
static void
unlink_last(struct lane *l, struct node *e)
{
	if (l->last == e)
		l->last = NULL;
	if (l->by_emitter) {
		uint64_t *slot = ids_find(&l->emitters, e->emitter);

		if (slot && *slot == (uint64_t)(uintptr_t)e)
			*slot = 0;
	}
}

static void
show(struct order *o, struct node *e)
{
	struct source *s = e->lane->source;
	struct shown x = { .source = s, .record = &e->r, .mark = e->mark, .why = e->reason };

	e->r.p = source_at(s, e->r.off);
	if (o->now_ns > e->r.t)
		x.moved_ns = o->now_ns - e->r.t;
	else
		o->now_ns = e->r.t;
	if (o->spec->wanted && !o->spec->wanted(s, &e->r, o->spec->cookie))
		return;
	/* The pieces of a long record need not be held, if nothing before it is. */
	if (e->r.more)
		s->hold = e->lane->n > 1;
	render_record(o->out, s, &x);
	s->hold = true;
	o->count->records++;
}

static void
emit(struct order *o, struct node *e)
{
	struct lane *l = e->lane;

	ready_remove(&o->ready, e);
	show(o, e);
	e->out = true;
	leave(o, e);
	order_forget_needs(o, e);
	unlink_last(l, e);
	while (l->n && l->ring[l->head]->out) {
		order_node_free(o, l->ring[l->head]);
		l->head = (l->head + 1) & (l->cap - 1);
		l->n--;
	}
	source_release(l->source, l->n ? l->ring[l->head]->r.off : l->source->base + (int64_t)l->source->cur);
	l->full = false;
	if (l->n == 0)
		order_load(o, l);
}

/*
 * What counts only when a record's turn has come, because it is asked of those
 * that are here: its number's predecessor, and a stop before a start.  true:
 * it has to wait after all.
 */
static bool
judge(struct order *o, struct node *e)
{
	e->judged = true;
	for (size_t i = 0; i < e->edges.n; i++) {
		const struct edge *x = &e->edges.v[i];
		struct node *p = NULL;
		const uint64_t *slot, *last;

		if (x->what == EDGE_START) {
			p = lifecycle_stop(o, e, x);
		} else if (x->what == EDGE_NUMBER && x->n > 0) {
			slot = ids_find(&o->ids, rule_tick_id(x->id, x->n - 1));
			last = ids_find(&o->numbers, x->id);
			if (slot && (*slot & TAGS) == TAG_HERE)
				p = untag(*slot);
			else if (last && *last && (int64_t)*last < x->n) {
				o->count->gaps++;
				order_mark(e, "gap");
			}
		}
		if (p && p != e && !p->out)
			order_provide(o, order_wait_new(o, e, 0, (enum edge_class)x->class, x->rule), p);
	}
	return e->unmet > 0;
}

static void
drop(struct order *o, struct wait *w)
{
	static const char *const kinds[] = { "clock", "program order", "message", "span", "lifecycle" };
	struct order_dropped d = { w->provider->lane->source, w->waiter->lane->source, w->provider->r.off,
	    w->waiter->r.off, w->rule == UINT16_MAX ? kinds[w->class] : o->spec->rules->v[w->rule].name };

	o->count->dropped++;
	order_mark(w->waiter, "cycle");
	if (o->spec->dropped)
		o->spec->dropped(&d, o->spec->cookie);
	for (struct wait **p = &w->provider->before; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			break;
		}
	w->provider = NULL;
	order_settle(o, w);
}

/* Read all lanes that can be read beyond NS, a little at least; false where nothing came. */
static bool
read_beyond(struct order *o, int64_t ns)
{
	bool any = false;

	if (order_bytes_held(o) > o->spec->buffer)
		return false;
	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		for (int k = 0; k < 256 && l->newest_ns <= ns && order_load(o, l); k++)
			any = true;
	}
	return any;
}

/* The earliest that waits for nobody has waited long enough, or cannot go on otherwise. */
static void
resolve(struct order *o, struct node *e, bool idle)
{
	int64_t until = e->r.t + o->spec->patience_ns;

	if (read_beyond(o, o->spec->census && idle ? INT64_MAX : until))
		return;
	if (order_bytes_held(o) > o->spec->buffer) {
		o->count->overflow++;
		order_give_up(o, e, "early");
	} else {
		order_give_up(o, e, "unmatched");
	}
}

/* All wait for each other. */
static bool
break_cycle(struct order *o)
{
	o->visit++;
	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		for (size_t k = 0; k < l->n; k++) {
			struct node *e = l->ring[(l->head + k) & (l->cap - 1)];
			struct wait *w = e->out || e->visited == o->visit ? NULL : node_weakest(e, o->visit);

			if (w) {
				drop(o, w);
				return true;
			}
		}
	}
	return false;
}

/* The next record to go out, or NULL at the end. */
static struct node *
choose(struct order *o)
{
	for (;;) {
		struct node *top = o->ready.n ? o->ready.v[0] : NULL;
		struct node *stuck = order_stuck_first(o);

		/* First who has waited too long: behind him nothing need be read for the sake of one that is later. */
		if (stuck && (!top || (!o->spec->census && top->place.t > stuck->r.t + o->spec->patience_ns)))
			resolve(o, stuck, !top);
		else if (top && order_look_ahead(o, top->place.t))
			continue;
		else if (top && (top->judged || !judge(o, top)))
			return top;
		else if (!top && !break_cycle(o))
			return NULL;
	}
}

static bool
finds(const struct format *fmt, enum field field)
{
	return fmt->group[field] >= 0 || fmt->keys[field];
}

static bool
has_clocks(const struct source *s)
{
	const struct format *f = s->fmt;

	return finds(f, FIELD_CLOCK) || finds(f, FIELD_BOOT) || f->where == WHERE_EXPORT ||
	    (finds(f, FIELD_SEQ) && (!s->fifo || finds(f, FIELD_SEQID))) ||
	    (s->fifo && !s->emitter && finds(f, FIELD_EMITTER));
}

static bool
has_emitters(const struct source *s)
{
	return s->fifo && (s->emitter || (finds(s->fmt, FIELD_EMITTER)));
}

bool *
order_rules_for(const struct rules *rules, const struct source *s, bool *any)
{
	bool *used = xcalloc(rules->n + 1, sizeof *used);

	*any = false;
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *r = &rules->v[i];

		/* The incarnations of one program in one file are in order already. */
		used[i] = rule_is_for(r, s->fmt) && !(r->kind == RULE_LIFECYCLE && rule_is_of_source(r) && s->fifo &&
		    !has_emitters(s));
		*any |= used[i];
	}
	return used;
}

bool
order_is_needed(struct source **v, unsigned n, const struct rules *rules)
{
	bool any = false;

	for (unsigned i = 0; i < n && !any; i++) {
		free(order_rules_for(rules, v[i], &any));
		any |= !v[i]->fifo || has_clocks(v[i]) || has_emitters(v[i]);
	}
	return any;
}

static void
lane_init(struct order *o, struct lane *l, struct source *s)
{
	*l = (struct lane){ .source = s, .newest_ns = -FAR_NS };
	l->used = order_rules_for(o->spec->rules, s, &l->rules);
	l->clocks = has_clocks(s);
	l->by_emitter = has_emitters(s);
	if (!s->fifo || l->by_emitter)
		l->window_ns = o->spec->patience_ns + 1;
	for (size_t i = 0; i < o->spec->rules->n; i++)
		if (l->used[i] && o->spec->rules->v[i].kind == RULE_LIFECYCLE &&
		    o->spec->rules->v[i].within_ns >= l->window_ns)
			l->window_ns = o->spec->rules->v[i].within_ns + 1;
	if (o->spec->mode == ORDER_MINIMAX)
		l->window_ns = FAR_NS;
	s->hold = true;
}

static void
release(struct order *o)
{
	struct node *e;
	struct wait *w;

	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		for (size_t k = 0; k < l->n; k++) {
			e = l->ring[(l->head + k) & (l->cap - 1)];
			order_forget_needs(o, e);
			order_node_free(o, e);
		}
		free(l->ring);
		free(l->used);
		ids_release(&l->emitters);
	}
	while ((e = o->free_nodes)) {
		o->free_nodes = (struct node *)e->before;
		free(e->edges.v);
		free(e);
	}
	while ((w = o->free_waits)) {
		o->free_waits = w->next;
		free(w);
	}
	lifecycle_release(o);
	ids_release(&o->ids);
	ids_release(&o->lost);
	ids_release(&o->clocks);
	ids_release(&o->numbers);
	ids_release(&o->boots);
	free(o->ready.v);
	free(o->stuck);
	free(o->promoted);
	free(o->lanes);
}

/* From where V stand; IDS, which is taken over, says what was before. */
static void
run(struct source **v, unsigned n, const struct order_spec *spec, struct render *out, struct order_count *count,
    struct ids *ids, int64_t now_ns)
{
	struct order o = { .spec = spec, .out = out, .count = count, .now_ns = now_ns, .ahead_ns = INT64_MIN };
	struct node *e;

	if (ids)
		o.ids = *ids;
	o.ids.keep = keep_id;
	o.ids.cookie = &o;
	o.ids.cap_min = IDS_CAP;
	o.lanes = xcalloc(n + 1, sizeof *o.lanes);
	for (unsigned i = 0; i < n; i++)
		lane_init(&o, &o.lanes[i], v[i]);
	o.n_lanes = n;
	for (unsigned i = 0; i < n; i++)
		order_load(&o, &o.lanes[i]);
	if (spec->mode == ORDER_MINIMAX)
		order_minimax(&o);
	while (out->error == 0 && (e = choose(&o)))
		emit(&o, e);
	release(&o);
}

/*
 * Most logs are in causal order by time but for a few places.  So they are
 * merged by time, by several workers, while what each record sends and needs
 * is written down; and as long as nothing is needed before it was sent, that is
 * just what run() would have made of it.  At the first range where something
 * is, run() takes over.
 */
struct easy {
	const struct order_spec *spec;
	struct render *out;
	struct order_count *count;
	bool **used;			/* by rank: which rules are for the source */
	struct order known;		/* its ids and time alone */
};

static void
note(struct source *s, const struct record *r, struct edges *edges, void *cookie)
{
	const struct easy *e = cookie;
	struct span text = { r->p, r->n };

	while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	rule_edges(e->spec->rules, e->used[s->rank], s, text, edges);
}

static bool
is_in_order(struct edges *edges, int64_t newest_ns, void *cookie)
{
	enum { AHEAD = 16 };		/* so many places are on their way from memory */
	struct easy *e = cookie;
	const struct census *census = e->spec->census;
	struct ids *ids = &e->known.ids;
	int64_t unmatched = 0;
	size_t i, bad = edges->n;

	for (i = 0; i < edges->n && bad == edges->n; i++) {
		struct edge *x = &edges->v[i];
		uint64_t *slot;

		if (i + AHEAD < edges->n) {
			ids_prefetch(ids, edges->v[i + AHEAD].id);
			if (census)
				census_prefetch(census, edges->v[i + AHEAD].id);
		}
		x->n = 0;
		if (census && !census_is_matched(census, x->id)) {
			unmatched += x->what == EDGE_NEED;
		} else if (x->what == EDGE_SEND) {
			slot = ids_put(ids, x->id);
			/* What is new can be taken back, if the range is not accepted. */
			x->n = *slot == 0;
			if (x->n)
				*slot = out_at(newest_ns);
		} else if (!(slot = ids_find(ids, x->id)) || *slot == 0) {
			bad = i;
		}
	}
	for (size_t k = 0; bad < edges->n && k < i; k++)
		if (edges->v[k].n)
			*ids_put(ids, edges->v[k].id) = 0;
	if (bad < edges->n)
		return false;
	e->count->unmatched += unmatched;
	if (newest_ns > e->known.now_ns)
		e->known.now_ns = newest_ns;
	return true;
}

static void
take_over(struct source **v, unsigned n, void *cookie)
{
	struct easy *e = cookie;

	run(v, n, e->spec, e->out, e->count, &e->known.ids, e->known.now_ns);
	e->known.ids = (struct ids){ .v = NULL };
}

/* Nothing but messages, whose patterns workers can share, in sources with an order of their own. */
static bool
is_easy(const struct easy *e, struct source **v, unsigned n)
{
	const struct order_spec *spec = e->spec;

	if (spec->threads < 2 || spec->mode != ORDER_CAUSAL || spec->explain || spec->wanted || e->out->style ||
	    e->out->line_buffered)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!v[i]->fifo || has_clocks(v[i]) || has_emitters(v[i]))
			return false;
		for (size_t k = 0; k < spec->rules->n; k++)
			if (e->used[i][k] && !rule_is_shareable(&spec->rules->v[k]))
				return false;
	}
	return true;
}

static bool
run_easy(struct source **v, unsigned n, const struct order_spec *spec, struct render *out, struct order_count *count)
{
	struct easy e = { .spec = spec, .out = out, .count = count, .used = xcalloc(n + 1, sizeof(bool *)) };
	struct merge_watch watch = { note, is_in_order, take_over, &e };
	struct merge_count merged = { 0 };
	bool any, done;

	for (unsigned i = 0; i < n; i++)
		e.used[i] = order_rules_for(spec->rules, v[i], &any);
	e.known.spec = spec;
	e.known.now_ns = INT64_MIN;
	e.known.ids.keep = keep_id;
	e.known.ids.cookie = &e.known;
	e.known.ids.cap_min = IDS_CAP;
	done = is_easy(&e, v, n) && merge_parallel(v, n, spec->threads, &watch, out, &merged);
	count->records += merged.records;
	ids_release(&e.known.ids);
	for (unsigned i = 0; i < n; i++)
		free(e.used[i]);
	free(e.used);
	return done;
}

void
order_run(struct source **v, unsigned n, const struct order_spec *spec, struct render *out,
    struct order_count *count)
{
	if (!run_easy(v, n, spec, out, count))
		run(v, n, spec, out, count, NULL, INT64_MIN);
}
