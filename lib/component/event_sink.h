/*
 * outlet - where events go: to a command's stdin, or to our stdout.
 *
 * A command has acted on what it was given when it ends with 0.  Of a pipe no
 * more can be known than that it took all of it.  Neither keeps the loop from
 * going on: a pipe that is full is waited for.
 */
#ifndef COMPONENT_EVENT_SINK_H
#define COMPONENT_EVENT_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

struct event_sink_callbacks {
	/* What was handed out was acted on; or not, and WHY. */
	void (*done)(bool acted, const char *why, void *cookie);
	/* Stdout is of no use any more; ERR is why, 0 where the reader is gone. */
	void (*broken)(int err, void *cookie);
	void *cookie;
};

struct event_sink;

/* ARGV is the command, which must live as long; NULL for stdout. */
struct event_sink *event_sink_new(struct loop *l, char *const *argv, const struct event_sink_callbacks *tell);

/* Hand out LEN bytes of whole lines; not again before DONE was called. */
void event_sink_write(struct event_sink *o, const char *text, size_t len);

/*
 * O may be NULL; a command that still runs is killed.  The shutdown of the loop
 * ends it before, and DONE is called then.
 */
void event_sink_free(struct event_sink *o);

#endif
