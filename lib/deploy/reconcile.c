#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/procset.h"
#include "base/xalloc.h"
#include "deploy/cache.h"
#include "deploy/handler.h"
#include "deploy/handler_log.h"
#include "deploy/reconcile.h"
#include "deploy/reconcile_cycle.h"
#include "deploy/report.h"

static void refresh_goal(struct reconciler *r);

static void
on_aftermath_note(const char *text, void *cookie)
{
	struct reconciler *r = cookie;

	status_board_set_note(&r->board, text);
	status_board_publish(&r->board);
}

static void
on_due(int64_t wait_ms, void *cookie)
{
	struct reconciler *r = cookie;

	loop_timer_set(r->loop, &r->held, wait_ms);
}

static void
on_restart(void *cookie)
{
	struct reconciler *r = cookie;

	r->spec.restart(r->spec.cookie);
}

/* What an earlier agent left running goes on. */
static void
show_adoption(struct reconciler *r)
{
	const struct handler_run_record *run = adoption_next(r->adoption, NULL);

	snprintf(r->board.status.workflow, sizeof r->board.status.workflow, "%s", run->workflow);
	status_board_set_state(&r->board, AGENT_BUSY);
	snprintf(r->board.status.phase, sizeof r->board.status.phase, "%s", handler_result_phase(run->action));
	status_board_publish(&r->board);
}

/* Nothing to do: say how things stand, and that every retry so far has had its answer. */
static void
outcome_settle(struct reconciler *r)
{
	const struct desired_state *d = &r->desired;
	bool is_written, failed, unknown;

	r->retry_wanted = r->goal_is_new = r->has_refreshed = false;
	if (r->adoption) {
		show_adoption(r);
		return;
	}
	is_written = reconcile_cycle_write_report(r);
	failed = !is_written || d->refused || d->damaged || d->revoked ||
	    (r->goal && r->goal->action != GOAL_MODULES && report_has_failed(&r->store.report) == 1);
	/* of a goal that is not there nothing can be said */
	unknown = !is_written || d->missing || (!d->source && !r->goal);
	r->board.status.settled = r->board.status.covered = r->board.status.retries;
	r->board.status.pending = false;
	cache_trim(r->dir.cache, r->goal, r->spec.config->cache_max);
	status_board_set_state(&r->board, failed ? AGENT_FAILED :
	    r->aftermath.need != ATTEMPTS_NEED_NONE ? AGENT_NEEDS_REBOOT : AGENT_IDLE);
	r->spec.settled(unknown ? EXIT_TROUBLE : failed || aftermath_is_pending(&r->aftermath) ?
	    EXIT_NO : EXIT_OK, r->spec.cookie);
	if (!r->spec.once && !r->stopping)
		aftermath_carry_out(&r->aftermath, r->spec.config);
}

/* A deployment taken back: there is nothing to run, only to say. */
static void
take_back(struct reconciler *r)
{
	const struct cycle_outcome cancelled = { .cancelled = true, .code = RESULT_CANCELLED, .details = "",
	    .waiting = JSON_ABSENT, .held = JSON_ABSENT, .held_ms = -1 };
	char now[CLOCK_TEXT];

	waiting_check_stop(r->waiting_check);
	loop_timer_stop(r->loop, &r->held);
	snprintf(r->board.status.workflow, sizeof r->board.status.workflow, "%s", r->goal->id);
	report_begin(&r->store.report, r->goal);
	report_end(&r->store.report, r->goal, &cancelled, clock_now(now));
	reconcile_cycle_write_report(r);
	r->board.status.waiting = 0;
	reconcile_cycle_log(r, "workflow %s: taken back", r->goal->id);
}

/* It was, and nothing has been begun since that may have undone it. */
static bool
is_completed(const struct reconciler *r)
{
	const char *id = report_completed(&r->store.report), *last = report_workflow(&r->store.report);

	return id && strcmp(id, r->goal->id) == 0 && last && strcmp(last, id) == 0 &&
	    report_has_failed(&r->store.report) != 1;
}

