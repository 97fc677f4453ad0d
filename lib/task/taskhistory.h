/*
 * taskhistory - what happened to the tasks, one JSON object a line, oldest first.
 *
 *	{"id":HLC,"task":HLC,"owner":UID,"session":HLC,"event":NAME,"time":"...",...}
 *
 * NAME is recorded, started, ended, killed, unknown, failed, expired or
 * released; ended and killed have the member "status" (supervise/outcome.h),
 * failed has "reason".  Ids rise, and never repeat.
 * Of the lines that are dropped, task/forgotten.h keeps what is needed for no
 * task to be run again.
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

struct taskhistory;

/* The file PATH, which is made; at most MAX bytes of it and of the one before are kept. */
struct taskhistory *taskhistory_open(const char *path, size_t max, struct hlc *clock, struct fail *f);
void taskhistory_close(struct taskhistory *h);

/* Add EVENT of a task with the members of MORE (an object or JSON_ABSENT). */
int taskhistory_add(struct taskhistory *h, int64_t task, uid_t owner, int64_t session, const char *event, struct json more);

/* What was added is on the disk when this returns 0. */
int taskhistory_sync(struct taskhistory *h);

/* Does it hold an event that ends TASK? */
bool taskhistory_has_end(const struct taskhistory *h, int64_t task);

/* May it have held one for TASK of OWNER, and dropped it? */
bool taskhistory_may_have_dropped(const struct taskhistory *h, uid_t owner, int64_t task);

/* The id of the last record; 0 for none. */
int64_t taskhistory_last(const struct taskhistory *h);

/* The lines with an id over AFTER, of OWNER (-1: of all), into OUT, up to MAX bytes. */
int taskhistory_read(struct taskhistory *h, int64_t after, int64_t owner, size_t max, struct buf *out);

#endif
