#include "causal/cycle.h"
#include "causal/realtime.h"

enum {
	CYCLE_MS = 250,			/* between two searches for cycles */
	AHEAD_MAX = 4096,		/* records of a source that are held for others, or their order */
};

void
realtime_open(struct realtime *r, const struct scheduler_spec *spec, struct causal_count *count)
{
	*r = (struct realtime){ .hold_ms = 0 };
	scheduler_open(&r->scheduler, NULL, 0, spec, count);
}

void
realtime_close(struct realtime *r)
{
	scheduler_close(&r->scheduler);
}

void
realtime_arrive(struct realtime *r, struct queue *q, int64_t now_ms)
{
	const size_t before = q->n;

	r->scheduler.clock_ms = now_ms;
	q->ended = false;
	if (q->nodes == 0)
		scheduler_admit(&r->scheduler, q);
	/* What is held is held from when it came. */
	while ((r->hold_ms || q->source->merged) && (!q->backlog || q->has_watermark) && !q->ended && q->nodes < AHEAD_MAX)
		scheduler_admit(&r->scheduler, q);
	if (q->n != before || q->heard_ms == 0)
		q->heard_ms = now_ms;
}

bool
realtime_is_over(const struct queue *q)
{
	const struct source *s = q->source;

	return s->eof && s->cur == s->hi && q->nodes == q->n &&
	    cursor_offset(q->cursor, q->number) == s->base + (int64_t)s->cur;
}

/* Has Q been silent, though all that came of it is read? */
static bool
is_idle(const struct realtime *r, const struct queue *q)
{
	return r->idle_ms && q->ended && r->scheduler.clock_ms >= q->heard_ms + r->idle_ms;
}

static bool
has_watermarks(const struct realtime *r)
{
	for (unsigned i = 0; i < r->scheduler.n; i++)
		if (r->scheduler.queues[i]->has_watermark && !realtime_is_over(r->scheduler.queues[i]))
			return true;
	return false;
}

/* Nothing before NS can come of Q, as far as its order tells; OWN: it is the queue of the record that asks. */
static bool
is_beyond(const struct realtime *r, const struct queue *q, bool own, int64_t ns)
{
	if (realtime_is_over(q) && (own || q->nodes == 0))
		return true;
	if (q->has_watermark)
		return q->watermark_ns >= ns || is_idle(r, q);
	if (q->fifo && !q->by_emitter)
		return own || q->nodes || q->newest_ns >= ns;
	return q->newest_ns - r->scheduler.spec->patience_ns > ns;
}

static bool
all_beyond(const struct realtime *r, const struct node *e, int64_t ns)
{
	if (r->unopened)
		return false;
	for (unsigned i = 0; i < r->scheduler.n; i++)
		if (!is_beyond(r, r->scheduler.queues[i], r->scheduler.queues[i] == e->queue, ns))
			return false;
	return true;
}

/* The same of the backlog, which is read by event time. */
static bool
backlog_is_beyond(const struct realtime *r, const struct node *e, int64_t ns)
{
	if (!e->backlog || r->unopened)
		return false;
	for (unsigned i = 0; i < r->scheduler.n; i++) {
		const struct queue *q = r->scheduler.queues[i];

		if ((q != e->queue || !q->fifo) && !q->source->eof && q->newest_ns <= ns)
			return false;
	}
	return true;
}

static bool
all_are_over(const struct realtime *r, const struct queue *but)
{
	if (r->unopened)
		return false;
	for (unsigned i = 0; i < r->scheduler.n; i++)
		if (r->scheduler.queues[i] != but && !realtime_is_over(r->scheduler.queues[i]))
			return false;
	return true;
}

/* No record can bring what E needs: all other sources are over, and its own has nothing for it. */
static bool
is_hopeless(const struct realtime *r, const struct node *e)
{
	return all_are_over(r, e->fifo && !e->queue->by_emitter ? e->queue : NULL);
}

static bool
is_full(const struct realtime *r)
{
	return scheduler_bytes_held(&r->scheduler) > r->scheduler.spec->buffer;
}

/* E needs an absent id.  true: it waits no longer, or for present records alone. */
static bool
expire(struct realtime *r, struct node *e)
{
	struct scheduler *s = &r->scheduler;
	const int64_t until_ns = e->t + s->spec->patience_ns + (e->awaits_ms - e->arrived_ms) * 1000000;
	bool full = is_full(r);
	bool waits = has_watermarks(r) ? !all_beyond(r, e, until_ns) : s->clock_ms < e->awaits_ms + r->patience_ms;

	if (!full && !r->draining && waits &&
	    !backlog_is_beyond(r, e, e->t + s->spec->patience_ns) && !is_hopeless(r, e))
		return false;
	if (dag_defer(s->dag, e))
		return true;
	s->count->overflow += full;
	exchange_give_up(s->exchange, e, full ? "early" : "unmatched");
	return true;
}

