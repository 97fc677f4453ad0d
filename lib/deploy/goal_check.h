/*
 * goal_check - a goal in a file, read as an operator asks for it, and reviewed on this device.
 *
 * The goal is read as agent.conf says: manifests behind http URLs through its [link], each source tried
 * once, because the caller waits.  The review (deploy/review.h) uses the root keys and the components of
 * this device, and reports as well what rejoin-agent refuses to start without.
 */
#ifndef DEPLOY_GOAL_CHECK_H
#define DEPLOY_GOAL_CHECK_H

#include <sys/types.h>

#include "base/fail.h"
#include "deploy/agent_config.h"
#include "deploy/preview.h"
#include "deploy/review.h"

struct goal_check {
	struct agent_config config;
	struct preview preview;
};

/* PATH, to be freed, is that of the goal of agent.conf; NULL where that is no file.  Errors: those of agent_config_load(). */
int goal_check_find(char **path, struct fail *f);

/* Errors: those of agent_config_load() and preview_load().  Release C in any case. */
int goal_check_load(const char *path, struct goal_check *c, struct fail *f);
void goal_check_release(struct goal_check *c);

#define _cleanup_goal_check_	__attribute__((cleanup(goal_check_release)))

struct goal_check_spec {
	char *const *inventories;	/* paths, NULL-terminated; where the first is missing, selectors are not checked */
	gid_t group;			/* may write them, too: component/enumerate.h */
	review_finding_fn *finding;
	void (*problem)(const struct fail *f, void *cookie);	/* of the inventories */
	void *cookie;
};

/* Review the goal; the worst level found is in *WORST.  Errors: those of rootkeys_load(). */
int goal_check_run(struct goal_check *c, const struct goal_check_spec *spec, enum review_level *worst, struct fail *f);

#endif
