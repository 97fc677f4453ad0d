/* The merge of sources that are read to their ends: patience is a span of record time. */
#include "causal/cycle.h"
#include "causal/lookahead.h"
#include "causal/planner.h"
#include "causal/scheduler.h"

enum { AT_ONCE = 256 };

/*
 * With a prescan nothing is given up, so records that wait for each other have to
 * be found: what is behind a record that waits is admitted, as far as half the
 * buffer goes.
 */
static bool
look_behind(struct scheduler *s, int64_t ns)
{
	bool any = false;

	if (ns < s->behind_ns || scheduler_bytes_held(s) > s->spec->buffer / 2)
		return false;
	s->behind_ns = INT64_MAX;
	for (unsigned i = 0; i < s->n; i++) {
		struct queue *q = &s->queues[i];

		if (q->nodes == 0 || dag_is_ready(queue_slot(q, 0)->node))
			continue;
		for (int k = 0; k < AT_ONCE && q->newest_ns <= ns && scheduler_admit(s, q); k++)
			any = true;
		if (!queue_is_drained(q) && q->newest_ns < s->behind_ns)
			s->behind_ns = q->newest_ns;
	}
	return any;
}

/*
 * Did E, the first blocked node, wait for long enough, with TOP about to be
 * printed?  With a lookahead it is known at once what is not sent within patience.
 */
static bool
is_expired(const struct scheduler *s, const struct node *e, const struct node *top)
{
	int64_t at = dag_first_blocked_at(s->dag);

	if (!top)
		return true;
	if (s->lookahead)
		return at > e->t ? at < top->key.t : node_key_before(&e->key, &top->key);
	return !s->spec->prescan && top->key.t > e->t + s->spec->patience_ns;
}

/* E waits for an absent id and has waited long enough, or no record can be printed (IDLE). */
static void
expire(struct scheduler *s, struct node *e, bool idle)
{
	int64_t until = e->t + s->spec->patience_ns;

	if (s->lookahead ? lookahead_fetch(s->lookahead, e, until, idle) :
	    scheduler_read_beyond(s, s->spec->prescan && idle ? INT64_MAX : until))
		return;
	/* What has to wait for another record anyway is not given up for as long. */
	scheduler_check_due(s, e);
	if (dag_defer(s->dag, e))
		return;
	if (scheduler_bytes_held(s) > s->spec->buffer) {
		s->count->overflow++;
		exchange_give_up(s->exchange, e, "early");
	} else {
		exchange_give_up(s->exchange, e, "unmatched");
	}
}

/* The next record to print; NULL at the end. */
static struct node *
choose(struct scheduler *s)
{
	for (;;) {
		struct node *top = dag_first(s->dag), *blocked = dag_first_blocked(s->dag);

		if (cycle_break_suspect(s->dag, top) || (top && (s->series || (blocked && s->spec->prescan)) &&
		    look_behind(s, top->key.t)))
			continue;
		/* First what waited too long: behind it nothing is read for the sake of a later record. */
		if (blocked && is_expired(s, blocked, top))
			expire(s, blocked, !top);
		else if (top && scheduler_look_ahead(s, top->key.t))
			continue;
		else if (top && !scheduler_check_due(s, top))
			return top;
		else if (!top && !cycle_break(s->dag, scheduler_node, s))
			return NULL;
	}
}

void
batch_run(struct source **v, unsigned n, const struct scheduler_spec *spec, struct causal_count *count)
{
	struct scheduler s;
	struct node *e;

	scheduler_open(&s, v, n, spec, count);
	s.lookahead = lookahead_new(&s);
	for (unsigned i = 0; i < n; i++)
		scheduler_admit(&s, &s.queues[i]);
	if (spec->minimax)
		planner_run(&s);
	while ((!spec->stopped || !spec->stopped(spec->cookie)) && (e = choose(&s)))
		scheduler_print(&s, e);
	lookahead_free(s.lookahead);
	scheduler_close(&s);
}
