/*
 * producer - a program that gives records to the link, and waits for their results: what
 * rejoin-hub send, answer and call do.
 *
 * Values are checked as their dialect sends them before they are submitted
 * (hub/submission.h).  EXIT_USAGE for a wrong value, EXIT_BUSY where the urgent queue is
 * full, EXIT_TIMEOUT and what the other side refused as submission_wait() has it.
 */
#ifndef HUB_PRODUCER_H
#define HUB_PRODUCER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "hub/dialect.h"

struct producer {
	const char *dir;		/* of the link */
	const struct dialect *dialect;
	bool wait;			/* for the result */
	int64_t timeout_ms;
};

/* Is KIND a kind of record that send takes? */
bool producer_is_kind(const char *kind);

/*
 * The bytes of a value of KIND: telemetry, reports and calls are JSON, states and logs any bytes,
 * answers JSON or any bytes.  producer_read() reads them from FD, at most DIALECT_PAYLOAD_MAX.
 */
int producer_read(const char *kind, int fd, struct json *out, struct fail *f);
int producer_value(const char *kind, const struct buf *b, struct json *out, struct fail *f);

/* Submit VALUE, which is taken.  Returns 0, or 1 where the other side answered no. */
int producer_send(const struct producer *p, const char *kind, const char *key, struct json value, struct fail *f);

/*
 * The lines {"key","value"[,"time"]} of FD, as they come: what is there is one submission.
 * WRONG is called for each line and submission that was refused.  Returns an exit status.
 */
int producer_send_lines(const struct producer *p, const char *kind, int fd, void (*wrong)(const struct fail *f), struct fail *f);

/* Call METHOD of the hub with PARAMS, which are taken, and wait.  0 or 1 as above, with RESPONSE. */
int producer_call(const struct producer *p, const char *method, struct json params, struct json *response, struct fail *f);

#endif
