/*
 * cycle_context - what the parts of one cycle share: its specification, how far it
 * has come, and what its outcome will be.
 *
 * A cycle (deploy/cycle.h) runs steps on several components at once
 * (deploy/steps.h); each of them notes here what it found.  The first failure is
 * the cycle's.
 */
#ifndef DEPLOY_CYCLE_CONTEXT_H
#define DEPLOY_CYCLE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "deploy/cycle.h"
#include "deploy/handler_result.h"
#include "deploy/plan.h"
#include "deploy/workdirs.h"

enum { CYCLE_PROGRESS_MS = 500 };

struct cycle_context {
	struct loop *loop;
	struct cycle_spec spec;
	struct workdirs *workdirs;
	loop_fn *advance;		/* called with COOKIE after what ended from the loop: begin what is next */
	void *cookie;
	struct loop_timer progress;	/* runs CYCLE_PROGRESS_MS after a download began */
	size_t done, total;		/* components, of all stages */
	size_t running;			/* components that are worked on */
	bool cancelled;
	bool stopping;			/* nothing more is begun */
	bool is_working;		/* something was to be done */
	struct cycle_outcome outcome;	/* its DETAILS and WAITING are filled at the end */
	struct buf details;
	struct json skipped_ids;	/* an object, for its keys: components whose later stages are skipped */
};

void cycle_context_init(struct cycle_context *c, struct loop *l, const struct cycle_spec *spec);
void cycle_context_release(struct cycle_context *c);

/* PHASE, NULL for the same as before, to the specification's callback. */
void cycle_context_report_phase(struct cycle_context *c, const char *phase);

/* The name of a stage's step (struct cycle_result), to be freed. */
char *cycle_context_step_name(const struct plan_stage *s, size_t step);

/* R is how ACTION ended: to the specification's callback, and to the outcome where it is a failure. */
void cycle_context_add_result(struct cycle_context *c, const struct plan_stage *s, size_t step,
    const char *component, enum handler_action action, const struct handler_result *r);

/* A failure that no result says, of COMPONENT ("" for none). */
void cycle_context_add_failure(struct cycle_context *c, int32_t code, int32_t erc, const char *component,
    const char *details);

/* F is why files could not be fetched: what a server may have later, another cycle will see. */
void cycle_context_add_unfetched(struct cycle_context *c, const struct fail *f);

/* The next attempt at STEP of COMPONENT, after DONE ones, is due in WAIT_MS.  AT becomes the time. */
void cycle_context_add_held(struct cycle_context *c, const char *step, const char *component, int64_t done,
    int64_t wait_ms, char at[CLOCK_TEXT]);

/* Is the component skipped from now on?  Its steps are in order: none is begun before the one it failed at. */
void cycle_context_skip(struct cycle_context *c, const char *component);
bool cycle_context_is_skipped(const struct cycle_context *c, const char *component);

#endif
