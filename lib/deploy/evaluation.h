/*
 * evaluation - are the criteria met by a component: yes, no, or unknown.
 *
 * Unknown never counts as no.  An offline or unreadable component is unknown.
 * Of several steps, one no makes it no; without a no, one unknown makes it
 * unknown; else it is yes.
 */
#ifndef DEPLOY_EVALUATION_H
#define DEPLOY_EVALUATION_H

#include <stdint.h>

#include "base/json.h"
#include "base/loop.h"
#include "deploy/criteria.h"

enum evaluation_answer {
	EVALUATION_NO, EVALUATION_YES,
	EVALUATION_UNKNOWN,
	EVALUATION_NOT_SELECTED,	/* no step is for this component */
};

struct evaluation {
	enum evaluation_answer answer;
	const char *criteria;	/* the version, program or installedCriteria that decided; or NULL */
	const char *reason;	/* why it is not yes; or NULL */
	const char *output;	/* of the last script; "" for none */
};

struct evaluation_spec {
	const struct criteria *criteria;
	const char *user;	/* that runs handlers; NULL: the caller's */
	int64_t timeout_ms, grace_ms;	/* of each script */
};

/* How many components have which answer. */
struct evaluation_tally {
	int64_t yes, no, unknown;
};

void evaluation_tally_add(struct evaluation_tally *t, enum evaluation_answer answer);

/* EXIT_TROUBLE with one unknown, EXIT_NO with one no or no component at all, else EXIT_OK. */
enum exit_status evaluation_tally_status(const struct evaluation_tally *t);

/* V is valid during the call. */
typedef void evaluation_done(struct json component, const struct evaluation *v, void *cookie);

/*
 * Evaluate COMPONENT, which is copied.  DONE is called once: before this returns
 * where no program has to run, else from the loop.  SPEC must live until then.
 */
void evaluation_start(struct loop *l, const struct evaluation_spec *spec, struct json component,
    evaluation_done *done, void *cookie);

/* A copy of COMPONENT with "installed", "criteria" and "reason" set. */
struct json evaluation_record(struct json component, const struct evaluation *v);

#endif