static bool
is_held(const struct realtime *r, const struct node *e)
{
	if (has_watermarks(r))
		return !r->draining && !all_beyond(r, e, e->key.t) && !is_full(r);
	return r->hold_ms && (!e->backlog || r->once) && !r->draining &&
	    r->scheduler.clock_ms < e->arrived_ms + r->hold_ms && !all_beyond(r, e, e->key.t) && !is_full(r);
}

/* When the first of the ready records that are held is printed; INT64_MAX for none. */
static int64_t
first_release(const struct realtime *r)
{
	struct node *const *v;
	int64_t first = INT64_MAX;
	size_t n;

	v = dag_ready(r->scheduler.dag, &n);
	for (size_t i = 0; r->idle_ms && i < r->scheduler.n; i++) {
		const struct queue *q = r->scheduler.queues[i];

		if (q->ended && n && !is_idle(r, q) && q->heard_ms + r->idle_ms < first)
			first = q->heard_ms + r->idle_ms;
	}
	if (has_watermarks(r))
		return first;
	for (size_t i = 0; r->hold_ms && i < n; i++) {
		int64_t at = v[i]->arrived_ms + r->hold_ms;

		first = at < first ? at : first;
	}
	return first;
}

bool
realtime_watermark(const struct realtime *r, int64_t *ns)
{
	int64_t low = INT64_MAX, high = INT64_MIN;

	if (r->unopened)
		return false;
	for (unsigned i = 0; i < r->scheduler.n; i++) {
		const struct queue *q = r->scheduler.queues[i];
		const int64_t known = q->has_watermark ? q->watermark_ns : q->newest_ns - r->scheduler.spec->patience_ns;

		high = known > high ? known : high;
		if (!realtime_is_over(q) && !is_idle(r, q) && known < low)
			low = known;
		for (size_t k = 0; k < q->nodes; k++) {
			const struct node *e = queue_slot(q, k)->node;

			if (!e->out && !e->control && e->t - 1 < low)
				low = e->t - 1;
		}
	}
	*ns = low == INT64_MAX ? high : low;
	return *ns > 0;
}

size_t
realtime_held(const struct realtime *r)
{
	size_t n = 0;

	for (unsigned i = 0; i < r->scheduler.n; i++)
		n += r->scheduler.queues[i]->nodes;
	return n;
}

static bool
are_all_ready(const struct realtime *r)
{
	size_t n;

	dag_ready(r->scheduler.dag, &n);
	return realtime_held(r) == n;
}

/* Some records may wait for each other: that is searched only now and then. */
static bool
break_cycle(struct realtime *r)
{
	struct scheduler *s = &r->scheduler;
	bool now = r->draining || all_are_over(r, NULL) || s->clock_ms >= r->cycle_ms + CYCLE_MS;

	if (!now || are_all_ready(r))
		return false;
	r->cycle_ms = s->clock_ms;
	return cycle_break(s->dag, scheduler_node, s);
}

struct node *
realtime_next(struct realtime *r, int64_t now_ms)
{
	struct scheduler *s = &r->scheduler;

	s->clock_ms = now_ms;
	for (;;) {
		struct node *top = dag_first(s->dag), *blocked = dag_first_blocked(s->dag);

		if (cycle_break_suspect(s->dag, top ? &top->key : NULL))
			continue;
		if (blocked && (scheduler_read_beyond(s, blocked->t + s->spec->patience_ns) || expire(r, blocked)))
			continue;
		if (top && scheduler_look_ahead(s, top->key.t))
			continue;
		/* What was held for long enough takes along what is before it. */
		if (top && (!is_held(r, top) || first_release(r) <= s->clock_ms)) {
			if (top->judged || !scheduler_check_due(s, top))
				return top;
		} else if (!break_cycle(r)) {
			return NULL;
		}
	}
}

int64_t
realtime_deadline(struct realtime *r)
{
	const struct node *blocked = dag_first_blocked(r->scheduler.dag);
	int64_t at = first_release(r);

	if (blocked && blocked->awaits_ms + r->patience_ms < at)
		at = blocked->awaits_ms + r->patience_ms;
	if (!are_all_ready(r) && r->cycle_ms + CYCLE_MS < at)
		at = r->cycle_ms + CYCLE_MS;
	return at;
}
