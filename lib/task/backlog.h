/*
 * backlog - how much of what was written during a cut has been fetched, for the
 * user: reported at the beginning and then every two seconds.  Less than 1 MiB
 * is not worth a word.
 */
#ifndef TASK_BACKLOG_H
#define TASK_BACKLOG_H

#include <stdint.h>

#include "task/taskevent.h"

struct backlog {
	int64_t bytes, fetched;	/* bytes 0: there is none */
	int64_t due_ms;		/* of the next report */
};

/* BYTES are to be fetched, at NOW on any clock that rises. */
void backlog_begin(struct backlog *b, int64_t bytes, const struct taskevent_sink *events, int64_t now);

/* N of them were. */
void backlog_add(struct backlog *b, int64_t n, const struct taskevent_sink *events, int64_t now);

#endif
