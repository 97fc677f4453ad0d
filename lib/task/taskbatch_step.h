/*
 * taskbatch_step - what a batch asks of the agent next, beside the output: which
 * request, for which task, and its path and body.  One is under way at a time.
 */
#ifndef TASK_TASKBATCH_STEP_H
#define TASK_TASKBATCH_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "task/adopted.h"
#include "task/taskbatch_set.h"
#include "task/taskbatch_task.h"

/* RELEASE follows a HISTORY that was merged. */
enum taskbatch_step { BATCH_IDLE, BATCH_SUBMIT, BATCH_ADOPT, BATCH_KILL, BATCH_HISTORY, BATCH_RELEASE };

/*
 * The step for the tasks S in SESSION, and *OF, the task of a SUBMIT, ADOPT or
 * KILL.  BLOCKED: the agent takes no more tasks until some are released.
 */
enum taskbatch_step taskbatch_step_next(const struct taskbatch_set *s, int64_t session, bool blocked,
    struct taskbatch_task **of);

/* What a body says besides the task. */
struct taskbatch_step_call {
	int64_t id;			/* of the request */
	int64_t session;
	struct adopted_mark adopted;	/* the last history record that was merged */
	bool leave;			/* the policy of the session */
	int signo, signals;		/* the last signal that came; how many there were */
};

/* The path of the request of STEP for T, to be freed. */
char *taskbatch_step_path(enum taskbatch_step step, const struct taskbatch_task *t, struct adopted_mark adopted);

/* Its body; JSON_ABSENT where it has none. */
struct json taskbatch_step_body(enum taskbatch_step step, const struct taskbatch_task *t, const struct taskbatch_set *s,
    const struct taskbatch_step_call *c);

#endif
