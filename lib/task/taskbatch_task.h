/*
 * taskbatch_task - one task of a batch, and the records that are written of it.
 */
#ifndef TASK_TASKBATCH_TASK_H
#define TASK_TASKBATCH_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "task/frames.h"
#include "task/taskrequest.h"

struct taskbatch_task {
	int64_t line, id;	/* id 0: it has none yet */
	struct json request;	/* until it is submitted */
	char nonce[TASKREQUEST_NONCE];	/* where the id is ours; else empty */
	int claims, sent;	/* how many ids it had; how often it was submitted with this one */
	int64_t held_by;	/* the session that has its lease; 0: not submitted yet */
	int64_t at[2];		/* offsets of the next bytes of both streams */
	bool announced;		/* that it is being submitted */
	bool over;		/* its end was written */
	bool to_kill;		/* a signal for it has not been sent */
	struct taskbatch_task *next;
};

/* The member "id" of REQUEST; 0 for none. */
int64_t taskbatch_task_id(struct json request);

/* REQUEST is given to it. */
struct taskbatch_task *taskbatch_task_new(int64_t line, struct json request);
void taskbatch_task_free(struct taskbatch_task *t);

/* The records, added to OUT. */
void taskbatch_task_submitting(const struct taskbatch_task *t, struct buf *out);

/* What F says; bytes that were written before are passed over.  False where F does not follow on them. */
bool taskbatch_task_frame(struct taskbatch_task *t, const struct task_frame *f, struct buf *out);

/*
 * The end: V is the agent's description of the task, or an object with "state"
 * and "reason".  Returns its status (task/taskevent.h).
 */
int taskbatch_task_end(struct taskbatch_task *t, struct json v, struct buf *out);

#endif
