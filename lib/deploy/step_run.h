/*
 * step_run - one step of those of deploy/steps.h: its handler's calls, its attempts, how it ends.
 *
 * deploy/steps says in which order the actions of a step follow each other.  What is here ends the
 * steps, or answers a question, and starts nothing.  The struct is open because both work on it.
 */
#ifndef DEPLOY_STEP_RUN_H
#define DEPLOY_STEP_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "deploy/attempts.h"
#include "deploy/cycle_context.h"
#include "deploy/handler.h"
#include "deploy/plan.h"
#include "deploy/step_files.h"

/* The steps of one stage on one component. */
struct steps {
	struct cycle_context *c;
	const struct plan_stage *stage;
	struct json component;		/* JSON_ABSENT for the host */
	const char *id;			/* of the component, "" for the host */
	size_t step;			/* the one it is at */
	struct step_files files;
	bool resumes;			/* it is installed already, and only to be applied */
	bool attempted;			/* the step was begun to be installed */
	bool verifies;			/* is-installed runs for the second time, after apply */
	bool restores_first;		/* restore runs before another attempt, not after a failed one */
	int32_t kept_code, kept_erc;	/* a result that is reported later: of apply, while it is verified, */
	char *kept_details;		/* and the failure, while restore runs */
	enum handler_action action, failed_action;	/* the latter while restore runs */
	struct handler *handler;	/* running, or NULL */
	struct canceller *canceller;	/* the same: the handler's own cancel, before HANDLER is ended */
};

const struct manifest_step *step_run_current(const struct steps *s);

/* "step_0.1"; to be freed. */
char *step_run_name(const struct steps *s);

/* A call of the current step's handler.  Its work directory lives as long as the step's. */
struct handler_call step_run_call(const struct steps *s, enum handler_action action, int64_t timeout_ms);

bool step_run_has_action(const struct steps *s, enum handler_action action);

/* R is the result of the current action. */
void step_run_add_result(struct steps *s, const struct handler_result *r);

/* R is reported later. */
void step_run_keep_result(struct steps *s, const struct handler_result *r);

/* The steps have ended; FAILED: later stages leave the component out. */
void step_run_end(struct steps *s, bool failed);

/* They have ended with the failure R, or with one whose details are F's text. */
void step_run_fail(struct steps *s, const struct handler_result *r);
void step_run_fail_with(struct steps *s, const struct fail *f);

/* R, a success, asks for NEED: they have ended for this cycle, or failed at the third wish. */
void step_run_ask(struct steps *s, enum attempts_need need, const struct handler_result *r);

/* Does the step still wait for what it asked for?  They have ended then. */
bool step_run_is_awaited(struct steps *s);

/* May it be tried now?  If not, they have ended. */
bool step_run_may_try(struct steps *s);

/* From now on it is one attempt more.  False: that cannot be kept, and they have ended. */
bool step_run_begin_attempt(struct steps *s);

#endif
