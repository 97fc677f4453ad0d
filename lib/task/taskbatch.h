/*
 * taskbatch - many tasks in one session: requests are read as lines, submitted one
 * after the other, and what happens to them is written as records.
 *
 * A line is an object as POST /1/tasks takes it, without "session" and "on_loss";
 * "argv" is required, and a task with an "id" that is there is continued, not run
 * again.  The records, a line each, where "line" counts from 1:
 *
 *	{"event":"submitting","line":N,"task":ID}
 *	{"event":"output","line":N,"task":ID,"stream":"out"|"err","offset":N,"text":TEXT}
 *					"base64" instead of "text" where it is not UTF-8
 *	{"event":"dropped","line":N,"task":ID,"stream":...,"from":N,"to":N}
 *	{"event":"end","line":N,"task":ID,"state":NAME,"exit":N,"status":{...},"reason":TEXT}
 *					the last record of a task; state "refused": it was not submitted
 *
 * Each byte of output comes once, and the end of a task after its last byte.
 */
#ifndef TASK_TASKBATCH_H
#define TASK_TASKBATCH_H

#include <stdbool.h>

#include "base/fail.h"
#include "task/client.h"
#include "task/controller.h"
#include "task/coupling.h"
#include "task/taskevent.h"

struct taskbatch_spec {
	struct loop *loop;
	struct client *client;
	struct controller *controller;
	const char *name, *label;	/* of the target; of the controller */
	struct link_timing timing;
	bool keep;			/* do not release tasks at their end */
	int in_fd;			/* the lines; records go to standard output */
	struct taskevent_sink events;	/* of the link */
};

/*
 * Run SPEC; returns EXIT_OK where all tasks exited with 0, EXIT_NO where one did
 * not, TASKEVENT_UNKNOWN where the fate of one is not known, TASKEVENT_FAILED
 * with F filled where there was no session.
 */
int taskbatch_run(const struct taskbatch_spec *spec, struct fail *f);

#endif
