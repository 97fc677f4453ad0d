#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "log/live.h"
#include "log/node.h"

enum {
	READ_SIZE = 64 << 10,
	READ_SIZE_MANY = 16 << 10,	/* of each of more than MANY sources */
	MANY = 64,
	CYCLE_MS = 250,			/* between two looks for cycles */
	TURN_RECORDS = 20000,		/* in one go, before other callbacks have theirs */
	FOR_EVER_MS = 1 << 30,
	AHEAD_MAX = 4096,		/* records of a source that are held for others, or their order */
};

/* So much longer than otherwise, ids that were sent are remembered. */
#define FORGET_NS	INT64_C(10000000000)

struct input {
	struct live *live;
	struct source_spec spec;
	struct feed *feed;
	struct source *source;		/* NULL until something has come */
	unsigned lane;
	bool awake, failed;
	int64_t woke_ms;		/* when the bytes came that are not a record yet */
	int64_t passed;
	int64_t *done;			/* offsets of records that are out already, from the last run */
	size_t n_done;
};

struct live {
	struct live_spec spec;
	struct loop *loop;
	struct order order;
	struct input **inputs;
	size_t n_inputs, inputs_cap, lanes_cap;
	struct loop_timer turn, deadline;
	int64_t cycle_ms;		/* of the last look for cycles */
	bool draining, caught_up;
	bool (*wanted)(struct source *s, const struct record *r, void *cookie);
	void *wanted_cookie;
};

static void
input_free(struct input *in)
{
	struct fail f;

	if (in->source)
		source_close(in->source, &f);
	feed_free(in->feed);
	source_spec_release(&in->spec);
	free(in->done);
	free(in);
}

static bool
has_ended(const struct input *in)
{
	const struct source *s = in->source;

	return in->failed || (s && s->eof && s->cur == s->hi);
}

static void
wake(void *cookie)
{
	struct input *in = cookie;
	struct live *v = in->live;

	if (!in->awake)
		in->woke_ms = clock_mono_ms();
	in->awake = true;
	if (!v->turn.set)
		loop_timer_set(v->loop, &v->turn, 0);
}

static void
tell(const struct fail *f, void *cookie)
{
	struct input *in = cookie;

	in->live->spec.tell(f, in->live->spec.cookie);
}

/* Was it printed by the run before? */
static bool
is_done(const struct input *in, int64_t off)
{
	for (size_t i = 0; i < in->n_done; i++)
		if (in->done[i] == off)
			return true;
	return false;
}

static bool
wanted(struct source *s, const struct record *r, void *cookie)
{
	const struct live *v = cookie;
	const struct input *in = s->cookie;

	if (in->n_done && is_done(in, r->off))
		return false;
	return !v->wanted || v->wanted(s, r, v->wanted_cookie);
}

static void
add_lane(struct live *v, struct input *in)
{
	struct order *o = &v->order;
	const struct lane *before = o->lanes;

	o->lanes = xgrow(o->lanes, o->n_lanes, &v->lanes_cap, sizeof *o->lanes);
	for (unsigned i = 0; o->lanes != before && i < o->n_lanes; i++) {
		struct lane *l = &o->lanes[i];

		for (size_t k = 0; k < l->n; k++)
			l->ring[(l->head + k) & (l->cap - 1)]->lane = l;
	}
	in->lane = o->n_lanes++;
	order_lane_init(o, &o->lanes[in->lane], in->source);
	o->lanes[in->lane].backlog = !v->caught_up;
}

/* The first bytes are there: the format can be told. */
static void
begin(struct live *v, struct input *in)
{
	struct fail f;

	if (source_open_feed(&in->spec, v->spec.formats, v->n_inputs > MANY ? READ_SIZE_MANY : READ_SIZE, in->feed, &in->source, &f) < 0) {
		in->failed = true;
		tell(&f, in);
		return;
	}
	in->source->cookie = in;
	in->source->rank = (unsigned)v->n_inputs;
	for (size_t i = 0; i < v->n_inputs; i++)
		if (v->inputs[i] == in)
			in->source->rank = (unsigned)i;
	v->spec.opened(in->source, v->spec.cookie);
	add_lane(v, in);
}

/* How much of what is there is taken for a record, if more may belong to it. */
static enum source_accept
accepts(const struct live *v, const struct input *in)
{
	int64_t waited = v->order.clock_ms - in->woke_ms;

	if (v->draining || waited >= v->spec.patience_ms)
		return ACCEPT_ANY;
	return waited >= v->spec.hold_ms || !v->caught_up ? ACCEPT_LINES : ACCEPT_WHOLE;
}

