/*
 * tasklist - the tasks that an answer of the agent lists, and records of the
 * history: a table for a person, or an object a line.
 */
#ifndef TASK_TASKLIST_H
#define TASK_TASKLIST_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"

/* The answer V to GET /1/tasks into OUT: a table for COLUMNS (0: no limit), or an object a line. */
void tasklist_format(struct json v, bool as_table, unsigned columns, struct buf *out);

/* The records of TEXT (LEN bytes of JSON Lines, task/taskhistory.h) the same way. */
void tasklist_format_history(const char *text, size_t len, bool as_table, unsigned columns, struct buf *out);

#endif
