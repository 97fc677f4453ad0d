/*
 * backlog - reports the progress of a controller that fetches the output which its task
 * wrote while the link was down: at the beginning, and then every two seconds.  Less
 * than 1 MiB is not reported.
 */
#ifndef TASK_BACKLOG_H
#define TASK_BACKLOG_H

#include <stdint.h>

#include "task/taskevent.h"

struct backlog {
	int64_t bytes, fetched;	/* bytes 0: nothing to report */
	int64_t due_ms;		/* of the next report */
};

/* There are BYTES to be fetched.  NOW: milliseconds of any clock that does not go back. */
void backlog_begin(struct backlog *b, int64_t bytes, const struct taskevent_sink *events, int64_t now);

/* N more bytes were fetched. */
void backlog_add(struct backlog *b, int64_t n, const struct taskevent_sink *events, int64_t now);

#endif
