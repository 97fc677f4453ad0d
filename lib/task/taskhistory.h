/*
 * taskhistory - what happened to the tasks, one JSON object a line, oldest first
 * (task/historyfile.h).  Ids rise, and never repeat.
 *
 *	{"id":HLC,"task":HLC,"owner":UID,"session":HLC,"event":NAME,"time":"...",...}
 *
 * NAME is recorded, started, ended, killed, unknown, failed, expired or
 * released; ended and killed have the member "status" (supervise/outcome.h),
 * failed has "reason".
 *
 * A record is kept until the controllers of its owner have released it.  Then it
 * may be dropped, a quarter of the maximum at a time; a reader that asks for records
 * from before that gets one more, with the id of the last one that was dropped:
 * {"id":HLC,"task":0,"owner":UID,"session":0,"event":"dropped",...}.
 * Of what is dropped, task/forgotten.h keeps what is needed for no task to be run again.
 *
 * The thread of the committer brings records to the disk; only those that are
 * there are read.
 */
#ifndef TASK_TASKHISTORY_H
#define TASK_TASKHISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/hlc.h"
#include "base/json.h"
#include "task/committer.h"

struct taskhistory;

/* The file PATH, which is made; of released records at most MAX / 2 bytes are kept. */
struct taskhistory *taskhistory_open(const char *path, int64_t max, struct hlc *clock, struct committer *c,
    struct fail *f);

/* The committer has been drained. */
void taskhistory_close(struct taskhistory *h);

/*
 * Add EVENT of a task with the members of MORE (an object or JSON_ABSENT).  What
 * a full disk does not take is kept in memory, and written when there is room.
 */
void taskhistory_add(struct taskhistory *h, int64_t task, uid_t owner, int64_t session, const char *event,
    struct json more);

/* DONE is told when all that was added is on the disk, or that it cannot be. */
void taskhistory_commit(struct taskhistory *h, committer_done *done, void *cookie);
bool taskhistory_is_committed(const struct taskhistory *h);

/* The controllers of OWNER have the records up to ID. */
void taskhistory_release(struct taskhistory *h, uid_t owner, int64_t id);

/*
 * May OWNER have no more tasks?  0; -ENOSPC where records cannot be written;
 * -EDQUOT where MAX / 2 bytes of records are kept that are not released, some of them OWNER's.
 */
int taskhistory_room(const struct taskhistory *h, uid_t owner);

/* Does it hold an event that ends TASK; is TASK one of OWNER's; and is the event on the disk? */
bool taskhistory_has_end(const struct taskhistory *h, int64_t task);
bool taskhistory_has_end_of(const struct taskhistory *h, uid_t owner, int64_t task);
bool taskhistory_has_committed_end(const struct taskhistory *h, int64_t task);

/* May it have held one for TASK of OWNER, and dropped it? */
bool taskhistory_may_have_dropped(const struct taskhistory *h, uid_t owner, int64_t task);

/* The id of the last record; 0 for none. */
int64_t taskhistory_last(const struct taskhistory *h);

/* The lines with an id over AFTER, of OWNER (-1: of all), into OUT, up to MAX bytes. */
int taskhistory_read(const struct taskhistory *h, int64_t after, int64_t owner, size_t max, struct buf *out);

#endif
