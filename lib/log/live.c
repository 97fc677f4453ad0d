#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "causal/clockmodel.h"
#include "causal/skew.h"
#include "log/live.h"
#include "log/twins.h"
#include "causal/realtime.h"
#include "record/source_open.h"

enum {
	READ_SIZE = 64 << 10,
	READ_SIZE_MANY = 16 << 10,	/* of each of more than MANY sources */
	MANY = 64,
	TURN_RECORDS = 20000,		/* in one go, before other callbacks have theirs */
	FOR_EVER_MS = 1 << 30,
	AHEAD_MAX = 4096,		/* records of a source that are held, before it is read on */
	LINGER_MS = 1000,		/* at most, for lines that belong to a record that may be whole */
	ESTIMATE_MS = 60000,		/* between two estimates of the clocks' offsets */
	AGE_MS = 600000,		/* what messages said of clocks counts for one to two of these */
};

#define OFFSET_MAX_US	INT64_C(100000000000000)	/* of a clock, in a state: some years */

/* So much longer than otherwise, ids that were sent are remembered. */
#define FORGET_NS	INT64_C(10000000000)

struct input {
	struct live *live;
	struct source_spec spec;
	struct feed *feed;
	struct source *source;		/* NULL until something has come */
	struct queue *queue;
	bool awake, failed;
	int64_t woke_ms;		/* when the bytes came that are not a record yet */
	int64_t passed;
	int64_t *done;			/* offsets of records that are out already, from the last run */
	size_t n_done;
	bool has_calendar;		/* the last run knew the year, or the day */
	int64_t calendar_s;
};