/* What is there of IN can be read; true where it may have any. */
static bool
open_lane(struct live *v, struct input *in)
{
	struct lane *l;

	if (!in->source && !in->failed && feed_is_ready(in->feed))
		begin(v, in);
	if (!in->source)
		return false;
	l = &v->order.lanes[in->lane];
	l->ended = false;
	in->source->accept = accepts(v, in);
	if (l->n == 0)
		order_load(&v->order, l);
	/* What is held is held from when it came. */
	while (v->spec.hold_ms && !l->backlog && !l->ended && l->n < AHEAD_MAX)
		order_load(&v->order, l);
	return true;
}

/* Nothing before NS can come of L, as far as its order tells; OWN: it is that of the record that asks. */
static bool
is_beyond(const struct live *v, const struct lane *l, bool own, int64_t ns)
{
	const struct source *s = l->source;

	if (s->eof && s->cur == s->hi && (own || l->n == 0))
		return true;
	if (s->fifo && !l->by_emitter)
		return own || l->n || l->newest_ns >= ns;
	return l->newest_ns - v->spec.order.patience_ns > ns;
}

static bool
all_beyond(const struct live *v, const struct node *e, int64_t ns)
{
	for (size_t i = 0; i < v->n_inputs; i++)
		if (!v->inputs[i]->source && !v->inputs[i]->failed)
			return false;
	for (unsigned i = 0; i < v->order.n_lanes; i++) {
		const struct lane *l = &v->order.lanes[i];

		if (!is_beyond(v, l, l == e->lane, ns))
			return false;
	}
	return true;
}

/* The same of what was there at first: it is read in the time of the logs. */
static bool
backlog_is_beyond(const struct live *v, const struct node *e, int64_t ns)
{
	if (!e->backlog)
		return false;
	for (size_t i = 0; i < v->n_inputs; i++)
		if (!v->inputs[i]->source && !v->inputs[i]->failed)
			return false;
	for (unsigned i = 0; i < v->order.n_lanes; i++) {
		const struct lane *l = &v->order.lanes[i];

		if ((l != e->lane || !l->source->fifo) && !l->source->eof && l->newest_ns <= ns)
			return false;
	}
	return true;
}

static bool
all_have_ended(const struct live *v, const struct input *but)
{
	for (size_t i = 0; i < v->n_inputs; i++)
		if (v->inputs[i] != but && !has_ended(v->inputs[i]))
			return false;
	return true;
}

/* Whatever E needs, nobody can bring it: all others have ended, and its own source has nothing for it. */
static bool
is_hopeless(const struct live *v, const struct node *e)
{
	const struct lane *l = e->lane;

	return all_have_ended(v, l->source->fifo && !l->by_emitter ? l->source->cookie : NULL);
}

/* E needs what nobody has sent, and waits no longer; or it does, for others, and that is not looked at any more. */
static bool
is_overdue(struct live *v, struct node *e)
{
	bool full = order_bytes_held(&v->order) > v->spec.order.buffer;

	if (!full && !v->draining && v->order.clock_ms < e->arrived_ms + v->spec.patience_ms &&
	    !backlog_is_beyond(v, e, e->r.t + v->spec.order.patience_ns) && !is_hopeless(v, e))
		return false;
	if (order_defer(&v->order, e))
		return true;
	v->order.count->overflow += full;
	order_give_up(&v->order, e, full ? "early" : "unmatched");
	return true;
}

static bool
is_held(const struct live *v, const struct node *e)
{
	return v->spec.hold_ms && (!e->backlog || v->spec.once) && !v->draining &&
	    v->order.clock_ms < e->arrived_ms + v->spec.hold_ms && !all_beyond(v, e, e->place.t) &&
	    order_bytes_held(&v->order) <= v->spec.order.buffer;
}

/* When the first of those that are held goes; INT64_MAX for none. */
static int64_t
first_release(const struct live *v)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; v->spec.hold_ms && i < v->order.ready.n; i++) {
		int64_t at = v->order.ready.v[i]->arrived_ms + v->spec.hold_ms;

		first = at < first ? at : first;
	}
	return first;
}

static size_t
records_held(const struct live *v)
{
	size_t n = 0;

	for (unsigned i = 0; i < v->order.n_lanes; i++)
		n += v->order.lanes[i].n;
	return n;
}

/* Some may wait for each other: that is looked for only now and then. */
static bool
break_cycle(struct live *v)
{
	bool now = v->draining || all_have_ended(v, NULL) || v->order.clock_ms >= v->cycle_ms + CYCLE_MS;

	if (!now || records_held(v) == v->order.ready.n)
		return false;
	v->cycle_ms = v->order.clock_ms;
	return order_break_cycle(&v->order);
}

