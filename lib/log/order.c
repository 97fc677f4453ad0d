#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "log/census.h"
#include "record/matcher.h"
#include "log/merge.h"
#include "log/node.h"

enum {
	IDS_CAP = 1 << 17,	/* as many ids are remembered beyond the patience, at no cost that matters */
	ID_SHOWN = 64,		/* bytes of an id that are shown, and one more */
};

uint64_t
order_out_at(int64_t ns)
{
	return (uint64_t)(ns < 0 ? 0 : ns / 1000) << 2 | TAG_OUT;
}

bool
order_is_remembered(const struct order *o, uint64_t value, int64_t ns)
{
	return o->spec->census || (int64_t)(value >> 2) * 1000 >= ns - o->spec->remember_ns;
}

bool
order_was_sent(struct order *o, uint64_t id, int64_t ns)
{
	uint64_t *slot = ids_put(&o->ids, id), sent;

	if ((*slot & TAGS) == TAG_OUT && order_is_remembered(o, *slot, ns))
		return true;
	/* By a record that is not known here, since time alone decided about it? */
	sent = o->past && (*slot & TAGS) <= TAG_OUT ? past_find(o->past, id) : 0;
	if (sent && (o->spec->census || ledger_time(sent) >= ns - o->spec->remember_ns))
		return true;
	if (sent || (*slot & TAGS) == TAG_OUT)
		bloom_add(&o->forgotten, id);
	if ((*slot & TAGS) == TAG_OUT)
		*slot = 0;
	return false;
}

static bool
keep_id(uint64_t id, uint64_t value, void *cookie)
{
	struct order *o = cookie;

	if ((value & TAGS) != TAG_OUT)
		return value != 0;
	if ((int64_t)(value >> 2) * 1000 >= o->forget_ns || (o->spec->census && census_is_early(o->spec->census, id)))
		return true;
	bloom_add(&o->forgotten, id);
	return false;
}

/* The id of W, as it is written in the record E; "" where it is not there. */
static void
id_text(const struct wait *w, const struct node *e, char out[ID_SHOWN])
{
	struct source *s = e->lane->source;
	struct record r = e->r;
	struct span id;

	r.p = source_at(s, r.off);
	id = matcher_id(s->matcher, s, record_text(&r), w->rule, w->id);
	if (id.n >= ID_SHOWN)
		id.n = ID_SHOWN - 1;
	for (size_t i = 0; i < id.n; i++)
		out[i] = id.p[i] > ' ' && id.p[i] < 0x7f ? id.p[i] : '?';
	out[id.n] = '\0';
}

static void
remember_reason(const struct order *o, struct wait *w, const struct node *provider)
{
	static const char *const kinds[] = { "clock", "program order", "message", "span", "lifecycle" };
	struct node *e = w->waiter;
	char id[ID_SHOWN] = "";

	if (w->class == CONSTRAINT_PROGRAM || w->done)
		return;
	if (w->rule != UINT16_MAX && w->id)
		id_text(w, e, id);
	if (w->rule != UINT16_MAX && w->id && !*id)
		id_text(w, provider, id);
	free(e->reason);
	e->reason = xasprintf("%s%s%s%s%s after %s:%jd", kinds[w->class], w->rule == UINT16_MAX ? "" : " ",
	    w->rule == UINT16_MAX ? "" : o->spec->rules->v[w->rule].name, *id ? " " : "", id,
	    provider->lane->source->name, (intmax_t)provider->line);
}

static void
settle_all(struct order *o, struct wait *w)
{
	for (struct wait *next; w; w = next) {
		next = w->next;
		order_settle(o, w);
	}
}

