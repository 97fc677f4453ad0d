/*
 * delivery - what is remembered of a retry request that was delivered, so that
 * its outcome can be followed.
 */
#ifndef RETRY_DELIVERY_H
#define RETRY_DELIVERY_H

#include <stddef.h>
#include <stdint.h>

#include "agent/status.h"
#include "base/buf.h"

struct delivery {
	char incarnation[STATUS_TEXT];	/* of the agent just before; empty if unknown */
	int64_t target;		/* the agent's "settled" once it has evaluated this request */
	int64_t at_ms;		/* time of the delivery on the monotonic clock */
	int status;		/* exec: exit status of the command */
};

/* KEY=VALUE lines, for the file "delivered" (retry/pending.h). */
void delivery_format(const struct delivery *d, struct buf *out);

/* Unknown keys and lines without "=" are ignored. */
void delivery_parse(const char *text, size_t len, struct delivery *d);

#endif
