/*
 * stream - the logs of some devices, followed.
 *
 * impCentral has one log stream per account; the last client that opens it gets
 * it.  A lock keeps our processes on this machine from taking it from each other.
 * A process that loses the stream to another client reports that, tries again,
 * and gives up at the third time within ten minutes.  A stream holds a few devices: one that the server
 * takes out is asked for its history from time to time instead.
 *
 * After a break the history is asked for what came meanwhile; what came twice
 * is shown once; what the history does not have any more is a gap.
 */
#ifndef IMP_STREAM_H
#define IMP_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/loop.h"
#include "imp/history.h"

struct imp_stream_ops {
	void (*entry)(const struct imp_entry *e, void *cookie);
	void (*gap)(const char *why, void *cookie);		/* before the next entry */
	void (*tell)(const struct fail *f, void *cookie);	/* EXIT_OK: no error */
	void (*done)(const struct fail *f, void *cookie);	/* it is over: EXIT_BUSY where it was taken away */
	void *cookie;
};

struct imp_stream_spec {
	struct imp *imp;
	struct history *history;	/* the devices are in it */
	int64_t idle_ms;		/* a stream on which nothing comes for so long is broken */
	int64_t poll_ms;		/* between two looks into the history of a device that is not in the stream */
};

struct imp_stream;

/* Both are borrowed.  EXIT_BUSY where another process of ours has the account's stream. */
int imp_stream_start(struct loop *l, const struct imp_stream_spec *spec, const struct imp_stream_ops *ops,
    const struct imp_account *a, struct imp_stream **out, struct fail *f);
void imp_stream_free(struct imp_stream *s);

/* Show what the history has, and was not shown; *F is filled and the result negative where it cannot be read. */
int imp_stream_fill(struct history *h, const struct imp_stream_ops *ops, struct fail *f);

#endif
