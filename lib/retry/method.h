/*
 * method - how a retry request is delivered: one table entry for each value of
 * [retry] method.
 *
 * Errors: EXIT_USAGE without a method; of fifo those of agent/fifo.h; of exec
 * EXIT_NO if the command failed and EXIT_TROUBLE if it could not be run; of
 * signal EXIT_ABSENT if the process does not exist and EXIT_DENIED if it runs
 * another program or may not be signalled; of http those of retry/http_delegate.h;
 * EXIT_TIMEOUT.
 *
 * To add a method: a file method_NAME.c with its entry, a value of enum
 * retry_kind (agent/profile.h) and a line in method.c.
 */
#ifndef RETRY_METHOD_H
#define RETRY_METHOD_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"
#include "retry/delivery.h"

struct retry_method {
	/*
	 * Deliver one request until END_MS on the monotonic clock.  LAST is the
	 * delivery before this one, or all zero; *D is filled in.
	 */
	int (*send)(const struct profile *p, int64_t end_ms, const struct delivery *last,
	    struct delivery *d, struct fail *f);

	/*
	 * Append what send() would do to OUT: lines "WHAT<tab>HOW".  A pipe is
	 * opened to see whether it has a reader.  The error is what a delivery
	 * would end with.
	 */
	int (*describe)(const struct profile *p, struct buf *out, struct fail *f);
};

/* The entry for P's [retry] method; never NULL. */
const struct retry_method *retry_method_find(const struct profile *p);

extern const struct retry_method retry_method_fifo, retry_method_exec, retry_method_signal,
    retry_method_http;

/*
 * Set D's time and target from the agent's counters: the requests that it has
 * read so far, the UNREAD bytes in its pipe, and LAST.
 */
void retry_method_set_target(const struct profile *p, int unread, const struct delivery *last,
    struct delivery *d);

#endif
