/*
 * ending - the end of a task that was never started (failed, expired, or killed
 * before), on its way to the disk.  Meanwhile it is neither over nor started.
 */
#ifndef TASK_ENDING_H
#define TASK_ENDING_H

#include "task/committer.h"
#include "task/taskrecord.h"

/* ERR 0: T is on the disk as ended in STATE for REASON; else it has not ended. */
typedef void ending_done(struct taskrecord *t, enum taskrecord_state state, const char *reason, int err, void *cookie);

/* T lives until FN is called. */
void ending_add(struct committer *c, struct taskrecord *t, enum taskrecord_state state, const char *reason,
    ending_done *fn, void *cookie);

#endif
