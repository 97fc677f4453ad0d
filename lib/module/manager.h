/*
 * manager - brings the modules and instances of a device to what a deployment wants, and keeps them there.
 *
 * One pass is level-triggered and never waits.  It runs at the start, for a new deployment, and when a
 * download, a start or an instance has ended:
 *
 *	1. stop instances that are not wanted, or are wanted with another identity (module/instance.h)
 *	2. drop modules that the deployment does not name
 *	3. fetch those that are missing, as many as possible
 *	4. start the instances of modules that are there, as many as possible
 *	5. write what all are doing: status, report
 *
 *	module	 unknown -> downloading -> ok       instance  unknown -> ok -> stopping -> gone
 *		    ^           |                                ^        |
 *		    +-- error <-+  1 3 6 10 20 40 60 s           |        +-> self-exiting: is not started again
 *						                 +- error (could not be started) 1 3 6 10 20 40 60 s
 *
 * An instance that has ended by itself is started again by a new start of the agent, with another
 * identity, once a deployment has left it out, or by manager_retry().
 *
 * Instances outlive the manager where the agent is killed: the next manager adopts those that have the
 * wanted identity, and stops the others.  Without a deployment it adopts all.
 *
 * While the file STATE/paused exists, no pass runs: nothing is loaded, started or stopped.
 *
 * In STATE: modules/ (module/module_file.h), instances/NAME/ (module/instance.h), and owners, the users of
 * instances (hub/authority.h).
 */
#ifndef MODULE_MANAGER_H
#define MODULE_MANAGER_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/logger.h"
#include "base/loop.h"
#include "deploy/agent_config.h"
#include "deploy/module_manifest.h"

struct manager_spec {
	const struct agent_config *config;
	const char *state;		/* the agent's directory */
	const char *agent;		/* the profile of the link, for instances; NULL for none */
	/* What all are doing has changed: V is deploymentStatus as EVP has it, borrowed. */
	void (*changed)(struct json v, void *cookie);
	/* The file that pauses has been made, or removed. */
	void (*paused)(bool paused, void *cookie);
	struct logger log;
	void *cookie;
};

struct manager;

/* SPEC is copied; what it points to must live until manager_free(). */
int manager_new(struct loop *l, const struct manager_spec *spec, struct manager **out, struct fail *f);

/* Adopt what runs.  Its stage of the shutdown is registered: stop downloads, then all instances, in parallel. */
void manager_start(struct manager *m);

/* MANIFEST is wanted now, and owned by M; NULL: no module is. */
void manager_set(struct manager *m, struct module_manifest *manifest);

/* Start INSTANCE again where it has ended, or try at once what has failed (NULL).  False: there is no INSTANCE. */
bool manager_retry(struct manager *m, const char *instance);

/* Make the file that pauses M, or remove it. */
int manager_pause(struct manager *m, bool pause, struct fail *f);

/* The profile of the link is AGENT from now on, for instances that are started; NULL for none. */
void manager_set_agent(struct manager *m, const char *agent);

/* After loop_run(). */
void manager_free(struct manager *m);

#endif
