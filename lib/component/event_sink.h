/*
 * event_sink - write events to the stdin of a command, or to stdout.
 *
 * A command has acted on the events when it ends with 0.  Of a pipe only is known
 * that it took all bytes.  Neither blocks the loop: a full pipe is waited for.
 */
#ifndef COMPONENT_EVENT_SINK_H
#define COMPONENT_EVENT_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

struct event_sink_callbacks {
	/* What was written was acted on; or not, and WHY. */
	void (*done)(bool acted, const char *why, void *cookie);
	/* stdout cannot be written any more; ERR is why, 0 where its reader is gone. */
	void (*broken)(int err, void *cookie);
	void *cookie;
};

struct event_sink;

/* ARGV is the command, which must live as long; NULL for stdout. */
struct event_sink *event_sink_new(struct loop *l, char *const *argv, const struct event_sink_callbacks *tell);

/* Write LEN bytes of whole lines; not again before DONE was called. */
void event_sink_write(struct event_sink *o, const char *text, size_t len);

/*
 * O may be NULL; a command that still runs is killed.  The shutdown of the loop
 * ends it before, and DONE is called then.
 */
void event_sink_free(struct event_sink *o);

#endif