/* Nobody is told of a clock's ticks that were skipped but those who wait for them. */
static void
tick(struct order *o, const struct constraint *x)
{
	uint64_t *reached = ids_put(&o->clocks, x->id);
	int64_t from = (int64_t)*reached + 1;

	if (x->n < from)
		return;
	*reached = (uint64_t)x->n;
	if (o->spec->census)
		return;			/* none of them will come, or who waits for it does so rightly */
	for (int64_t m = x->n - from > 1000 ? x->n - 1000 : from; m < x->n; m++) {
		uint64_t *slot = ids_find(&o->ids, rule_tick_id(x->id, m));
		struct wait *w = slot && (*slot & TAGS) == TAG_WANTED ? untag(*slot) : NULL;

		if (w)
			*slot = 0;
		settle_all(o, w);
	}
}

static void
leave(struct order *o, struct node *e)
{
	for (size_t i = 0; i < e->edges.n; i++) {
		const struct constraint *x = &e->edges.v[i];
		uint64_t id = x->what == CONSTRAINT_CLOCK_SET || x->what == CONSTRAINT_SEQUENCE ? rule_tick_id(x->id, x->n) : x->id;
		uint64_t *slot;

		if (x->what >= CONSTRAINT_STOP) {
			lifecycle_leave(o, e, x);
			continue;
		}
		if (x->what == CONSTRAINT_SEQUENCE || x->what == CONSTRAINT_MONO)
			series_leave(o, e, x);
		if (x->what == CONSTRAINT_CHILD)
			nesting_begun(o, e, x);
		if (x->what == CONSTRAINT_NEED || x->what == CONSTRAINT_CLOCK_NEED || x->what == CONSTRAINT_CHILD)
			continue;
		if (x->what == CONSTRAINT_MONO) {
			slot = ids_put(&o->numbers, x->id);
			*slot = (uint64_t)x->n + 1 > *slot ? (uint64_t)x->n + 1 : *slot;
			continue;
		}
		if (x->what == CONSTRAINT_END || (x->what == CONSTRAINT_SEND && x->class == CONSTRAINT_SPAN))
			nesting_leave(o, x);
		if (x->what == CONSTRAINT_END)
			continue;
		slot = ids_put(&o->ids, id);
		if ((*slot & TAGS) == TAG_HERE && untag(*slot) != e)	/* E was the first after all */
			order_provide_instead(o, untag(*slot), e, id);
		if ((*slot & TAGS) == TAG_WANTED)	/* it is sent again, and the first time is forgotten */
			settle_all(o, untag(*slot));
		*slot = order_out_at(e->r.t);
		if (x->what == CONSTRAINT_CLOCK_SET)
			tick(o, x);
		if (x->what == CONSTRAINT_SEQUENCE)
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
	if (e->behind && !e->mark) {
		o->count->behind++;
		x.mark = "behind";
	}
	if (o->spec->wanted && !o->spec->wanted(s, &e->r, o->spec->cookie))
		return;
	/* The pieces of a long record need not be held, if nothing before it is. */
	if (e->r.more)
		s->hold = e->lane->n > 1;
	render_record(o->out, s, &x);
	s->hold = true;
	o->count->records++;
}

void
order_emit(struct order *o, struct node *e)
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

/* Live: what is known to be missing may still come, if the order of the source does not rule it out. */
static void
wait_once(struct order *o, struct node *e, uint64_t id, const struct constraint *x)
{
	if (!o->live || e->waited || !id)
		return;
	order_need(o, e, id, (enum constraint_class)x->class, x->rule, true);
	e->waited = e->unmet > 0;
	e->judged = !e->waited;
}

/* Whom its number or clock has it stand behind, NULL where that is not here. */
static struct node *
number_before(struct order *o, struct node *e, const struct constraint *x)
{
	struct node *before = series_before(o, e, x);
	const uint64_t *last = ids_find(&o->numbers, x->id);

	if (before || x->what == CONSTRAINT_MONO)
		return before;
	if (!last || !*last || (int64_t)*last >= x->n || x->sparse)
		return NULL;
	if (!e->lane->source->fifo)
		wait_once(o, e, rule_tick_id(x->id, x->n - 1), x);
	if (e->judged) {
		o->count->gaps++;
		order_mark(e, "gap");
	}
	return NULL;
}

/*
 * Asked of those that are here: who has a number before its own, the ends of
 * children before their parent's, and a stop before a start.  But for the last,
 * it is asked again when it has waited, because more may have come meanwhile.
 */
bool
order_judge(struct order *o, struct node *e)
{
	bool again = e->judged;

	e->judged = true;
	for (size_t i = 0; i < e->edges.n; i++) {
		const struct constraint *x = &e->edges.v[i];
		struct node *p = NULL;

		if (x->what == CONSTRAINT_SEQUENCE || x->what == CONSTRAINT_MONO) {
			p = again && !series_before(o, e, x) ? NULL : number_before(o, e, x);
		} else if (x->what == CONSTRAINT_END) {
			nesting_end(o, e, x);
		} else if (x->what == CONSTRAINT_START && !again) {
			p = lifecycle_stop(o, e, x);
			if (!p)
				wait_once(o, e, lifecycle_missing(o, x), x);
		}
		if (p && p != e && !p->out)
			order_provide(o, order_wait_new(o, e, 0, (enum constraint_class)x->class, x->rule), p);
	}
	return e->unmet > 0;
}

bool
order_read_beyond(struct order *o, int64_t ns)
{
	bool any = false;

	if (order_bytes_held(o) > o->spec->buffer)
		return false;
	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		for (int k = 0; k < 256 && !l->scouted && l->newest_ns <= ns && order_load(o, l); k++)
			any = true;
	}
	return any;
}

