/*
 * sender - what sends the records of the outbox, and decides when one is confirmed.
 *
 * Urgent records go first.  At most SENDER_WINDOW of them, and as many of bulk, are
 * sent and not confirmed, and no more once these have SENDER_BYTES.  A PUBACK says that the broker has a message, not that the
 * receiver will: a broker that is killed loses messages that it has acknowledged.  So
 *
 *	dialect rejoin		a record is confirmed by the collector's acknowledgement;
 *				without one for 10 s it is sent again
 *	the others		a PUBACK confirms telemetry, logs and answers.  Reports and
 *				states are kept in reported.json, read back after each
 *				connection and 60 s after a change, and sent again where the
 *				hub has another value
 *
 * A hub that does not answer when it is read back is asked again with the next connection;
 * until then a PUBACK confirms reports as well (sender_confirms_end_to_end()).
 */
#ifndef HUB_SENDER_H
#define HUB_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/logger.h"
#include "base/loop.h"
#include "hub/dialect.h"
#include "hub/outbox.h"

enum {
	SENDER_WINDOW = 100, SENDER_BYTES = 4 << 20, SENDER_AGAIN_MS = 10000, SENDER_READ_BACK_MS = 60000, SENDER_ANSWER_MS = 5000,
	SENDER_WAITED_MS = 1000,
};

struct sender_callbacks {
	/* Send M; the number of its PUBACK, or a negative errno: -EBADMSG where M can be sent by no connection. */
	int (*publish)(const struct dialect_message *m, void *cookie);
	/* The record ID of the submission SUB, which asked for its result, is confirmed. */
	void (*confirmed)(const char *sub, int64_t id, const char *how, void *cookie);
	/* The record ID, of the submission SUB if that asked for its result, can be no message: a range of one that was dropped is sent for it. */
	void (*refused)(const char *sub, int64_t id, const struct fail *why, void *cookie);
	void *cookie;
};

struct sender_spec {
	struct loop *loop;
	const struct dialect *dialect;
	const struct dialect_context *context;
	struct outbox *outbox;
	const char *dir;	/* of the link */
	struct logger log;
};

struct sender;

struct sender *sender_new(const struct sender_spec *spec, const struct sender_callbacks *cb);
void sender_free(struct sender *s);

/* A connection is there: everything that is not confirmed is sent, in order. */
void sender_start(struct sender *s);

/* It is lost. */
void sender_stop(struct sender *s);

/* Records were added. */
void sender_pump(struct sender *s);

void sender_published(struct sender *s, int mid);		/* PUBACK */
void sender_acknowledged(struct sender *s, int64_t urgent, int64_t bulk);	/* -1: not named */
void sender_reported(struct sender *s, int64_t number, struct json values);	/* read back */

/* Nothing is sent and not confirmed, and nothing is left to send. */
bool sender_is_idle(const struct sender *s);
bool sender_confirms_end_to_end(const struct sender *s);

#endif