/* Is the goal being fetched, or does that begin now? */
static bool
is_fetching(struct reconciler *r)
{
	if (!r->is_refreshing && !r->has_refreshed && r->spec.refresh)
		r->is_refreshing = r->spec.refresh(r->spec.cookie);
	return r->is_refreshing;
}

static void
tell_modules(struct reconciler *r, struct goal *g)
{
	if (g->action != GOAL_CANCEL || g->modules)
		r->spec.modules(TAKE_PTR(g->modules), r->spec.cookie);
}

/* What it was accepted by may have changed since: agent.conf, and the files of rootkeys.d. */
static bool
is_still_accepted(struct reconciler *r)
{
	const bool was_revoked = r->desired.revoked;
	struct goal *g = NULL;
	struct fail f;

	if (desired_state_check(&r->desired, &g, &f) < 0) {
		status_board_set_note(&r->board, f.text);
		if (!was_revoked)
			r->spec.modules(NULL, r->spec.cookie);
		return false;
	}
	if (was_revoked) {
		status_board_set_note(&r->board, "");
		if (g)
			tell_modules(r, g);
	}
	goal_free(g);
	return true;
}

static void
next_decide(struct reconciler *r)
{
	if (r->cycle)
		return;		/* until it has ended */
	if (r->stopping) {
		status_board_set_state(&r->board, AGENT_STOPPED);
		return;
	}
	if (reconcile_cycle_is_occupied("", r)) {
		/* a step of the host may change anything: all waits for its end */
		show_adoption(r);
		return;
	}
	if (r->retry_wanted || !r->has_asked) {
		/* the hub first */
		if (is_fetching(r))
			return;
		r->has_asked = true;
		if (r->retry_wanted)
			refresh_goal(r);
	}
	if (r->goal && (r->retry_wanted || r->goal_is_new || !r->started) && !is_still_accepted(r)) {
		outcome_settle(r);
	} else if (r->goal && r->goal->action == GOAL_CANCEL) {
		if (r->goal_is_new)
			take_back(r);
		outcome_settle(r);
	} else if (!r->goal || r->goal->action == GOAL_MODULES) {
		outcome_settle(r);
	} else if (!r->started || r->retry_wanted) {
		r->started = true;
		reconcile_cycle_begin(r);
	} else if (r->goal_is_new && is_completed(r)) {
		reconcile_cycle_log(r, "workflow %s: completed already, not run again", r->goal->id);
		outcome_settle(r);
	} else if (r->goal_is_new) {
		reconcile_cycle_begin(r);
	} else {
		outcome_settle(r);
	}
}

/* --- the goal */

/* Is G the deployment that is wanted already, whatever else it says now? */
static bool
is_same(const struct goal *a, const struct goal *b)
{
	return a && b && a->action == b->action && strcmp(a->id, b->id) == 0;
}

static bool
asks_again(const struct goal *g, const struct goal *was)
{
	return g->retry_timestamp && (!was->retry_timestamp ||
	    strcmp(g->retry_timestamp, was->retry_timestamp) != 0);
}

/* What an earlier agent left running for another goal is ended as a cycle of ours would be. */
static void
adopted_runs_replace(struct reconciler *r)
{
	const struct agent_config *config = r->spec.config;

	if (!r->adoption || !r->goal)
		return;
	if (r->goal->action == GOAL_CANCEL)
		adoption_cancel(r->adoption, NULL, config->stop_grace_ms);
	else if (config->cancel_on_replace)
		adoption_cancel(r->adoption, r->goal->id, config->stop_grace_ms);
}

/*
 * G takes the place of the goal; a running cycle keeps the old one until it has
 * ended.  The same deployment once more may come with other addresses: it is
 * taken, and run again only where it is not completed, or a new retryTimestamp
 * asks for it.
 */
