/*
 * adoption - take over the handlers that an earlier agent left running under their
 * shims (deploy/handler_run.h).
 *
 * For each run directory: a run that is still running is waited for; one that has ended is
 * reported as its result file and status say; one whose shim was killed is
 * reported as interrupted, after its remaining processes were killed.  None is
 * started a second time.  A directory in which nothing was executed is removed.
 * An install or apply that has failed is undone at once, by the handler's restore,
 * whatever the goal is now: no later attempt may be there to do it.
 */
#ifndef DEPLOY_ADOPTION_H
#define DEPLOY_ADOPTION_H

#include <stdbool.h>

#include "base/loop.h"
#include "deploy/handler.h"
#include "deploy/handler_run.h"

struct adoption_callbacks {
	/* A run has ended.  When this returns its directory is removed, so the result must be on disk. */
	void (*ended)(const struct handler_run_record *record, const struct handler_result *r, void *cookie);
	/*
	 * An install or apply has failed, and the handler can undo it: how restore is to be run, of CALL the
	 * members run_dir (to be freed by the adoption), new_privileges, timeout_ms and grace_ms.
	 */
	void (*restoring)(struct handler_call *call, void *cookie);
	/* All have; called once, from the loop, after which the adoption is gone. */
	void (*done)(void *cookie);
	void *cookie;
};

struct adoption;

/* Take over the runs in DIR; NULL where there are none: DONE is not called then. */
struct adoption *adoption_start(struct loop *l, const char *dir, const struct adoption_callbacks *callbacks);

/* The runs that are waited for: the first one (PREVIOUS is NULL), or the one after PREVIOUS; NULL for none. */
const struct handler_run_record *adoption_next(const struct adoption *a, const struct handler_run_record *previous);

/* Is one still under way on COMPONENT, "" for the host? */
bool adoption_is_on(const struct adoption *a, const char *component);

/*
 * A goal of the workflow SPARED has replaced theirs (NULL: they are all taken back): end the
 * runs of other workflows, each after its handler's own cancel, which has GRACE_MS.
 * They are reported as cancelled.
 */
void adoption_cancel(struct adoption *a, const char *spared, int64_t grace_ms);

/* Free A, which may be NULL; the runs continue. */
void adoption_free(struct adoption *a);

#endif
