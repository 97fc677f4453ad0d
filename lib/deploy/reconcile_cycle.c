#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "deploy/handler.h"
#include "deploy/handler_log.h"
#include "deploy/reconcile_cycle.h"
#include "deploy/report.h"

enum { UNREACHABLE_MS = 60000, UNREACHABLE_DOUBLES = 6 };

void
reconcile_cycle_log(struct reconciler *r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* ids and details come from elsewhere: none of them makes a second line */
	handler_log_flatten(text);
	r->spec.log(text, r->spec.cookie);
}

/* Is there anything wrong with the goal's file, or with the one that was kept? */
bool
reconcile_cycle_has_wrong_goal(const struct reconciler *r)
{
	return r->desired.refused || r->desired.missing || r->desired.damaged || r->desired.revoked;
}

/*
 * The report is written when it says something new; what it speaks of is in the
 * journal by then.  False where it could not be.
 */
bool
reconcile_cycle_write_report(struct reconciler *r)
{
	struct fail f;

	if (result_journal_sync(r->results, &f) == 0 && report_store_write(&r->store, &f) == 0)
		return true;
	status_board_set_note(&r->board, f.text);
	return false;
}

/* --- what a cycle tells */

static void
on_working(void *cookie)
{
	struct reconciler *r = cookie;

	report_set_state(&r->store.report, r->running, REPORT_IN_PROGRESS);
	reconcile_cycle_write_report(r);
}

static void
on_phase(const char *phase, size_t done, size_t total, void *cookie)
{
	struct reconciler *r = cookie;

	status_board_set_phase(&r->board, phase, done, total);
}

static void
on_fetching(int64_t got, int64_t size, int64_t rate, void *cookie)
{
	struct reconciler *r = cookie;

	status_board_set_fetching(&r->board, got, size, rate);
}

/* Milliseconds until files that could not be fetched are tried again: 1, 2, 4, ... 64 min. */
static int64_t
unreachable_wait(struct reconciler *r, const struct cycle_outcome *o)
{
	if (!o->is_unreachable) {
		r->unreachable = 0;
		return -1;
	}
	return (int64_t)UNREACHABLE_MS << (r->unreachable < UNREACHABLE_DOUBLES ? r->unreachable++ : UNREACHABLE_DOUBLES);
}

void
reconcile_cycle_add_result(struct reconciler *r, const char *workflow, const struct cycle_result *c)
{
	_cleanup_json_ struct json record = result_journal_record(r->results, workflow, c);
	const char *reported = report_workflow(&r->store.report);
	struct fail f;

	if (!report_is_news(&r->store.report, record))
		return;
	if (result_journal_add(r->results, record, c->code != RESULT_INSTALL_SKIPPED_INSTALLED, &f) < 0)
		status_board_set_note(&r->board, f.text);
	/* one of another workflow is in the journal alone */
	if (r->running || (reported && strcmp(reported, workflow) == 0))
		report_add_result(&r->store.report, json_copy(record));
	reconcile_cycle_log(r, "%s%s%s: %s: %d%s%s", c->step, *c->component ? ": " : "", c->component, c->phase,
	    c->code, *c->details ? ": " : "", c->details);
}

static void
on_result(const struct cycle_result *c, void *cookie)
{
	struct reconciler *r = cookie;

	reconcile_cycle_add_result(r, r->running->id, c);
}

void
reconcile_cycle_on_log(const char *text, void *cookie)
{
	struct reconciler *r = cookie;

	r->spec.log(text, r->spec.cookie);
}

/* Does a run of an earlier agent go on on COMPONENT, "" for the host? */
bool
reconcile_cycle_is_occupied(const char *component, void *cookie)
{
	const struct reconciler *r = cookie;

	return r->adoption && adoption_is_on(r->adoption, component);
}

/* Is there work that another agent must not do beside us? */
void
reconcile_cycle_update_busy(struct reconciler *r)
{
	const bool is_busy = r->cycle || r->adoption;

	if (is_busy != r->is_busy)
		r->spec.busy(is_busy, r->spec.cookie);
	r->is_busy = is_busy;
}