/* The next record to go out, or NULL for now. */
static struct node *
choose(struct live *v)
{
	struct order *o = &v->order;

	for (;;) {
		struct node *top = o->ready.n ? o->ready.v[0] : NULL;
		struct node *stuck = order_stuck_first(o);

		if (order_break_suspect(o, top))
			continue;
		if (stuck && (order_read_beyond(o, stuck->r.t + v->spec.order.patience_ns) || is_overdue(v, stuck)))
			continue;
		if (top && order_look_ahead(o, top->place.t))
			continue;
		/* Who has been held long enough takes those with him that are before him. */
		if (top && (!is_held(v, top) || first_release(v) <= o->clock_ms)) {
			if (top->judged || !order_judge(o, top))
				return top;
		} else if (!break_cycle(v)) {
			return NULL;
		}
	}
}

static void
set_deadline(struct live *v)
{
	const struct node *stuck = order_stuck_first(&v->order);
	int64_t at = first_release(v);

	if (stuck && stuck->arrived_ms + v->spec.patience_ms < at)
		at = stuck->arrived_ms + v->spec.patience_ms;
	if (records_held(v) > v->order.ready.n && v->cycle_ms + CYCLE_MS < at)
		at = v->cycle_ms + CYCLE_MS;
	for (size_t i = 0; i < v->n_inputs; i++) {
		const struct input *in = v->inputs[i];
		int64_t more;

		if (!in->source || in->source->cur == in->source->hi || v->order.lanes[in->lane].n >= AHEAD_MAX)
			continue;
		more = in->woke_ms + (in->source->accept == ACCEPT_WHOLE ? v->spec.hold_ms : v->spec.patience_ms);
		if (in->source->accept != ACCEPT_ANY && more < at)
			at = more;
	}
	loop_timer_stop(v->loop, &v->deadline);
	if (at != INT64_MAX)
		loop_timer_set(v->loop, &v->deadline, at > v->order.clock_ms ? at - v->order.clock_ms : 0);
}

static void
tell_passed(struct live *v)
{
	for (size_t i = 0; i < v->n_inputs; i++) {
		struct input *in = v->inputs[i];
		int64_t off = in->source ? in->source->base + (int64_t)in->source->lo : 0;

		if (off > in->passed) {
			in->passed = off;
			feed_ack(in->feed, off);
		}
	}
}

static void
end_turn(struct live *v, bool any, bool more)
{
	tell_passed(v);
	if (!more && !v->caught_up) {
		v->caught_up = true;
		v->spec.caught_up(v->spec.cookie);
	}
	if (!v->order.out->last)
		render_flush(v->order.out);
	if (any && v->order.out->w.error == 0)
		v->spec.written(v->spec.cookie);
	if (v->order.out->w.error || (!more && all_have_ended(v, NULL)))
		loop_stop(v->loop, 0);
	else if (more)
		loop_timer_set(v->loop, &v->turn, 0);
	else
		set_deadline(v);
}

static void
turn(void *cookie)
{
	struct live *v = cookie;
	struct order *o = &v->order;
	struct node *e = NULL;
	int n = 0;

	o->clock_ms = clock_mono_ms();
	o->ahead_ns = INT64_MIN;
	if (o->now_ns > INT64_MIN)
		o->forget_ns = o->now_ns - v->spec.order.remember_ns;
	for (size_t i = 0; i < v->n_inputs; i++) {
		struct input *in = v->inputs[i];

		if (in->awake || (in->source && in->source->cur < in->source->hi))
			in->awake = open_lane(v, in) && !v->order.lanes[in->lane].ended;
	}
	while (n < TURN_RECORDS && o->out->w.error == 0 && (e = choose(v))) {
		order_emit(o, e);
		n++;
	}
	for (size_t i = 0; i < v->n_inputs; i++)
		if (v->inputs[i]->source && v->order.lanes[v->inputs[i]->lane].ended)
			v->inputs[i]->awake = false;
	end_turn(v, n > 0, e != NULL);
}

struct live *
live_new(struct loop *l, const struct live_spec *spec, struct render *out, struct causal_count *count)
{
	struct live *v = xcalloc(1, sizeof *v);

	v->loop = l;
	v->spec = *spec;
	if (spec->once)
		v->spec.hold_ms = FOR_EVER_MS;
	v->turn = (struct loop_timer){ .fn = turn, .cookie = v };
	v->deadline = (struct loop_timer){ .fn = turn, .cookie = v };
	v->wanted = spec->order.wanted;
	v->wanted_cookie = spec->order.cookie;
	/* What is delayed may be older than it looks. */
	v->spec.order.remember_ns += FORGET_NS;
	v->spec.order.wanted = wanted;
	v->spec.order.cookie = v;
	order_init(&v->order, &v->spec.order, out, count);
	v->order.live = true;
	return v;
}

