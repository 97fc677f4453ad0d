/*
 * taskbatch_set - the tasks of a batch that are not released, in the order of
 * their lines; the records of their ends; and the status of all.
 */
#ifndef TASK_TASKBATCH_SET_H
#define TASK_TASKBATCH_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "task/pump.h"
#include "task/taskbatch_task.h"

/* Open: a member of its owner. */
struct taskbatch_set {
	struct taskbatch_task *first, **tail;
	size_t queued, over;		/* how many are not submitted; how many are over and not released */
	int status;			/* EXIT_OK, EXIT_NO where one did not exit with 0, or TASKEVENT_UNKNOWN */
	struct pump *pump;		/* for records */
};

void taskbatch_set_init(struct taskbatch_set *s, struct pump *pump);
void taskbatch_set_release(struct taskbatch_set *s);

/* NULL where there is none. */
struct taskbatch_task *taskbatch_set_find(struct taskbatch_set *s, int64_t id);

/* T is given to it, not submitted. */
void taskbatch_set_add(struct taskbatch_set *s, struct taskbatch_task *t);

/* T is freed. */
void taskbatch_set_remove(struct taskbatch_set *s, struct taskbatch_task *t);

/* T is at the agent, under the lease of SESSION. */
void taskbatch_set_submitted(struct taskbatch_set *s, struct taskbatch_task *t, int64_t session);

/* T is over, as V says (taskbatch_task_end()); it stays until it is released.  RECORDS: more than the pump has yet. */
void taskbatch_set_end(struct taskbatch_set *s, struct taskbatch_task *t, struct json v, struct buf *records);

/* T ends without having been submitted, and is freed. */
void taskbatch_set_refuse(struct taskbatch_set *s, struct taskbatch_task *t, const char *state, const char *reason);

/* The ids of those that are over. */
struct json taskbatch_set_over(const struct taskbatch_set *s);

/* Those that are over stay at the agent: there is nothing more to do with them. */
void taskbatch_set_forget_over(struct taskbatch_set *s);

/* What ITEMS names (ids, or objects with one) is done with: released, or refused, which stays at the agent. */
void taskbatch_set_forget(struct taskbatch_set *s, struct json items);

#endif
