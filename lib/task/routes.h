/*
 * routes - the requests that a task agent answers: rejoin-task-protocol(7).
 */
#ifndef TASK_ROUTES_H
#define TASK_ROUTES_H

#include "task/server.h"

/* Answer Q; COOKIE is the struct task_agent. */
void routes_handle(struct server_request *q, void *cookie);

#endif