/*
 * With a census nobody gives up, so who waits for each other has to be found:
 * what is behind a record that waits is read, too, as far as half the buffer
 * goes.
 */
static bool
look_behind(struct order *o, int64_t ns)
{
	bool any = false;

	if (ns < o->behind_ns || order_bytes_held(o) > o->spec->buffer / 2)
		return false;
	o->behind_ns = INT64_MAX;
	for (unsigned i = 0; i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		if (l->n == 0 || l->ring[l->head]->heap)
			continue;
		for (int k = 0; k < 256 && l->newest_ns <= ns && order_load(o, l); k++)
			any = true;
		if (!l->ended && l->newest_ns < o->behind_ns)
			o->behind_ns = l->newest_ns;
	}
	return any;
}

/* The earliest that waits for nobody has waited long enough, or cannot go on otherwise. */
static void
resolve(struct order *o, struct node *e, bool idle)
{
	int64_t until = e->r.t + o->spec->patience_ns;

	if (o->scouts ? scout_fetch(o, e, until, idle) : order_read_beyond(o, o->spec->census && idle ? INT64_MAX : until))
		return;
	/* Who has to wait for somebody else anyway is not given up for as long. */
	order_judge(o, e);
	if (order_defer(o, e))
		return;
	if (order_bytes_held(o) > o->spec->buffer) {
		o->count->overflow++;
		order_give_up(o, e, "early");
	} else {
		order_give_up(o, e, "unmatched");
	}
}

/* The next record to go out, or NULL at the end. */
static struct node *
choose(struct order *o)
{
	for (;;) {
		struct node *top = o->ready.n ? o->ready.v[0] : NULL;
		struct node *stuck = order_stuck_first(o);

		if (order_break_suspect(o, top) || (top && (o->series.n || (stuck && o->spec->census)) &&
		    look_behind(o, top->place.t)))
			continue;
		/* First who has waited too long: behind him nothing need be read for the sake of one that is later. */
		if (stuck && order_is_time(o, stuck, top))
			resolve(o, stuck, !top);
		else if (top && order_look_ahead(o, top->place.t))
			continue;
		else if (top && !order_judge(o, top))
			return top;
		else if (!top && !order_break_cycle(o))
			return NULL;
	}
}

