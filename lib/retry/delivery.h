/*
 * deliver - bring one retry request to an agent, by the method its profile
 * names.
 *
 * Errors: as agent/fifo.h; of exec EXIT_NO where the command failed,
 * EXIT_TROUBLE where it could not be run; of signal EXIT_ABSENT where the
 * process is not there, EXIT_DENIED where it is another program or not ours to
 * signal; EXIT_TIMEOUT.
 */
#ifndef RETRY_DELIVERY_H
#define RETRY_DELIVERY_H

#include <stdint.h>

#include "agent/profile.h"
#include "agent/status.h"
#include "base/buf.h"
#include "base/fail.h"

/* By what a delivered request can be followed. */
struct delivery {
	char incarnation[STATUS_TEXT];	/* of the agent before it; empty where not known */
	int64_t target;		/* "settled" reaches this with the cycle that took it in */
	int64_t at_ms;		/* on the monotonic clock */
	int status;		/* exec: what the command ended with */
};

/*
 * Ask P's agent once, until END_MS on the monotonic clock.  *D is the delivery
 * before this one, or all zero; then this one.
 */
int delivery_send(const struct profile *p, int64_t end_ms, struct delivery *d, struct fail *f);

/*
 * What delivery_send() would do, into OUT: lines "WHAT<tab>HOW".  A pipe is opened to
 * see whether somebody reads it; the error is what a delivery would end with.
 */
int delivery_describe(const struct profile *p, struct buf *out, struct fail *f);

/* KEY=VALUE lines, for the record of the last delivery (retry/pending.h). */
void delivery_format(const struct delivery *d, struct buf *out);
void delivery_parse(const char *text, size_t len, struct delivery *d);

#endif
