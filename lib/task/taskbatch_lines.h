/*
 * taskbatch_lines - the lines of a batch, read from a descriptor on a loop while they
 * are wanted.
 */
#ifndef TASK_TASKBATCH_LINES_H
#define TASK_TASKBATCH_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"

enum { TASKBATCH_LINE_MAX = 2 << 20 };

/* Open: a member of its owner, which zeroes it. */
struct taskbatch_lines {
	struct loop *loop;
	int fd;
	bool watched, at_end;
	int64_t count;			/* lines so far, empty ones as well */
	struct buf bytes;
	/* a line that is not empty, without its newline; LINE NULL and ERR an errno: it cannot be read, and is the last */
	void (*line)(int64_t number, const char *line, size_t len, int err, void *cookie);
	loop_fn *read;			/* some were read, or the end was */
	void *cookie;
};

void taskbatch_lines_init(struct taskbatch_lines *l, struct loop *loop, int fd);
void taskbatch_lines_release(struct taskbatch_lines *l);

/* Read on, or hold up the writer of the lines. */
void taskbatch_lines_want(struct taskbatch_lines *l, bool wanted);

/* No more are read. */
void taskbatch_lines_end(struct taskbatch_lines *l);

#endif
