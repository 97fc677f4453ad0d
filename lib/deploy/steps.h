/*
 * steps - the steps of one stage of a goal on one component, or on the host.
 *
 * For each step, in order:
 *
 *	is-installed --yes--> next step
 *	  | no
 *	(restore, of an earlier attempt) -> download -> (backup) -> install -> apply
 *	  -> is-installed again --yes--> next step
 *
 * A failure of install or later is followed by restore where there is a backup,
 * and ends the steps.  A result that asks for a reboot or restart ends them for
 * this cycle; a later cycle goes on.
 */
#ifndef DEPLOY_STEPS_H
#define DEPLOY_STEPS_H

#include "base/json.h"
#include "deploy/cycle_context.h"
#include "deploy/payload_job.h"
#include "deploy/plan.h"

struct steps;

/* On COMPONENT, which it takes; JSON_ABSENT for the host.  C and STAGE must outlive it. */
struct steps *steps_new(struct cycle_context *c, const struct plan_stage *stage, struct json component);

/* Not while they run.  S may be NULL. */
void steps_free(struct steps *s);

/*
 * Begin.  C's RUNNING counts them until they have ended, which can be before this
 * returns; C's advance() is called after whatever happens later.
 */
void steps_begin(struct steps *s);

/* Start nothing more, and end what runs as HOW says. */
void steps_cancel(struct steps *s, enum cycle_end how);

/* The download that is under way; NULL for none. */
const struct payload_job *steps_download(const struct steps *s);

#endif
