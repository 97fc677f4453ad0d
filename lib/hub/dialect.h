/*
 * dialect - how what a device and its controller say to each other is written as
 * MQTT messages: topics and payloads.  No transport: messages come in and go out.
 *
 *	evp1, evp2	Sony's Edge Virtualization Platform, schemas EVP1 and EVP2
 *	thingsboard	ThingsBoard's device API for MQTT
 *	rejoin		our own, in which every record is acknowledged by the collector
 *
 * The first three use the topics of ThingsBoard's device API below v1/devices/me.
 * Sources: that API's documentation; recorded traffic of the EVP agent, which the
 * tests replay (test/data/evp).  The topics and bodies are listed in rejoin-hub(1).
 *
 * What is received becomes an event that is the same in each dialect.  Attributes
 * are an object with these members:
 *
 *	goal				the goal, any JSON value; null: withdrawn
 *	configuration/INSTANCE/TOPIC	a value: a string, or {"base64":TEXT} where
 *					it is not UTF-8; null: deleted
 *	anything else			as received
 *
 * What is sent is a record of the outbox, an object:
 *
 *	{"id","prev","acked","sub","kind","key","value","time"}
 *
 *	kind		key			value
 *	report		"" or an attribute	all attributes as an object, or that one
 *	state		INSTANCE/TOPIC		a string or {"base64":TEXT}
 *	telemetry	INSTANCE/KEY		any
 *	log		INSTANCE[/STREAM]	a string
 *	answer		the call's id		{"call":CALL,"status":WORD,"response":any}
 *
 * where CALL is what dialect_call_json() makes, and time is RFC 3339.
 */
#ifndef HUB_DIALECT_H
#define HUB_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"

enum {
	DIALECT_PAYLOAD_MAX = 1 << 20,	/* bytes of a message */
	DIALECT_KEYS_MAX = 4096,	/* shared attributes */
	DIALECT_FETCH_ID = 10000,	/* number of the request for the goal; those to read back follow */
};

enum dialect_kind {
	DIALECT_NOTHING,	/* the device's own message, or one that does not concern it */
	DIALECT_LEVEL,		/* all attributes */
	DIALECT_CHANGE,		/* those that changed */
	DIALECT_REPORTED,	/* what the hub holds of our reports */
	DIALECT_CALL,		/* a call of the device */
	DIALECT_RESPONSE,	/* the response to a call of ours */
	DIALECT_ACK,		/* the collector holds all records up to an id */
};

struct dialect_event {
	enum dialect_kind kind;
	struct json attributes;		/* LEVEL, CHANGE, REPORTED */
	char *id, *instance, *method;	/* CALL: instance is "$agent" for the device itself */
	struct json params;		/* CALL; RESPONSE: the response */
	int64_t deadline_ms;		/* CALL: wall time, 0 for none */
	int64_t number;			/* CALL, RESPONSE: of the topic */
	int64_t urgent, bulk;		/* ACK: ids, -1 for none */
};

#define DIALECT_EVENT_INIT	{ .kind = DIALECT_NOTHING, .urgent = -1, .bulk = -1 }
void dialect_event_release(struct dialect_event *e);
#define _cleanup_dialect_event_	__attribute__((cleanup(dialect_event_release)))

struct dialect_message {
	char *topic;
	struct buf payload;
	bool retain;
};

#define DIALECT_MESSAGE_INIT	{ NULL, BUF_INIT, false }
void dialect_message_release(struct dialect_message *m);
#define _cleanup_dialect_message_	__attribute__((cleanup(dialect_message_release)))

/* What a device's messages depend on; borrowed. */
struct dialect_context {
	const char *id;			/* the client id */
	const char *goal_key;		/* the attribute that is the goal; NULL: deployment */
	char *const *groups;		/* of the fleet, NULL-terminated; NULL for none */
};

struct dialect {
	const char *name;
	bool acknowledged;	/* the collector acknowledges; else reports are read back */
	bool has_level;		/* the attributes are requested; else they are retained messages */
	bool has_calls;		/* the device can call the hub */
	bool reports_by_key;	/* attributes: sent as they are, and read back */

	/* The topics to subscribe to, to be freed with xfree_strv(). */
	char **(*subscriptions)(const struct dialect_context *c);

	/* Fill M with the request for the attributes. */
	void (*fetch)(const struct dialect_context *c, struct dialect_message *m);

	/*
	 * What the message is, into E, which is DIALECT_EVENT_INIT.  EXIT_USAGE where it is
	 * one of the dialect's topics and its payload is wrong.
	 */
	int (*receive)(const struct dialect_context *c, const char *topic, const char *payload, size_t len,
	    struct dialect_event *e, struct fail *f);

	/* RECORD as a message.  EXIT_USAGE where it cannot be one. */
	int (*encode)(const struct dialect_context *c, struct json record, struct dialect_message *m, struct fail *f);

	/* The call METHOD of the hub by number N. */
	void (*call)(const struct dialect_context *c, int64_t n, const char *method, struct json params,
	    struct dialect_message *m);
};

/*
 * Is RECORD one that D can send?  As its encode, without the message.  A
 * submission is checked so before it is accepted.
 */
int dialect_check(const struct dialect *d, struct json record, struct fail *f);

/* E, a call, as an object: {"id","instance","method","params","deadline","number"}. */
struct json dialect_call_json(const struct dialect_event *e);

/* --- for the dialects (hub/thingsboard.h, hub/native.h) */

/* The bytes of a string or of {"base64":TEXT}, added to OUT; of another value its JSON text. */
int dialect_bytes(struct json value, struct buf *out);

/* LEN bytes as a string, or as {"base64":TEXT}. */
struct json dialect_text(const char *p, size_t len);

/* What follows PREFIX in TOPIC; NULL where TOPIC does not begin so. */
const char *dialect_after(const char *topic, const char *prefix);

#endif
