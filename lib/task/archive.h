/*
 * archive - the history of a target's tasks as the controller keeps it, and the
 * release of tasks whose end is in it.
 */
#ifndef TASK_ARCHIVE_H
#define TASK_ARCHIVE_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/json.h"
#include "task/controller.h"
#include "task/inquiry.h"

/* The path that asks for the records after MARK; an agent with another store answers with all that it has. */
char *archive_path(struct adopted_mark mark, int wait_s);

/* What BODY, of a release, says of the records that are here. */
void archive_describe(struct json *body, struct adopted_mark mark);

/* Merge what is new at the agent into the local history, after a wait of at most WAIT_S. */
int archive_merge(const struct inquiry_agent *a, struct controller *c, int wait_s, struct fail *f);

/* The same, which waits for an agent that has answered before (inquiry_follow()). */
int archive_follow(const struct inquiry_agent *a, struct inquiry_link *l, struct controller *c, int wait_s,
    struct fail *f);

/* Add the ids of all tasks that are over at the agent to IDS, an array. */
int archive_find_over(const struct inquiry_agent *a, struct json *ids, struct fail *f);

/* Merge the history, then have the agent remove the tasks IDS.  *REFUSED: [{"id","error","reason"}]. */
int archive_release(const struct inquiry_agent *a, struct controller *c, struct json ids, struct json *refused,
    struct fail *f);

/* Is ITEM, a member of "refused" in the answer to a release, a task that the agent does not know? */
bool archive_is_unknown(struct json item);

/* Forget the sessions of the tasks that are no longer there, by V, the agent's answer to a release. */
void archive_forget(struct controller *c, struct json v);

#endif