static void
end_cycle(struct reconciler *r, const struct cycle_outcome *o)
{
	char now[CLOCK_TEXT];

	if (!o->cancelled) {
		report_end(&r->store.report, r->running, o, clock_now(now));
		r->aftermath.need = o->need;
		r->aftermath.is_on_hold = o->is_on_hold;
		if (!o->failed && !o->cancelled && o->need == ATTEMPTS_NEED_NONE && !o->is_on_hold && !o->is_occupied)
			report_set_completed(&r->store.report, r->running->id);
		reconcile_cycle_write_report(r);
		r->board.status.waiting = (int64_t)report_waiting(&r->store.report);
	}
	/* what is occupied is seen to by another cycle: a request that waits for this one waits for that */
	if (!o->cancelled && !o->is_occupied) {
		r->board.status.settled = r->board.status.covered;
		r->board.status.settled_cycle = r->board.status.cycle;
		r->board.status.result = o->code;
	}
	if (o->failed)
		status_board_show_note(&r->board, o->details);	/* the line below has it */
	reconcile_cycle_log(r, "workflow %s: %s%s%s, waiting for %zu", r->running->id,
	    o->cancelled ? "cancelled" : o->failed ? "failed" : o->need == ATTEMPTS_NEED_REBOOT ? "needs a reboot" :
	    o->need == ATTEMPTS_NEED_RESTART ? "needs a restart of the agent" :
	    o->is_occupied ? "goes on after a run of an earlier agent" : "at its goal",
	    *o->details ? ": " : "", o->details, json_count(o->waiting));
}

static void
on_done(const struct cycle_outcome *o, void *cookie)
{
	struct reconciler *r = cookie;

	r->cycle = NULL;
	end_cycle(r, o);
	if (!o->cancelled && !r->stopping) {
		int64_t wait_ms = unreachable_wait(r, o);

		waiting_check_start(r->waiting_check, o->waiting);
		if (o->held_ms >= 0 && (wait_ms < 0 || o->held_ms < wait_ms))
			wait_ms = o->held_ms;
		if (wait_ms >= 0)
			loop_timer_set(r->loop, &r->held, wait_ms);
	}
	if (r->running != r->goal)
		goal_free(r->running);
	r->running = NULL;
	state_dir_remove_work(&r->dir);
	reconcile_cycle_update_busy(r);
	if (r->holds_loop) {
		r->holds_loop = false;
		loop_release(r->loop);
	}
	r->decide(r);
}

char *
reconcile_cycle_run_dir(void *cookie)
{
	struct reconciler *r = cookie;

	return xasprintf("%s/%" PRId64, r->dir.runs, result_journal_next_id(r->results));
}

void
reconcile_cycle_begin(struct reconciler *r)
{
	const struct cycle_spec spec = {
		.goal = r->goal, .config = r->spec.config, .inventory = r->spec.inventory,
		.attempts = r->attempts, .work = r->dir.work, .cache = r->dir.cache, .working = on_working, .phase = on_phase,
		.fetching = on_fetching,
		.result = on_result, .log = reconcile_cycle_on_log, .done = on_done, .run_dir = reconcile_cycle_run_dir,
		.is_occupied = reconcile_cycle_is_occupied, .cookie = r,
	};

	waiting_check_stop(r->waiting_check);
	loop_timer_stop(r->loop, &r->held);
	attempts_set_workflow(r->attempts, r->goal->id);
	r->board.status.cycle++;
	r->board.status.covered = r->board.status.retries;
	aftermath_clear(&r->aftermath);
	r->board.status.pending = r->retry_wanted = r->goal_is_new = r->has_refreshed = false;
	if (!reconcile_cycle_has_wrong_goal(r))
		status_board_set_note(&r->board, status_board_standing_note(&r->board));
	snprintf(r->board.status.workflow, sizeof r->board.status.workflow, "%s", r->goal->id);
	status_board_set_state(&r->board, AGENT_BUSY);
	report_begin(&r->store.report, r->goal);
	r->running = r->goal;
	reconcile_cycle_log(r, "workflow %s: cycle %" PRId64 " begins", r->goal->id, r->board.status.cycle);
	r->cycle = cycle_start(r->loop, &spec);
	reconcile_cycle_update_busy(r);
}