static bool
finds(const struct format *fmt, enum field field)
{
	return fmt->group[field] >= 0 || fmt->keys[field];
}

bool
order_has_series(const struct source *s)
{
	const struct format *f = s->fmt;

	return f->where == WHERE_EXPORT || finds(f, FIELD_BOOT) ||
	    (finds(f, FIELD_SEQ) && (!s->fifo || finds(f, FIELD_SEQID) || order_has_emitters(s)));
}

bool
order_has_clocks(const struct source *s)
{
	const struct format *f = s->fmt;

	return finds(f, FIELD_CLOCK) || order_has_series(s) || (s->fifo && !s->emitter && finds(f, FIELD_EMITTER));
}

bool
order_has_emitters(const struct source *s)
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
		    !order_has_emitters(s));
		*any |= used[i];
	}
	return used;
}

void
order_count_merged(struct causal_count *count, struct merge_count *m)
{
	count->records += m->records;
	count->inherited += m->inherited;
	*m = (struct merge_count){ 0 };
}

bool
order_is_needed(struct source **v, unsigned n, const struct rules *rules)
{
	bool any = false;

	for (unsigned i = 0; i < n && !any; i++) {
		free(order_rules_for(rules, v[i], &any));
		any |= !v[i]->fifo || order_has_clocks(v[i]) || order_has_emitters(v[i]);
	}
	return any;
}

void
order_lane_init(struct order *o, struct lane *l, struct source *s)
{
	bool *used;

	*l = (struct lane){ .source = s, .newest_ns = -FAR_NS, .scouted_ns = -FAR_NS };
	used = order_rules_for(o->spec->rules, s, &l->rules);
	if (!s->matcher)
		s->matcher = matcher_new(o->spec->rules, used);
	l->clocks = order_has_clocks(s);
	l->by_emitter = order_has_emitters(s);
	/* One of a series that is in several sources may stand behind what waits in another. */
	if (!s->fifo || l->by_emitter || (!o->live && o->n_lanes > 1 && order_has_series(s)))
		l->window_ns = o->spec->patience_ns + 1;
	/* The earliest of a series may be the last in the file, but not in a journal: only all that is there tells. */
	if (o->spec->census && l->window_ns && order_has_series(s) && !(s->fifo && s->fmt->where == WHERE_EXPORT))
		l->window_ns = FAR_NS;
	for (size_t i = 0; i < o->spec->rules->n; i++) {
		const struct rule *r = &o->spec->rules->v[i];

		if (!used[i])
			continue;
		l->asks |= r->kind == RULE_LIFECYCLE || (r->kind == RULE_SPAN && r->send);
		if (r->kind == RULE_LIFECYCLE && r->within_ns >= l->window_ns)
			l->window_ns = r->within_ns + 1;
	}
	if (o->spec->mode == ORDER_MINIMAX)
		l->window_ns = FAR_NS;
	s->hold = true;
	free(used);
}

/* What was read of L and is not out is forgotten, and will be read again. */
void
order_lane_leave(struct order *o, struct lane *l)
{
	for (size_t k = 0; k < l->n; k++) {
		struct node *e = l->ring[(l->head + k) & (l->cap - 1)];

		for (size_t i = 0; i < e->edges.n; i++) {
			const struct constraint *x = &e->edges.v[i];
			uint64_t *slot = x->what == CONSTRAINT_SEND ? ids_find(&o->ids, x->id) : NULL;

			if (slot && (*slot & TAGS) == TAG_HERE && untag(*slot) == e)
				*slot = 0;
			if (x->what == CONSTRAINT_NEED && o->spec->census && census_is_unsent(o->spec->census, x->id))
				o->count->unmatched--;
		}
		o->count->inherited -= e->r.inherited;
		if (e->heap)
			ready_remove(&o->ready, e);
		order_forget_needs(o, e);
		order_node_free(o, e);
	}
	l->source->hold = false;
	free(l->ring);
	ids_release(&l->emitters);
}

