/*
 * cycle - one evaluation of a goal: the components are enumerated, and each one
 * selected is brought to its goal or reported with the reason why not.
 *
 * For each component and step, in order: is-installed; where it is not installed:
 * download the step's payloads, backup, install, apply, and is-installed again.
 * A success that the last one does not confirm is a failure (ERC_NOT_SEEN); what
 * failed after a backup is restored.
 * deploy/attempts.h decides whether a step may be installed now; else the
 * component is held, or has failed.  A component's failure ends its own steps
 * and those of no other, unless the configuration says so.  An offline component
 * is waited for.  A step whose selectors match no component at all is reported
 * with 604.
 */
#ifndef DEPLOY_CYCLE_H
#define DEPLOY_CYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/loop.h"
#include "component/enumerate.h"
#include "deploy/goal.h"
#include "deploy/agent_config.h"

/* The result of one action of a step on one component. */
struct cycle_result {
	const char *step;		/* "step_0" of the host, "step_1.0" of a reference step's first */
	const char *component;		/* its id; "" for the host */
	const char *phase;		/* handler_result_phase() */
	int32_t code, erc;		/* deploy/handler.h */
	const char *details;
};

struct cycle_outcome {
	bool cancelled;
	bool failed;
	int32_t code, erc;		/* of the first that failed, else of a success */
	const char *details;
	struct json waiting;		/* array of records; borrowed for the call */
	struct json held;		/* array of {"id","step","attempt","attempts","at"}; borrowed */
	enum attempts_need need;	/* what a step waits for */
	bool is_on_hold;		/* by hold-until */
	bool is_occupied;		/* a run of an earlier agent is under way on a component: spec.is_occupied */
	int64_t held_ms;		/* until the first of HELD is due; -1 for none */
	bool is_unreachable;		/* files could not be fetched that may be there later */
};

struct cycle_spec {
	const struct goal *goal;
	const struct agent_config *config;
	struct enumerate_spec inventory;	/* its PROBLEM and COOKIE are the cycle's */
	struct attempts *attempts;		/* of the goal's workflow */
	const char *work, *cache;	/* directories; WORK is the cycle's alone */
	/* Callbacks, as it happens: */
	void (*working)(void *cookie);	/* the first component needs something done */
	void (*phase)(const char *phase, size_t done, size_t total, void *cookie);
	/* A download: GOT of SIZE bytes (-1: not known), RATE bytes a second. */
	void (*fetching)(int64_t got, int64_t size, int64_t rate, void *cookie);
	void (*result)(const struct cycle_result *r, void *cookie);
	void (*log)(const char *line, void *cookie);	/* what handlers print (deploy/handler_log.h) */
	void (*done)(const struct cycle_outcome *o, void *cookie);	/* once; the cycle is gone after it */
	/* A path for the run directory of a handler (deploy/handler_run.h), to be freed. */
	char *(*run_dir)(void *cookie);
	/* Is a run of an earlier agent under way on COMPONENT?  Nothing is begun on it then. */
	bool (*is_occupied)(const char *component, void *cookie);
	void *cookie;
};

struct cycle;

/* SPEC is copied; what it points to must live until DONE. */
struct cycle *cycle_start(struct loop *l, const struct cycle_spec *spec);

enum cycle_end {
	CYCLE_WAIT,	/* wait for handlers that change a component */
	CYCLE_END,	/* end these as well */
	CYCLE_DETACH,	/* these run on without the agent */
};

/*
 * Start nothing more, and end the attached handlers.  DONE is called when all have ended.
 * A later call counts where HOW is further down in the list.
 */
void cycle_cancel(struct cycle *c, enum cycle_end how);

#endif
