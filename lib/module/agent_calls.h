/*
 * agent_calls - what the link asks of the agent through its command pipe: pause, resume, restart.
 *
 * A frame (retry/frame.h) has the profile's call-command, the method and a number:
 *
 *	call pause 1764424983000
 *
 * The outcome is `call` of the status file, "METHOD NUMBER OUTCOME[ DETAILS]", with the outcomes of
 * hub/devicecall.h; that of a restart that succeeds is the next incarnation.
 *
 * A writer of the pipe gets what `allow` of [hub] names, in the agent's profile or in that of
 * "report = hub:NAME", and no more.
 *
 * The restart is rejoin-restart(1), within the limit of [restart], as a run under a shim that outlives
 * the agent; where the agent is a service of root's, in a transient unit (supervise/supervise.h).
 */
#ifndef MODULE_AGENT_CALLS_H
#define MODULE_AGENT_CALLS_H

#include "agent/profile.h"
#include "base/loop.h"
#include "deploy/agent_config.h"
#include "module/modules.h"

struct agent_calls_spec {
	const struct profile *profile;
	const struct agent_config *config;
	const char *state;		/* the agent's directory */
	struct modules *modules;
	/* TEXT is `call` of the status. */
	void (*outcome)(const char *text, void *cookie);
	void (*log)(const char *text, void *cookie);
	void *cookie;
};

struct agent_calls;

/* SPEC is copied; what it points to must live until agent_calls_free(). */
struct agent_calls *agent_calls_new(struct loop *l, const struct agent_calls_spec *spec);

/* Carry out TEXT, "METHOD NUMBER". */
void agent_calls_run(struct agent_calls *c, const char *text);

/* Free C; a restart that is under way continues. */
void agent_calls_free(struct agent_calls *c);

#endif
