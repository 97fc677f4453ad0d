/*
 * mqtt-peer - for the test programs that are another side of the broker: one client of a port of this machine,
 * which subscribes to its topics and connects again for ever.
 */
#ifndef TEST_MQTT_PEER_H
#define TEST_MQTT_PEER_H

#include <signal.h>
#include <stdlib.h>

#include "base/loop.h"
#include "hub/mqtt.h"

enum { MQTT_PEER_AGAIN_MS = 200, MQTT_PEER_KEEP_ALIVE_S = 5 };

struct mqtt_peer {
	struct loop *loop;
	const char *id;
	int port;
	char *const *topics;		/* NULL-terminated */
	void (*received)(const char *topic, const char *payload, size_t len, void *cookie);
	void (*subscribed)(void *cookie);
	/* its own */
	struct mqtt *client;
	struct loop_timer again;
};

static void
mqtt_peer_on_nothing(void *cookie)
{
	(void)cookie;
}

static void
mqtt_peer_on_published(int mid, void *cookie)
{
	(void)mid;
	(void)cookie;
}

static void
mqtt_peer_on_accepted(void *cookie)
{
	struct mqtt_peer *p = cookie;
	struct fail f;

	(void)mqtt_subscribe(p->client, p->topics, &f);
}

static void
mqtt_peer_on_lost(enum mqtt_loss loss, const char *why, void *cookie)
{
	struct mqtt_peer *p = cookie;

	(void)loss;
	(void)why;
	loop_timer_set(p->loop, &p->again, MQTT_PEER_AGAIN_MS);
}

static void
mqtt_peer_on_received(const char *topic, const char *payload, size_t len, void *cookie)
{
	const struct mqtt_peer *p = cookie;

	p->received(topic, payload, len, NULL);
}

static void
mqtt_peer_on_subscribed(void *cookie)
{
	const struct mqtt_peer *p = cookie;

	if (p->subscribed)
		p->subscribed(NULL);
}

static void
mqtt_peer_connect(void *cookie)
{
	static const struct mqtt_callbacks cb = { mqtt_peer_on_nothing, mqtt_peer_on_accepted, mqtt_peer_on_subscribed,
		mqtt_peer_on_published, mqtt_peer_on_received, mqtt_peer_on_lost };
	struct mqtt_peer *p = cookie;
	const struct mqtt_spec spec = { .id = p->id, .keep_alive_s = MQTT_PEER_KEEP_ALIVE_S };
	struct fail f;

	mqtt_free(p->client);
	p->client = mqtt_new(p->loop, &spec, &cb, p, &f);
	if (!p->client || mqtt_connect(p->client, "127.0.0.1", p->port, &f) < 0)
		loop_timer_set(p->loop, &p->again, MQTT_PEER_AGAIN_MS);
}

/* Until SIGINT or SIGTERM; P's loop is there, and stays. */
static void
mqtt_peer_run(struct mqtt_peer *p)
{
	int signo = 0;

	signal(SIGPIPE, SIG_IGN);
	p->again = (struct loop_timer){ .fn = mqtt_peer_connect, .cookie = p };
	loop_end_on_signals(p->loop, &signo);
	mqtt_peer_connect(p);
	loop_run(p->loop);
	mqtt_free(p->client);
}

#endif
