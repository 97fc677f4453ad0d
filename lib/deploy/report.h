/*
 * report - the reported state of the deployment: the "current" twin.
 *
 * The reported property of the Azure agent, and beside it in "rejoin" what that
 * property cannot hold: a result and attempts per component, and the components
 * waited for:
 *
 *	{"deviceUpdate":{"__t":"c","agent":{
 *	   "lastInstallResult":{"stepResults":{"step_0":{...}},"resultCode",
 *	     "extendedResultCodes","resultDetails"},
 *	   "state":0,"workflow":{...},"installedUpdateId":"{...}"}},
 *	 "rejoin":{"completed":ID,"waiting":[{"id","name","since"}],
 *	   "held":[{"id","step","attempt","attempts","at"}],"results":[RESULT...]}}
 *
 * States are those that the service knows: 0 idle, 6 in progress, 255 failed.
 */
#ifndef DEPLOY_REPORT_H
#define DEPLOY_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "deploy/cycle.h"
#include "deploy/goal.h"

enum { REPORT_IDLE = 0, REPORT_IN_PROGRESS = 6, REPORT_FAILED = 255 };

struct report {
	struct json twin;	/* as above */
	struct json results;	/* object: "STEP COMPONENT" -> result record, of the current workflow */
};

/* Begin with TWIN, the last one written (JSON_ABSENT for none). */
void report_init(struct report *r, struct json twin);
void report_release(struct report *r);

/* The workflow last completed, borrowed until the report changes; NULL for none. */
const char *report_completed(const struct report *r);
void report_set_completed(struct report *r, const char *workflow);

/* The workflow that is reported, borrowed; NULL for none. */
const char *report_workflow(const struct report *r);

/* Begin to report the workflow of G: results of another workflow are dropped. */
void report_begin(struct report *r, const struct goal *g);

/* True if the result record RECORD differs from the last one of its step and component. */
bool report_is_news(const struct report *r, struct json record);

/* Add RECORD, which the report then owns, if it is of the reported workflow. */
void report_add_result(struct report *r, struct json record);

/* Add the outcome O of a cycle; NOW is the "since" of components that are newly waited for. */
void report_end(struct report *r, const struct goal *g, const struct cycle_outcome *o,
    const char *now);

/* Set only the state: REPORT_IN_PROGRESS when work starts. */
void report_set_state(struct report *r, const struct goal *g, int state);

/* 1 if the last workflow failed, 0 if it did not, -1 if there was none. */
int report_has_failed(const struct report *r);

/* The number of components that are waited for. */
size_t report_waiting(const struct report *r);

#endif