void
live_free(struct live *v)
{
	if (!v)
		return;
	loop_timer_stop(v->loop, &v->turn);
	loop_timer_stop(v->loop, &v->deadline);
	for (unsigned i = 0; i < v->order.n_lanes; i++)
		order_lane_leave(&v->order, &v->order.lanes[i]);
	free(v->order.lanes);
	order_release(&v->order);
	for (size_t i = 0; i < v->n_inputs; i++)
		input_free(v->inputs[i]);
	free(v->inputs);
	free(v);
}

static int
check_spec(const struct live *v, const struct source_spec *spec, struct fail *f)
{
	struct zone *zone = NULL;

	if (spec->format && !format_find(v->spec.formats, spec->format))
		return fail_set(f, EXIT_USAGE, "%s: format '%s' is not known", spec->name, spec->format);
	if (spec->zone && zone_open(spec->zone, &zone) < 0)
		return fail_set(f, EXIT_USAGE, "%s: time zone '%s' is not known", spec->name, spec->zone);
	zone_free(zone);
	return 0;
}

static void
load_done(struct input *in, struct json state)
{
	_cleanup_json_ struct json done = json_get(state, "done");
	size_t n = json_count(done);

	in->done = xcalloc(n + 1, sizeof *in->done);
	for (size_t i = 0; i < n; i++) {
		_cleanup_json_ struct json x = json_at(done, i);

		in->n_done += json_get_whole(x, &in->done[in->n_done]);
	}
}

int
live_add(struct live *v, const struct source_spec *spec, struct feed *feed, struct json state, struct fail *f)
{
	static const struct feed_host host = { .wake = wake, .tell = tell };
	struct input *in = xcalloc(1, sizeof *in);
	struct feed_host mine = host;
	int r = check_spec(v, spec, f);

	in->live = v;
	in->feed = feed;
	source_spec_copy(&in->spec, spec);
	feed->once = v->spec.once;
	mine.cookie = in;
	if (r == 0 && json_is_object(state)) {
		_cleanup_json_ struct json position = json_get(state, "position");

		load_done(in, state);
		if (feed->ops->restore && json_is_object(position))
			r = feed->ops->restore(feed, position, f);
	}
	if (r == 0)
		r = feed_start(feed, v->loop, &mine, f);
	if (r < 0) {
		input_free(in);
		return r;
	}
	v->inputs = xgrow(v->inputs, v->n_inputs, &v->inputs_cap, sizeof(struct input *));
	v->inputs[v->n_inputs++] = in;
	wake(in);
	return 0;
}

bool
live_has(const struct live *v, const char *name)
{
	for (size_t i = 0; i < v->n_inputs; i++)
		if (!name || strcmp(v->inputs[i]->spec.name, name) == 0)
			return true;
	return false;
}

void
live_drain(struct live *v)
{
	struct node *e;

	v->draining = true;
	v->order.clock_ms = clock_mono_ms();
	for (size_t i = 0; i < v->n_inputs; i++)
		open_lane(v, v->inputs[i]);
	while (v->order.out->w.error == 0 && (e = choose(v)))
		order_emit(&v->order, e);
	tell_passed(v);
	render_flush(v->order.out);
	v->spec.written(v->spec.cookie);
}

static void
add_done(struct json *done, const struct input *in, int64_t off)
{
	if (off >= in->passed)
		json_append(done, json_number((double)(off - in->passed)));
}

void
live_save(struct live *v, struct json *state)
{
	for (size_t i = 0; i < v->n_inputs; i++) {
		const struct input *in = v->inputs[i];
		const struct lane *l = in->source ? &v->order.lanes[in->lane] : NULL;
		struct json one, position, done = json_array();

		if (!in->feed->ops->save)
			continue;
		one = json_object();
		position = json_object();
		in->feed->ops->save(in->feed, &position);
		json_set(&one, "position", position);
		for (size_t k = 0; k < in->n_done; k++)
			add_done(&done, in, in->done[k]);
		for (size_t k = 0; l && k < l->n; k++) {
			const struct node *e = l->ring[(l->head + k) & (l->cap - 1)];

			if (e->out && !is_done(in, e->r.off))
				add_done(&done, in, e->r.off);
		}
		json_set(&one, "done", done);
		json_set(state, in->spec.name, one);
	}
}

void
live_held(const struct live *v, size_t *bytes, size_t *records)
{
	*bytes = order_bytes_held(&v->order);
	*records = records_held(v);
}
