/*
 * tasklog - what a task has written, copied to standard output and standard error.
 */
#ifndef TASK_TASKLOG_H
#define TASK_TASKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "task/inquiry.h"
#include "task/taskevent.h"

/*
 * Copy the output of TASK: standard output, then standard error; with FROM >= 0
 * standard output alone, from that byte on.  FOLLOW: until the task is over, both
 * streams as they come.  A range that is no longer there is reported.
 */
int tasklog_copy(const struct inquiry_agent *a, int64_t task, int64_t from, bool follow,
    const struct taskevent_sink *events, struct fail *f);

#endif
