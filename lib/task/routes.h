/*
 * routes - the requests that a task agent answers: rejoin-task-protocol(7).
 */
#ifndef TASK_ROUTES_H
#define TASK_ROUTES_H

#include <sys/types.h>

#include "task/server.h"
#include "task/store.h"
#include "task/waiters.h"

/* Open: filled in by the program that serves them (task/taskd.h). */
struct routes {
	struct store *store;
	struct waiters *waiters;
	int64_t taskd_run;		/* an HLC: this life of the agent */
	gid_t admin_group;		/* its members see and end all tasks; (gid_t)-1: none */
};

/* Answer Q; COOKIE is the struct routes. */
void routes_handle(struct server_request *q, void *cookie);

#endif
