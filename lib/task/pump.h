/*
 * pump - bytes to standard output and standard error, from a loop, without
 * blocking it: a reader that is slow holds up the output and not the heartbeats.
 */
#ifndef TASK_PUMP_H
#define TASK_PUMP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/loop.h"

/* Open: a member of its owner, which zeroes it. */
struct pump {
	struct loop *loop;
	int fd;
	struct buf bytes;
	size_t done;
	bool watched;
	int error;		/* errno of a failed write: the rest is dropped */
	loop_fn *empty;		/* called when all is written, or has failed */
	void *cookie;
};

void pump_init(struct pump *p, struct loop *l, int fd, loop_fn *empty, void *cookie);
void pump_release(struct pump *p);

void pump_write(struct pump *p, const char *bytes, size_t n);
bool pump_is_empty(const struct pump *p);

#endif
