/* The merge of sources that are read to their ends: patience is a span of record time. */
#include "causal/cycle.h"
#include "causal/express.h"
#include "causal/lookahead.h"
#include "causal/plain.h"
#include "causal/planner.h"
#include "causal/scheduler.h"
#include "causal/verify.h"

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
		struct queue *q = s->queues[i];

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
 * Did E, the first blocked node, wait for long enough, with a record of the key TOP
 * about to be printed?  With a lookahead it is known at once what is not sent within
 * patience.
 */
static bool
is_expired(const struct scheduler *s, const struct node *e, const struct sort_key *top)
{
	int64_t at = dag_first_blocked_at(s->dag);

	if (!top)
		return true;
	if (s->lookahead)
		return at > e->t ? at < top->t : node_key_before(&e->key, top);
	return !s->spec->known && top->t > e->t + s->spec->patience_ns;
}

/* E waits for an absent id and has waited long enough, or no record can be printed (IDLE). */
static void
expire(struct scheduler *s, struct node *e, bool idle)
{
	int64_t until = e->t + s->spec->patience_ns;

	if (s->lookahead ? lookahead_fetch(s->lookahead, e, until, idle) :
	    scheduler_read_beyond(s, s->spec->known && idle ? INT64_MAX : until))
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

/* What comes next by key: TOP, which is ready, or a head in the lane where TOP is NULL.  false for nothing. */
static bool
find_first(struct scheduler *s, struct sort_key *key, struct node **top)
{
	bool any = lane_first(&s->lane, key);

	*top = dag_first(s->dag);
	if (*top && any && !node_key_before(&(*top)->key, key))
		*top = NULL;
	if (*top)
		*key = (*top)->key;
	return any || *top;
}

/* The head that is first in the lane is due. */
static bool
pass_lane(struct scheduler *s)
{
	struct queue *q = s->queues[tree_first(&s->lane.tree)];

	if (!lane_is_met(&s->lane, q)) {
		scheduler_admit(s, q);
		return false;
	}
	scheduler_print_head(s, q);
	return true;
}

/* Do the nodes let a head of the lane with KEY go before them, and is nothing else due before it? */
static bool
may_pass(struct scheduler *s, const struct sort_key *key)
{
	const struct node *top, *blocked;

	if (dag_count(s->dag) == 0)
		return true;
	top = dag_first(s->dag);
	blocked = dag_first_blocked(s->dag);
	return !s->series && !(top && node_key_before(&top->key, key)) && !(blocked && is_expired(s, blocked, key)) &&
	    !(blocked && s->spec->known && key->t >= s->behind_ns) && !cycle_break_suspect(s->dag, key);
}

/* Print the next record; false at the end. */
static bool
print_next(struct scheduler *s)
{
	for (;;) {
		struct sort_key key;
		struct node *top, *blocked = dag_first_blocked(s->dag);
		bool any = find_first(s, &key, &top);

		if (cycle_break_suspect(s->dag, any ? &key : NULL) ||
		    (any && (s->series || (blocked && s->spec->known)) && look_behind(s, key.t)))
			continue;
		/* First what waited too long: behind it nothing is read for the sake of a later record. */
		if (blocked && is_expired(s, blocked, any ? &key : NULL)) {
			expire(s, blocked, !any);
		} else if (any && scheduler_look_ahead(s, key.t)) {
			continue;
		} else if (any && !top) {
			if (pass_lane(s)) {
				express_run(s, may_pass);
				return true;
			}
		} else if (any && !scheduler_check_due(s, top)) {
			scheduler_print(s, top);
			return true;
		} else if (!any && !cycle_break(s->dag, scheduler_node, s)) {
			return false;
		}
	}
}

void
batch_run(struct source **v, unsigned n, const struct scheduler_spec *spec, struct causal_count *count)
{
	struct scheduler s;

	scheduler_open(&s, v, n, spec, count);
	if (spec->by_time && spec->print_bytes) {
		plain_run(&s);
		scheduler_close(&s);
		return;
	}
	if (spec->verify) {
		verify_run(&s);
		scheduler_close(&s);
		return;
	}
	s.lookahead = lookahead_new(&s);
	for (unsigned i = 0; i < n; i++)
		scheduler_begin(&s, s.queues[i]);
	if (spec->minimax)
		planner_run(&s);
	while ((!spec->stopped || !spec->stopped(spec->cookie)) && print_next(&s))
		;
	lookahead_free(s.lookahead);
	scheduler_close(&s);
}
