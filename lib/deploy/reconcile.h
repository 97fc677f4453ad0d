/*
 * reconcile - bring the device to its goal, and keep it there.
 *
 * Level-triggered: a changed goal file, a retry request, a start only say "look
 * again".  A cycle runs once at each start, for a new goal, and for the same
 * one when a retry asks for it; otherwise the workflow last completed is not
 * run again.  Any number of retries that come while a cycle runs are one more
 * cycle afterwards.  A new goal ends the running cycle and begins with a fresh
 * selection.
 *
 * In the state directory:
 *
 *	twins/desired.json	the goal, kept before it is acted on
 *	twins/current.json	deploy/report.h, with the id of the report in "report" where it is sent
 *	outbox/			reports that are to be sent: deploy/reporting.h
 *	journal.jsonl		a result record a line
 *	cache/, work/		payloads by their content; handlers' work folders
 *	lock			held by the one agent that works in it
 */
#ifndef DEPLOY_RECONCILE_H
#define DEPLOY_RECONCILE_H

#include <stdbool.h>

#include "agent/status.h"
#include "base/fail.h"
#include "base/loop.h"
#include "component/enumerate.h"
#include "deploy/agent_config.h"
#include "deploy/module_manifest.h"

struct reconcile_spec {
	const struct agent_config *config;
	const char *goal;		/* path of the goal file, or NULL */
	const char *goal_name;		/* what to call it in messages; NULL for its path */
	const char *state;		/* the state directory */
	struct enumerate_spec inventory;
	/* Callbacks, as it happens: */
	void (*publish)(const struct status *s, void *cookie);
	void (*busy)(bool busy, void *cookie);	/* before and after a cycle */
	void (*log)(const char *text, void *cookie);
	/*
	 * Before a cycle that a start or a retry asks for: fetch the goal, and call reconcile_refreshed()
	 * afterwards, from the loop.  False: there is nothing to fetch.
	 */
	bool (*refresh)(void *cookie);
	bool once;			/* reboot and restart nothing */
	void (*restart)(void *cookie);	/* an update asks for a restart of the agent */
	/*
	 * The modules that a goal wants, which the callee owns from here on; NULL: it wants none.  Not
	 * called without a goal, and for one that cancels a workflow.
	 */
	void (*modules)(struct module_manifest *m, void *cookie);
	/* Nothing is left to do: EXIT_OK, EXIT_NO after a failure, EXIT_TROUBLE without a goal. */
	void (*settled)(enum exit_status status, void *cookie);
	void *cookie;
};

struct reconciler;

/*
 * SPEC is copied; what it points to must live until reconcile_free().  EXIT_BUSY
 * where another agent works in the same state directory.
 */
int reconcile_new(struct loop *l, const struct reconcile_spec *spec, struct reconciler **out,
    struct fail *f);

/* The first cycle; S has what the caller knows of itself (agent, pid, incarnation, since). */
void reconcile_start(struct reconciler *r, const struct status *s);

/* Hints: the goal may have changed; N retry requests came. */
void reconcile_look(struct reconciler *r);

/* What spec.refresh began has ended. */
void reconcile_refreshed(struct reconciler *r);

/* The configuration was read anew, and the goal's file is GOAL now, called NAME, or NULL. */
void reconcile_set_source(struct reconciler *r, const char *goal, const char *name);

/* DONE is called, at once or from the loop, once all reports are accepted or sending them has failed. */
void reconcile_flush(struct reconciler *r, loop_fn *done, void *cookie);

/* TEXT is what an operator should know of the way to the hub; "" for nothing. */
void reconcile_note(struct reconciler *r, const char *text);

/* What else the status says: modules are PAUSED; TEXT of the last call of a link, NULL for the one before. */
void reconcile_tell(struct reconciler *r, bool paused, const char *text);

/* Publish the status once more: its file has vanished. */
void reconcile_publish(struct reconciler *r);

/* ANEW: attempts are counted anew as well (retry-failed). */
void reconcile_retry(struct reconciler *r, unsigned n, bool anew);

/* The agent is going to stop: no goal is accepted any more, and the status says so. */
void reconcile_stop(struct reconciler *r);

/*
 * After loop_run(): the shutdown of the loop (base/loop.h) has cancelled the cycle
 * and waited for its end.
 */
void reconcile_free(struct reconciler *r);

#endif
