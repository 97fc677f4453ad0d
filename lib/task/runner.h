/*
 * runner - the controller's side of one task: submit it, copy its output, learn
 * its end, merge the history, release it.  It goes on through cuts of the
 * connection and restarts of the agent (task/coupling.h) until the task is over,
 * or the agent is lost.
 */
#ifndef TASK_RUNNER_H
#define TASK_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "task/client.h"
#include "task/controller.h"
#include "task/coupling.h"
#include "task/taskevent.h"

struct runner_spec {
	struct loop *loop;
	struct client *client;
	struct controller *controller;
	const char *name;		/* of the target, for messages */
	const char *label;		/* the controller's name, for lists */
	int64_t task;			/* its id; 0: a new one */
	struct json request;		/* its "argv" and the rest, borrowed; JSON_ABSENT: it is there (attach) */
	struct link_timing timing;
	bool keep;			/* do not release it at its end */
	bool detach;			/* return when it is recorded */
	bool ended;			/* the task is there and over */
	bool is_terminal;		/* ask what Ctrl-C is to do */
	struct taskevent_sink events;
};

/*
 * Run SPEC; returns the status to exit with (task/taskevent.h), with F filled
 * where it is TASKEVENT_FAILED, else empty.  *TASK is the task's id, 0 where it got none.
 */
int runner_run(const struct runner_spec *spec, int64_t *task, struct fail *f);

#endif