struct live {
	struct live_spec spec;
	struct loop *loop;
	struct realtime merge;
	struct scheduler_spec scheduler;
	struct render *out;
	struct input **inputs;
	size_t n_inputs, inputs_cap, lanes_cap;
	struct loop_timer turn, deadline;
	bool caught_up;
	int64_t watermark_ns, watermark_ms;	/* the last one, and when it was printed */
	int64_t watermark_due_ms;		/* when there is a next one */
	struct twins *twins;
	struct clockmodel *clocks;	/* NULL: offsets are not estimated */
	int64_t estimated_ms, aged_ms;	/* when they were, and when what is known grew old */
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

/* Has IN given all, and is it admitted? */
static bool
has_ended(const struct input *in)
{
	return in->failed || (in->queue && realtime_is_over(in->queue));
}

/* Are there bytes of IN that are not admitted yet? */
static bool
has_unread(const struct input *in)
{
	const struct source *s = in->source;

	return s && (in->queue->nodes < in->queue->n ||
	    cursor_offset(in->queue->cursor, in->queue->number) < s->base + (int64_t)s->hi);
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
live_report(const struct fail *f, void *cookie)
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
print(const struct printed *p, void *cookie)
{
	const struct live *v = cookie;
	const struct input *in = p->source->cookie;
	struct shown shown = { .source = p->source, .record = p->record, .fields = p->fields, .mark = p->mark,
	    .why = p->why, .moved_ns = p->moved_ns, .where = p->where, .relations = p->relations,
	    .n_relations = p->n_relations, .line = p->line };

	/* What the run before printed is in the twins that it saved. */
	if (in->n_done && is_done(in, p->record->off))
		return false;
	if (p->source->twin && twins_is_known(v->twins, p))
		return false;
	if (v->spec.filter && !filter_passes(v->spec.filter, p->record, p->fields))
		return false;
	render_record(v->out, p->source, &shown);
	return true;
}

/* The first bytes are there: the format can be told. */
static void
input_begin(struct live *v, struct input *in)
{
	struct fail f;

	v->merge.unopened--;
	if (source_open_feed(&in->spec, v->spec.formats, v->n_inputs > MANY ? READ_SIZE_MANY : READ_SIZE, in->feed, &in->source, &f) < 0) {
		in->failed = true;
		live_report(&f, in);
		return;
	}
	if (in->has_calendar)
		source_set_calendar(in->source, in->calendar_s);
	in->source->cookie = in;
	source_set_domains(in->source, v->spec.domains);
	if (v->clocks || in->source->by_host)
		source_read_hosts(in->source);
	in->source->rank = (unsigned)v->n_inputs;
	for (size_t i = 0; i < v->n_inputs; i++)
		if (v->inputs[i] == in)
			in->source->rank = (unsigned)i;
	v->spec.opened(in->source, v->spec.cookie);
	in->queue = scheduler_add(&v->merge.scheduler, in->source);
	in->queue->backlog = !v->caught_up;
}

/*
 * For so long, lines are waited for that belong to a record that may be whole.  It is held
 * only from then on: what belongs behind it and came before must still be there.
 */
static int64_t
linger_ms(const struct live *v)
{
	return v->spec.hold_ms < LINGER_MS || v->spec.once ? v->spec.hold_ms : LINGER_MS;
}

/* How much of what is there is taken for a record, if more may belong to it. */
static enum source_accept
accepts(const struct live *v, const struct input *in, int64_t now_ms)
{
	int64_t waited = now_ms - in->woke_ms;

	if (v->merge.draining || waited >= v->spec.patience_ms)
		return ACCEPT_ANY;
	return waited >= linger_ms(v) || !v->caught_up ? ACCEPT_LINES : ACCEPT_WHOLE;
}

/* Admit what is there of IN; true where there may be any. */
static bool
read_input(struct live *v, struct input *in, int64_t now_ms)
{
	if (!in->source && !in->failed && feed_is_ready(in->feed))
		input_begin(v, in);
	if (!in->source)
		return false;
	in->source->accept = accepts(v, in, now_ms);
	realtime_arrive(&v->merge, in->queue, now_ms);
	return true;
}

static bool
all_have_ended(const struct live *v)
{
	for (size_t i = 0; i < v->n_inputs; i++)
		if (!has_ended(v->inputs[i]))
			return false;
	return true;
}

static void
set_deadline(struct live *v)
{
	const int64_t now_ms = v->merge.scheduler.clock_ms;
	int64_t at = realtime_deadline(&v->merge);

	if (v->spec.watermark_ms && v->watermark_due_ms < at)
		at = v->watermark_due_ms;

	for (size_t i = 0; i < v->n_inputs; i++) {
		const struct input *in = v->inputs[i];
		int64_t more;

		if (!in->source || in->source->cur == in->source->hi || in->queue->nodes >= AHEAD_MAX)
			continue;
		more = in->woke_ms + (in->source->accept == ACCEPT_WHOLE ? linger_ms(v) : v->spec.patience_ms);
		if (in->source->accept != ACCEPT_ANY && more < at)
			at = more;
	}
	loop_timer_stop(v->loop, &v->deadline);
	if (at != INT64_MAX)
		loop_timer_set(v->loop, &v->deadline, at > now_ms ? at - now_ms : 0);
}

static void
tell_passed(struct live *v)
{
	for (size_t i = 0; i < v->n_inputs; i++) {
		struct input *in = v->inputs[i];
		int64_t off = in->source ? queue_position(in->queue) : 0;

		if (off > in->passed) {
			in->passed = off;
			feed_ack(in->feed, off);
		}
	}
}

/* A watermark, if one is due and there is more to say than in the last; when the next is due, INT64_MAX for never. */
static int64_t
print_watermark(struct live *v)
{
	const int64_t now_ms = v->merge.scheduler.clock_ms;
	int64_t ns, next = v->watermark_ms + v->spec.watermark_ms;

	if (!v->spec.watermark_ms || !realtime_watermark(&v->merge, &ns) || ns <= v->watermark_ns)
		return INT64_MAX;
	if (now_ms < next)
		return next;
	render_watermark(v->out, ns);
	v->watermark_ns = ns;
	v->watermark_ms = now_ms;
	return INT64_MAX;
}

static void
end_turn(struct live *v, bool any, bool more)
{
	tell_passed(v);
	if (!more && !v->caught_up) {
		v->caught_up = true;
		v->spec.caught_up(v->spec.cookie);
	}
	v->watermark_due_ms = print_watermark(v);
	if (!v->out->last)
		render_flush(v->out);
	if (any && v->out->w.error == 0)
		v->spec.written(v->spec.cookie);
	if (v->out->w.error || (!more && all_have_ended(v)))
		loop_stop(v->loop, 0);
	else if (more)
		loop_timer_set(v->loop, &v->turn, 0);
	else
		set_deadline(v);
}

/* The offset of clock D is NS beside what the user gave. */
static void
set_offset(struct live *v, struct domain *d, int64_t ns)
{
	const int64_t before = d->offset_ns - d->given_ns;

	if (ns == before)
		return;
	d->offset_ns = d->given_ns + ns;
	v->spec.offset(d->name, ns);
}

/* Messages since may say that clocks are wrong, or wrong in another way. */
static void
renew_offsets(struct live *v, int64_t now_ms)
{
	const unsigned n = domains_count(v->spec.domains);
	_cleanup_free_ int64_t *offsets = NULL;
	_cleanup_free_ unsigned *to = NULL;

	if (!v->clocks || n > SKEW_CLOCKS_MAX || (v->estimated_ms && now_ms < v->estimated_ms + ESTIMATE_MS) ||
	    clockmodel_messages(v->clocks) < SKEW_MESSAGES_MIN)
		return;
	v->estimated_ms = now_ms;
	offsets = xcalloc((size_t)n + 1, sizeof *offsets);
	to = xcalloc((size_t)n + 1, sizeof *to);
	for (unsigned i = 0; i < n; i++)
		offsets[i] = domains_at(v->spec.domains, i)->offset_ns - domains_at(v->spec.domains, i)->given_ns;
	domains_sort(v->spec.domains, to, n);
	if (clockmodel_estimate(v->clocks, to, n, offsets)) {
		for (unsigned i = 0; i < n; i++)
			set_offset(v, domains_at(v->spec.domains, i), offsets[i]);
		for (size_t i = 0; i < v->n_inputs; i++)
			if (v->inputs[i]->source)
				source_renew_offset(v->inputs[i]->source);
		v->merge.scheduler.offsets_ms = clock_mono_ms() + 1;
	}
	if (now_ms >= v->aged_ms + AGE_MS) {
		clockmodel_age(v->clocks);
		v->aged_ms = now_ms;
	}
}

/* More clocks than can be estimated are left alone, and that is told once. */
static void
give_up_clocks(struct live *v)
{
	const unsigned n = domains_count(v->spec.domains);

	if (!v->clocks || n <= SKEW_CLOCKS_MAX || clockmodel_messages(v->clocks) < SKEW_MESSAGES_MIN)
		return;
	v->spec.offset(NULL, n);
	clockmodel_free(v->clocks);
	v->clocks = v->scheduler.clocks = NULL;
}

static void
print_due(void *cookie)
{
	struct live *v = cookie;
	struct scheduler *m = &v->merge.scheduler;
	const int64_t now_ms = clock_mono_ms();
	struct node *e = NULL;
	int n = 0;

	m->clock_ms = now_ms;
	m->ahead_ns = INT64_MIN;
	for (size_t i = 0; i < v->n_inputs; i++) {
		struct input *in = v->inputs[i];

		if (in->awake || has_unread(in))
			in->awake = read_input(v, in, now_ms) && !in->queue->ended;
	}
	renew_offsets(v, now_ms);
	while (n < TURN_RECORDS && v->out->w.error == 0 && (e = realtime_next(&v->merge, now_ms))) {
		scheduler_print(m, e);
		n++;
	}
	give_up_clocks(v);
	for (size_t i = 0; i < v->n_inputs; i++)
		if (v->inputs[i]->source && v->inputs[i]->queue->ended)
			v->inputs[i]->awake = false;
	end_turn(v, n > 0, e != NULL);
}

struct live *
live_new(struct loop *l, const struct live_spec *spec, struct render *out, struct causal_count *count)
{
	struct live *v = xcalloc(1, sizeof *v);

	v->loop = l;
	v->spec = *spec;
	v->out = out;
	v->twins = twins_new();
	v->turn = (struct loop_timer){ .fn = print_due, .cookie = v };
	v->deadline = (struct loop_timer){ .fn = print_due, .cookie = v };
	v->scheduler = spec->merge;
	v->scheduler.live = true;
	v->scheduler.workers = 0;
	v->scheduler.print = print;
	v->scheduler.cookie = v;
	/* What is delayed may be older than it looks. */
	v->scheduler.remember_ns += FORGET_NS;
	if (spec->estimate) {
		v->clocks = clockmodel_new(v->scheduler.remember_ns);
		v->scheduler.clocks = v->clocks;
		v->aged_ms = clock_mono_ms();
	}
	realtime_open(&v->merge, &v->scheduler, count);
	v->merge.hold_ms = v->spec.hold_ms = spec->once ? FOR_EVER_MS : spec->hold_ms;
	v->merge.patience_ms = spec->patience_ms;
	v->merge.once = spec->once;
	v->merge.idle_ms = spec->idle_ms;
	if (spec->watermark_ms)
		render_watermark(out, 0);
	return v;
}

void
live_free(struct live *v)
{
	if (!v)
		return;
	loop_timer_stop(v->loop, &v->turn);
	loop_timer_stop(v->loop, &v->deadline);
	realtime_close(&v->merge);
	for (size_t i = 0; i < v->n_inputs; i++)
		input_free(v->inputs[i]);
	free(v->inputs);
	clockmodel_free(v->clocks);
	twins_free(v->twins);
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
	static const struct feed_host host = { .wake = wake, .tell = live_report };
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
		_cleanup_json_ struct json calendar = json_get(state, "calendar");

		load_done(in, state);
		in->has_calendar = json_get_whole(calendar, &in->calendar_s);
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
	v->merge.unopened++;
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
	const int64_t now_ms = clock_mono_ms();
	struct node *e;

	v->merge.draining = true;
	for (size_t i = 0; i < v->n_inputs; i++)
		read_input(v, v->inputs[i], now_ms);
	while (v->out->w.error == 0 && (e = realtime_next(&v->merge, now_ms)))
		scheduler_print(&v->merge.scheduler, e);
	tell_passed(v);
	render_flush(v->out);
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
		const struct queue *q = in->queue;
		struct json one, position, done = json_array();
		int64_t s;

		if (!in->feed->ops->save)
			continue;
		one = json_object();
		position = json_object();
		in->feed->ops->save(in->feed, &position);
		json_set(&one, "position", position);
		for (size_t k = 0; k < in->n_done; k++)
			add_done(&done, in, in->done[k]);
		for (size_t k = 0; q && k < q->nodes; k++) {
			const struct node *e = queue_slot(q, k)->node;

			if (e->out && !is_done(in, e->off))
				add_done(&done, in, e->off);
		}
		json_set(&one, "done", done);
		if (in->source && source_calendar(in->source, &s))
			json_set(&one, "calendar", json_number((double)s));
		json_set(state, in->spec.name, one);
	}
}

void
live_save_shared(const struct live *v, struct json *state)
{
	struct json clocks = json_object();

	for (unsigned i = 0; i < domains_count(v->spec.domains); i++) {
		const struct domain *d = domains_at(v->spec.domains, i);

		if (d->offset_ns != d->given_ns)
			json_set(&clocks, d->name, json_number((double)((d->offset_ns - d->given_ns) / 1000)));
	}
	json_set(state, "clocks", clocks);
	twins_save(v->twins, state);
}

void
live_load_shared(struct live *v, struct json state)
{
	_cleanup_json_ struct json clocks = json_get(state, "clocks");

	twins_load(v->twins, state);
	if (!json_is_object(clocks))
		return;
	for (struct json_iter it = json_begin(clocks); json_next(&it);) {
		struct domain *d;
		int64_t us;

		if (!json_get_whole(it.value, &us) || us > OFFSET_MAX_US || us < -OFFSET_MAX_US)
			continue;
		d = domains_get(v->spec.domains, (struct span){ it.key, strlen(it.key) }, false);
		d->offset_ns = d->given_ns + us * 1000;
	}
}

void
live_held(const struct live *v, size_t *bytes, size_t *records)
{
	*bytes = scheduler_bytes_held(&v->merge.scheduler);
	*records = realtime_held(&v->merge);
}
