/*
 * agent - the task agent as its requests see it: the store, the requests that
 * wait, and what a caller may see.
 */
#ifndef TASK_AGENT_H
#define TASK_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "task/store.h"
#include "task/waiters.h"

/* Open: filled in by the program that serves it (task/taskd.h). */
struct task_agent {
	struct store *store;
	struct waiters *waiters;
	int64_t run;			/* an HLC: this process of the agent */
	gid_t admin_group;		/* its members see and end all tasks; (gid_t)-1: none */
};

/* May UID see and end the tasks of all? */
bool task_agent_is_admin(const struct task_agent *a, uid_t uid);

/* May UID see T? */
bool task_agent_may_see(const struct task_agent *a, uid_t uid, const struct taskrecord *t);

#endif
