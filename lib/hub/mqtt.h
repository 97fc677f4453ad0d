/*
 * mqtt - one MQTT client on a loop, by libmosquitto (2.0): the only module that
 * includes its header.
 *
 * Calls do not block, but for a name of a broker with TLS: libmosquitto checks the
 * certificate against the name that it was given, and resolves that name itself.
 * hub/resolver.h has resolved it in a process of its own before, and the resolver's
 * own retries are limited (RES_OPTIONS), so this takes as long as a cached answer.
 *
 * A client connects once.  After MQTT_LOST it is freed, and a new one is made: no
 * state of the library survives a connection, as the outbox holds everything.
 */
#ifndef HUB_MQTT_H
#define HUB_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/secret.h"

enum mqtt_loss {
	MQTT_LOST_ERROR,	/* of the network, or no answer to a ping */
	MQTT_LOST_DENIED,	/* the broker refuses the client */
	MQTT_LOST_TAKEN_OVER,	/* another client has the id (MQTT 5) */
};

struct mqtt_callbacks {
	void (*connected)(void *cookie);	/* the transport */
	void (*accepted)(void *cookie);		/* CONNACK */
	void (*subscribed)(void *cookie);
	void (*published)(int mid, void *cookie);	/* PUBACK */
	void (*received)(const char *topic, const char *payload, size_t len, void *cookie);
	/* Called once, from the loop.  WHY is in words. */
	void (*lost)(enum mqtt_loss loss, const char *why, void *cookie);
};

struct mqtt_spec {
	const char *id;
	bool version5;
	int keep_alive_s;
	bool clean_session;
	const char *username;			/* NULL for none */
	const struct secret *password;		/* NULL for none */
	bool tls;
	const char *ca_file;			/* NULL: the system's */
	const char *cert_file, *key_file;	/* NULL for none */
	const char *will_topic, *will;		/* retained; NULL for none */
};

struct mqtt;

struct mqtt *mqtt_new(struct loop *l, const struct mqtt_spec *spec, const struct mqtt_callbacks *cb, void *cookie,
    struct fail *f);

/* Drop the connection, if there is one, without a DISCONNECT.  Not from a callback but `lost`. */
void mqtt_free(struct mqtt *m);

/* HOST is an address, or with TLS a name. */
int mqtt_connect(struct mqtt *m, const char *host, int port, struct fail *f);

/* To all of TOPICS, QoS 1; `subscribed` is called once for all. */
int mqtt_subscribe(struct mqtt *m, char *const *topics, struct fail *f);

/*
 * QoS 1; returns the number that `published` has, or a negative errno.  With MQTT 5 the broker
 * drops the message if it is not delivered within EXPIRY_S seconds; 0: it keeps it.
 */
int mqtt_publish(struct mqtt *m, const char *topic, const char *payload, size_t len, bool retain, int64_t expiry_s,
    struct fail *f);

/* DISCONNECT, so that the broker does not publish the will. */
void mqtt_disconnect(struct mqtt *m);

#endif