static void
runs_adopt(struct reconciler *r, struct goal *g)
{
	struct goal *was = r->goal;
	bool same = is_same(g, was);
	bool again = same && asks_again(g, was);

	r->goal = g;
	r->goal_is_new = true;
	if (!same)
		waiting_check_reset(r->waiting_check);
	r->retry_wanted |= again;
	r->board.status.pending |= again;
	if (r->cycle && !same)
		cycle_cancel(r->cycle, g->action == GOAL_CANCEL || r->spec.config->cancel_on_replace ?
		    CYCLE_END : CYCLE_WAIT);
	if (!same)
		adopted_runs_replace(r);
	if (was != r->running)
		goal_free(was);
	tell_modules(r, g);
}

/* Read the hub's goal.  If it is wrong, the status says why, and the goal before it stays in force. */
static void
refresh_goal(struct reconciler *r)
{
	const bool was_wrong = reconcile_cycle_has_wrong_goal(r);
	struct goal *g = NULL;
	struct fail f;
	int e = desired_state_refresh(&r->desired, &g, &f);

	if (e == -ENOENT && *r->board.link_note)
		status_board_show_note(&r->board, r->board.link_note);	/* why there is none */
	else if (e < 0 && !(e == -ENOENT && r->desired.damaged))
		status_board_set_note(&r->board, f.text);
	else if (was_wrong && !reconcile_cycle_has_wrong_goal(r))
		status_board_set_note(&r->board, "");
	if (e > 0)
		runs_adopt(r, g);
}

static void
load_kept_goal(struct reconciler *r)
{
	struct fail f;
	int e = desired_state_load(&r->desired, &r->goal, &f);

	if (e < 0 && e != -ENOENT)
		status_board_set_note(&r->board, f.text);
	if (e == 0)
		tell_modules(r, r->goal);
}

/* The standing note may say something else. */
static void
on_reporting(void *cookie)
{
	struct reconciler *r = cookie;

	status_board_set_standing_note(&r->board, r->board.report_note, report_store_note(&r->store));
	status_board_publish_soon(&r->board);
}

static int
load_report(struct reconciler *r, struct fail *f)
{
	struct fail note;
	int e = report_store_open(&r->store, r->loop, r->dir.path, r->spec.config, reconcile_cycle_on_log,
	    on_reporting, r, &note, f);

	if (e == 0)
		status_board_set_standing_note(&r->board, r->board.report_note, report_store_note(&r->store));
	if (*note.text)
		status_board_set_note(&r->board, note.text);
	r->board.status.waiting = (int64_t)report_waiting(&r->store.report);
	return e;
}

/* A component that was waited for is online, or an attempt is due: another cycle. */
static void
cycle_is_due(void *cookie)
{
	struct reconciler *r = cookie;

	r->retry_wanted = true;
	next_decide(r);
}

static void
reconciler_shutdown(void *cookie)
{
	struct reconciler *r = cookie;

	r->stopping = true;
	waiting_check_stop(r->waiting_check);
	loop_timer_stop(r->loop, &r->held);
	status_board_set_state(&r->board, AGENT_STOPPING);
	adoption_free(TAKE_PTR(r->adoption));
	if (r->cycle) {
		r->holds_loop = true;	/* until on_done() */
		loop_hold(r->loop);
		cycle_cancel(r->cycle, CYCLE_DETACH);
	} else {
		next_decide(r);
	}
}

static struct desired_policy
policy_of(const struct agent_config *c)
{
	return (struct desired_policy){ c->allow_unsigned, c->allow_modules, c->trust_hub };
}

int
reconcile_new(struct loop *l, const struct reconcile_spec *spec, struct reconciler **out,
    struct fail *f)
{
	struct reconciler *r = xcalloc(1, sizeof *r);
	int e;

