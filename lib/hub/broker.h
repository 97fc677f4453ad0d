/*
 * broker - a connection to an MQTT broker that is kept up: the states of hub/connection.h,
 * with a name resolved (hub/resolver.h) and a client (hub/mqtt.h) where a state needs them.
 *
 * The owner subscribes and publishes; what was sent and not confirmed is the owner's to
 * send again when `up` is called after a loss.
 */
#ifndef HUB_BROKER_H
#define HUB_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"
#include "base/logger.h"
#include "base/loop.h"
#include "hub/connection.h"

struct broker_callbacks {
	/* The topics to subscribe to, freed with xfree_strv(). */
	char **(*topics)(void *cookie);
	/* Subscribed: records may be published.  FIRST of this connection, then every 5 s until broker_fetched(). */
	void (*up)(bool first, void *cookie);
	void (*synced)(void *cookie);
	/* The connection is lost, or ended. */
	void (*down)(void *cookie);
	/* Stop: true when nothing is left to send, else broker_drained() says so. */
	bool (*drain)(void *cookie);
	/* The last chance to publish before DISCONNECT. */
	void (*leave)(void *cookie);
	void (*off)(void *cookie);		/* the stop is over */
	void (*received)(const char *topic, const char *payload, size_t len, void *cookie);
	void (*published)(int mid, void *cookie);
	void (*changed)(void *cookie);		/* the state, or what broker_why() says */
	struct logger log;
	void *cookie;
};

struct broker_spec {
	struct loop *loop;
	const struct profile_hub *conf;		/* borrowed */
	const char *id;				/* the client id */
	const char *will_topic, *will;		/* retained; NULL for none */
	bool clean_session;
};

struct broker;

/*
 * EXIT_USAGE for a broker that is none, EXIT_DENIED where a file of secrets cannot be used: they are
 * read again for each connection, so that they can be replaced.  What SPEC points to is borrowed.
 */
int broker_new(const struct broker_spec *spec, const struct broker_callbacks *cb, struct broker **out, struct fail *f);
void broker_free(struct broker *b);

void broker_start(struct broker *b);
void broker_stop(struct broker *b);

/* The attributes are there: SYNCED. */
void broker_fetched(struct broker *b);
void broker_drained(struct broker *b);

/* QoS 1, and with MQTT 5 an expiry in seconds, 0 for none.  The number of its PUBACK; -ENOTCONN, -EIO,
 * and -EBADMSG for a message that the client or the broker's limits do not admit: the connection goes on. */
int broker_publish(struct broker *b, const char *topic, const char *payload, size_t len, bool retain, int64_t expiry_s);

bool broker_is_up(const struct broker *b);
enum connection_state broker_state(const struct broker *b);
bool broker_is_denied(const struct broker *b);
const char *broker_why(const struct broker *b);	/* of the last loss; "" for none */

#endif
