/*
 * modules - the modules of rejoin-agent: module/manager.h and module/deployment_report.h, as agent.conf
 * and the profile of the link configure them.
 *
 * There are none without allow-modules, unless an earlier configuration has left some: these are stopped.
 * The link is that of "report = hub:NAME".
 */
#ifndef MODULE_MODULES_H
#define MODULE_MODULES_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/logger.h"
#include "deploy/agent_config.h"
#include "deploy/module_manifest.h"

struct modules;

struct modules_spec {
	const struct agent_config *config;
	const char *state;		/* the agent's directory */
	void (*paused)(bool paused, void *cookie);	/* module/manager.h */
	struct logger log;
	void *cookie;
};

/* SPEC is copied; what it points to must live until modules_free(). */
int modules_new(struct loop *l, const struct modules_spec *spec, struct modules **out, struct fail *f);

/* Adopt what runs; their stage of the shutdown is before those that were registered earlier. */
void modules_start(struct modules *m);

/* MANIFEST is wanted, and owned by M; NULL: none is. */
void modules_set(struct modules *m, struct module_manifest *manifest);

/*
 * Try at once what has failed; with INSTANCE that one alone, also where it has ended by itself.
 * False: there is no INSTANCE, or there are no modules.
 */
bool modules_retry(struct modules *m, const char *instance);

/* Pause, or resume.  EXIT_ABSENT where there are no modules. */
int modules_pause(struct modules *m, bool pause, struct fail *f);

/* The configuration was read anew. */
void modules_reload(struct modules *m);

/* After loop_run(). */
void modules_free(struct modules *m);

#endif
