/*
 * admission - may a request become a task?  The same request again is the same
 * task; another one with its id, one that may have run, one over a limit and one
 * that the caller may not make are refused.
 */
#ifndef TASK_ADMISSION_H
#define TASK_ADMISSION_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/json.h"
#include "task/store.h"

/*
 * Record the task that the request V (task/submit.h) of OWNER describes, and
 * start it.  FN gets the task, also where it was there before, when it is on the
 * disk; or why it was refused.
 */
void admission_request(struct store *s, uid_t owner, bool is_admin, struct json v, store_answer *fn, void *cookie);

#endif
