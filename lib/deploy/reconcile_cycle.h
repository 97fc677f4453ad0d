/*
 * reconcile_cycle - one cycle of a reconciler (deploy/reconcile.h): its begin, what it tells
 * while it runs, and what is known and reported after its end.
 *
 * The struct is open to reconcile.c, which decides when a cycle begins.
 */
#ifndef DEPLOY_RECONCILE_CYCLE_H
#define DEPLOY_RECONCILE_CYCLE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/loop.h"
#include "deploy/adoption.h"
#include "deploy/aftermath.h"
#include "deploy/cycle.h"
#include "deploy/desired_state.h"
#include "deploy/goal.h"
#include "deploy/reconcile.h"
#include "deploy/report_store.h"
#include "deploy/result_journal.h"
#include "deploy/state_dir.h"
#include "deploy/status_board.h"
#include "deploy/waiting_check.h"

struct reconciler {
	struct loop *loop;
	struct reconcile_spec spec;
	struct state_dir dir;
	struct desired_state desired;
	struct goal *goal;			/* the one that is wanted; NULL for none */
	struct goal *running;			/* what the cycle works on, once GOAL is another */
	struct result_journal *results;
	struct attempts *attempts;
	struct waiting_check *waiting_check;
	struct loop_timer held;			/* until the next attempt is due */
	struct report_store store;		/* of the report */
	bool is_refreshing, has_refreshed;	/* the goal is being fetched; it was, for the next cycle */
	bool has_asked;				/* the source was asked for the goal at the start, whatever came of it */
	struct status_board board;
	struct cycle *cycle;
	struct aftermath aftermath;		/* of the last cycle */
	struct adoption *adoption;		/* of what an earlier agent left running; else NULL */
	bool started, goal_is_new, retry_wanted, stopping;
	bool holds_loop;			/* its stage of the shutdown waits for the end of the cycle */
	bool is_busy;				/* as spec.busy() was told */
	unsigned unreachable;			/* cycles in a row that could not fetch all files */
	struct loop_stage shutdown;
	void (*decide)(struct reconciler *r);	/* what to do next, once a cycle has ended */
};

/* A line for the agent's log. */
PRINTF(2, 3) void reconcile_cycle_log(struct reconciler *r, const char *fmt, ...);

/* TEXT to the agent's log as it is; COOKIE is the reconciler. */
void reconcile_cycle_on_log(const char *text, void *cookie);

/* Is there anything wrong with the goal's file, or with the one that was kept? */
bool reconcile_cycle_has_wrong_goal(const struct reconciler *r);

/* Write the report, if it says something new; false, with a note in the status, where it could not be written. */
bool reconcile_cycle_write_report(struct reconciler *r);

/* The result C of WORKFLOW to the journal, and to the report where that is of the same workflow. */
void reconcile_cycle_add_result(struct reconciler *r, const char *workflow, const struct cycle_result *c);

/* Is a run of an earlier agent still under way on COMPONENT, "" for the host?  COOKIE is the reconciler. */
bool reconcile_cycle_is_occupied(const char *component, void *cookie);

/* Tell the specification's callback whether there is work that another agent must not do beside us. */
void reconcile_cycle_update_busy(struct reconciler *r);

/* A directory, not there yet, for a run of a handler (deploy/handler_run.h); to be freed.  COOKIE is the reconciler. */
char *reconcile_cycle_run_dir(void *cookie);

/* Begin a cycle for the goal, which is there; none runs. */
void reconcile_cycle_begin(struct reconciler *r);

#endif