void
order_init(struct order *o, const struct order_spec *spec, struct render *out, struct causal_count *count)
{
	*o = (struct order){ .spec = spec, .out = out, .count = count, .now_ns = INT64_MIN, .forget_ns = INT64_MIN };
	o->ids.keep = keep_id;
	o->ids.cookie = o;
	o->ids.cap_min = IDS_CAP;
	nesting_init(o);
}

void
order_release(struct order *o)
{
	struct node *e;
	struct wait *w;

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
	nesting_release(o);
	series_release(o);
	ids_release(&o->ids);
	bloom_release(&o->forgotten);
	tally_release(&o->lost);
	ids_release(&o->clocks);
	ids_release(&o->numbers);
	ids_release(&o->boots);
	free(o->ready.v);
	free(o->stuck.v);
	free(o->suspects.v);
	free(o->promoted);
	free(o->path);
	free(o->reached);
}

/* What was sent so long ago that it need not be remembered? */
static void
age(struct order *o)
{
	const struct census *census = o->spec->census;
	int64_t behind = o->now_ns;

	/* Who is known to have been sent when he was needed is remembered until all have been read who may need him. */
	for (unsigned i = 0; census && i < o->n_lanes; i++)
		if (!o->lanes[i].ended && o->lanes[i].newest_ns < behind)
			behind = o->lanes[i].newest_ns;
	if (behind > -FAR_NS)
		o->forget_ns = behind - (census ? census_window(census) : o->spec->remember_ns);
}

/* Is there nothing that time does not decide, of what is here? */
static bool
is_settled(const struct order *o)
{
	for (unsigned i = 0; i < o->n_lanes; i++) {
		const struct lane *l = &o->lanes[i];

		if (l->n > 1 || (l->n == 1 && (!l->ring[l->head]->heap || l->ring[l->head]->given_up)))
			return false;
	}
	return true;
}

bool
order_go(struct order *o, struct source **v, unsigned n, int64_t until, int64_t *at)
{
	enum { NOW_AND_THEN = 256 };
	unsigned turns = 0;
	struct node *e;
	bool settled = false;

	o->ahead_ns = o->behind_ns = INT64_MIN;
	o->lanes = xcalloc(n + 1, sizeof *o->lanes);
	o->n_lanes = n;
	for (unsigned i = 0; i < n; i++)
		order_lane_init(o, &o->lanes[i], v[i]);
	/* How far a log has come is not forgotten where its times go back. */
	for (unsigned i = 0; o->reached && i < n; i++)
		o->lanes[i].newest_ns = o->reached[i];
	scout_init(o);
	for (unsigned i = 0; i < n; i++)
		order_load(o, &o->lanes[i]);
	if (o->spec->mode == ORDER_MINIMAX)
		order_minimax(o);
	while (!settled && o->out->w.error == 0 && (e = choose(o))) {
		order_emit(o, e);
		if (++turns % NOW_AND_THEN)
			continue;
		age(o);
		settled = o->now_ns >= until && is_settled(o);
	}
	if (!o->reached)
		o->reached = xcalloc(n + 1, sizeof *o->reached);
	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &o->lanes[i];

		o->reached[i] = l->newest_ns;
		if (settled)
			at[i] = l->n ? l->ring[l->head]->r.off : l->source->base + (int64_t)l->source->cur;
		order_lane_leave(o, l);
	}
	scout_release(o);
	free(o->lanes);
	o->lanes = NULL;
	o->n_lanes = 0;
	return settled;
}

void
order_run(struct source **v, unsigned n, const struct order_spec *spec, struct render *out,
    struct causal_count *count)
{
	struct order o;

	if (spec->threads && order_easily(v, n, spec, out, count))
		return;
	order_init(&o, spec, out, count);
	order_go(&o, v, n, INT64_MAX, NULL);
	order_release(&o);
}
