/*
 * aftermath - what the last cycle left to be done before the next one can go on: a reboot,
 * a restart of the agent, the file of hold-until.
 *
 * The reboot command is run once by each incarnation of the agent.
 */
#ifndef DEPLOY_AFTERMATH_H
#define DEPLOY_AFTERMATH_H

#include <stdbool.h>

#include "base/loop.h"
#include "deploy/agent_config.h"
#include "deploy/attempts.h"

struct aftermath_callbacks {
	void (*note)(const char *text, void *cookie);	/* for the status */
	void (*log)(const char *text, void *cookie);
	loop_fn *restart;		/* the agent is to restart */
	/* Another cycle is due in WAIT_MS. */
	void (*due)(int64_t wait_ms, void *cookie);
	void *cookie;
};

struct aftermath {
	enum attempts_need need;
	bool is_on_hold;		/* something is held back until the file exists */
	/* Private: */
	struct loop *loop;
	const struct agent_config *config;
	struct aftermath_callbacks callbacks;
	struct filewatch *hold;		/* of the file, while it holds something back */
	struct spawn *reboot;		/* the command, while it runs */
	bool has_rebooted;		/* it was run by this incarnation */
};

void aftermath_init(struct aftermath *a, struct loop *l, const struct aftermath_callbacks *callbacks);
void aftermath_release(struct aftermath *a);

/* A cycle begins: nothing is left of the last one. */
void aftermath_clear(struct aftermath *a);

/* Does anything keep the deployment from its end? */
bool aftermath_is_pending(const struct aftermath *a);

/* Do what is left, as CONFIG says, which must live as long as A. */
void aftermath_carry_out(struct aftermath *a, const struct agent_config *config);

#endif