	*r = (struct reconciler){
		.loop = l, .spec = *spec, .dir = STATE_DIR_INIT,
		.held = { .fn = cycle_is_due, .cookie = r },
		.waiting_check = waiting_check_new(l, &spec->inventory, cycle_is_due, r),
		.shutdown = { .fn = reconciler_shutdown, .cookie = r }, .decide = next_decide,
	};
	status_board_init(&r->board, l, spec->publish, spec->log, spec->cookie);
	aftermath_init(&r->aftermath, l, &(struct aftermath_callbacks){
	    on_aftermath_note, reconcile_cycle_on_log, on_restart, on_due, r });
	e = state_dir_open(spec->state, &r->dir, f);
	if (e == 0) {
		const struct desired_policy policy = policy_of(spec->config);

		desired_state_init(&r->desired, spec->goal, spec->goal_name, r->dir.path, &policy);
		e = result_journal_open(r->dir.path, &r->results, f);
	}
	if (e == 0)
		e = attempts_open(r->dir.path, &spec->config->attempts, &r->attempts, f);
	if (e == 0)
		e = load_report(r, f);
	if (e < 0)
		reconcile_free(r);
	else
		*out = r;
	return e;
}

static void
finish_start(struct reconciler *r)
{
	state_dir_remove_work(&r->dir);
	state_dir_remove_temporaries(&r->dir);
	load_kept_goal(r);
	if (r->goal)
		snprintf(r->board.status.workflow, sizeof r->board.status.workflow, "%s", r->goal->id);
	refresh_goal(r);
	adopted_runs_replace(r);
	cache_remove_parts(r->dir.cache, r->goal);
	next_decide(r);
}

/* Its result belongs to its own workflow, whatever the goal is now. */
static void
adopted_run_ended(const struct handler_run_record *run, const struct handler_result *result, void *cookie)
{
	struct reconciler *r = cookie;
	const struct cycle_result c = { .step = run->step, .component = run->component,
	    .phase = handler_result_phase(run->action), .code = result->code, .erc = result->erc,
	    .details = result->details };
	const char *counted = attempts_workflow(r->attempts);

	handler_log_output(run->step, run->component, run->action, result->output, reconcile_cycle_on_log, r);
	r->retry_wanted = true;		/* its component was left alone meanwhile */
	if (counted && strcmp(counted, run->workflow) == 0)
		attempts_set_installed(r->attempts, run->step, run->component,
		    run->action == HANDLER_INSTALL && result->code > 0);
	if (counted && strcmp(counted, run->workflow) == 0 && attempts_need_of(result->code) != ATTEMPTS_NEED_NONE)
		attempts_ask(r->attempts, run->step, run->component, attempts_need_of(result->code));
	if (counted && strcmp(counted, run->workflow) == 0 && result->code > 0 &&
	    (run->action == HANDLER_BACKUP || run->action == HANDLER_RESTORE))
		attempts_set_backup(r->attempts, run->step, run->component, result->code == RESULT_BACKUP_SUCCESS);
	if (run->action == HANDLER_APPLY || result->code <= 0)
		reconcile_cycle_add_result(r, run->workflow, &c);
	else
		reconcile_cycle_log(r, "%s: %s: %s: %d", run->step, run->component, handler_result_phase(run->action),
		    result->code);
}

static void
adopted_run_restoring(struct handler_call *call, void *cookie)
{
	const struct reconciler *r = cookie;

	call->run_dir = reconcile_cycle_run_dir(cookie);
	call->new_privileges = r->spec.config->new_privileges;
	call->timeout_ms = r->spec.config->script_timeout_ms;
	call->grace_ms = r->spec.config->stop_grace_ms;
}

static void
adoption_done(void *cookie)
{
	struct reconciler *r = cookie;

	r->adoption = NULL;
	if (!r->cycle)
		state_dir_remove_work(&r->dir);
	reconcile_cycle_update_busy(r);
	next_decide(r);
}

