/*
 * streams - the answers that may wait for more: the output of a task, that of
 * all tasks of a session, and the history.
 */
#ifndef TASK_STREAMS_H
#define TASK_STREAMS_H

#include "task/agent.h"
#include "task/server.h"

enum { STREAMS_WAIT_MAX_S = 30 };

/* GET /1/tasks/ID/out, err or output, of a task that the caller may see. */
void streams_task(struct task_agent *a, struct server_request *q);

/* GET /1/output */
void streams_session(struct task_agent *a, struct server_request *q);

/* GET /1/history */
void streams_history(struct task_agent *a, struct server_request *q);

#endif
