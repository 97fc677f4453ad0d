/*
 * agent_run - the reference agent as a whole, from its start to its end.
 *
 * One loop has the command pipe (deploy/command_pipe.h), the source of the goal, the reconciler that
 * brings components to it, and the modules of the goal.  SIGTERM and SIGINT end the agent in order;
 * SIGHUP reads the configuration anew, or ends an agent that has a terminal.  It belongs to this room
 * because modules stand on deployments, and not the other way round.
 */
#ifndef MODULE_AGENT_RUN_H
#define MODULE_AGENT_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"

struct agent_run_spec {
	const struct profile *profile;
	char *const *inventories;	/* NULL-terminated */
	const char *state;		/* the state directory */
	const char *goal;		/* file:PATH, http: or https:; NULL for that of agent.conf */
	int64_t jobs;			/* 0 for that of agent.conf */
	bool once;			/* end when the goal is evaluated */
};

/*
 * The exit status of the agent, or a negative errno with F filled where it could not start.  What SPEC
 * points to must live until this returns.
 */
int agent_run(const struct agent_run_spec *spec, struct fail *f);

#endif