void
reconcile_start(struct reconciler *r, const struct status *s)
{
	_cleanup_free_ char *mark = NULL;
	const struct adoption_callbacks callbacks = { adopted_run_ended, adopted_run_restoring, adoption_done, r };
	char waiting_note[STATUS_TEXT];
	const int64_t waiting = r->board.status.waiting;
	const bool paused = r->board.status.paused;

	memcpy(waiting_note, r->board.status.note, sizeof waiting_note);
	r->board.status = *s;
	r->board.status.waiting = waiting;
	r->board.status.paused = paused;
	r->board.status.is_unsigned = r->spec.config->allow_unsigned;
	memcpy(r->board.status.note, waiting_note, sizeof waiting_note);
	snprintf(r->board.status.report, sizeof r->board.status.report, "%s", r->store.path);
	status_board_set_state(&r->board, AGENT_STARTING);
	loop_stage_add(r->loop, &r->shutdown);
	/* attached handlers of an agent that was killed must not go on beside ours */
	mark = xasprintf("%s/", r->dir.work);
	if (procset_signal_mark(mark, SIGKILL) > 0)
		reconcile_cycle_log(r, "ended what an earlier agent had left running");
	r->adoption = adoption_start(r->loop, r->dir.runs, &callbacks);
	report_store_start(&r->store);
	reconcile_cycle_update_busy(r);
	for (const struct handler_run_record *run = NULL; r->adoption && (run = adoption_next(r->adoption, run)); )
		reconcile_cycle_log(r, "workflow %s: %s: %s goes on, as an earlier agent began it", run->workflow, run->step,
		    handler_result_phase(run->action));
	finish_start(r);
}

void
reconcile_look(struct reconciler *r)
{
	const bool was_wrong = reconcile_cycle_has_wrong_goal(r);

	refresh_goal(r);
	if (r->goal_is_new || reconcile_cycle_has_wrong_goal(r) || was_wrong)
		next_decide(r);
}

void
reconcile_set_source(struct reconciler *r, const char *goal, const char *name)
{
	const struct desired_policy policy = policy_of(r->spec.config);
	struct fail f;

	r->is_refreshing = false;
	if (report_store_set_config(&r->store, r->spec.config, &f) < 0)
		status_board_set_note(&r->board, f.text);
	status_board_set_standing_note(&r->board, r->board.report_note, report_store_note(&r->store));
	report_store_start(&r->store);
	desired_state_set_source(&r->desired, goal, name, &policy);
	r->board.status.is_unsigned = r->spec.config->allow_unsigned;
}

void
reconcile_refreshed(struct reconciler *r)
{
	r->is_refreshing = false;
	r->has_refreshed = true;
	next_decide(r);
}

void
reconcile_note(struct reconciler *r, const char *text)
{
	/* "no goal was received" says less than the reason */
	if (r->desired.missing && *text)
		status_board_show_note(&r->board, r->board.link_note);
	status_board_set_standing_note(&r->board, r->board.link_note, text);
	status_board_publish(&r->board);
}

void
reconcile_tell(struct reconciler *r, bool paused, const char *text)
{
	r->board.status.paused = paused;
	if (text)
		snprintf(r->board.status.call, sizeof r->board.status.call, "%s", text);
	if (r->board.status.pid > 0)	/* else reconcile_start() does */
		status_board_publish(&r->board);
}

void
reconcile_flush(struct reconciler *r, loop_fn *done, void *cookie)
{
	report_store_flush(&r->store, done, cookie);
}

void
reconcile_stop(struct reconciler *r)
{
	r->stopping = true;
	status_board_set_state(&r->board, AGENT_STOPPING);
}

void
reconcile_publish(struct reconciler *r)
{
	status_board_publish(&r->board);
}

void
reconcile_retry(struct reconciler *r, unsigned n, bool anew)
{
	if (anew) {
		attempts_reset(r->attempts);
		reconcile_cycle_log(r, "attempts are counted anew");
	}
	r->board.status.retries += n;
	r->retry_wanted = r->board.status.pending = true;
	/* at once: the next requester reads this count */
	status_board_publish(&r->board);
	next_decide(r);
}

void
reconcile_free(struct reconciler *r)
{
	if (!r)
		return;
	status_board_release(&r->board);
	loop_timer_stop(r->loop, &r->held);
	waiting_check_free(r->waiting_check);
	attempts_close(r->attempts);
	loop_stage_remove(r->loop, &r->shutdown);
	aftermath_release(&r->aftermath);
	adoption_free(r->adoption);
	goal_free(r->goal);
	result_journal_close(r->results);
	report_store_release(&r->store);
	desired_state_release(&r->desired);
	state_dir_release(&r->dir);
	free(r);
}
