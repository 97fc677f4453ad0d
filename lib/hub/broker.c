#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "hub/broker.h"
#include "hub/mqtt.h"
#include "hub/resolver.h"

enum { PORT_PLAIN = 1883, PORT_TLS = 8883 };

struct broker {
	struct broker_spec spec;
	struct broker_callbacks cb;
	char *host;
	int port;
	bool tls;
	struct connection connection;
	unsigned int entered;		/* states that were acted on */
	struct resolver *resolver;
	struct mqtt *mqtt;
	char *address;
	char why[256];			/* of the last loss */
	bool reported_loss, up;
	struct loop_timer step, follow;
	struct secret password, username;
};

static uint32_t
random_number(void)
{
	uint32_t n = 0;

	if (getrandom(&n, sizeof n, GRND_NONBLOCK) != sizeof n)
		n = (uint32_t)clock_mono_ms() * 2654435761U;
	return n;
}

/* --- the state machine */

static void
connection_changed(struct broker *b)
{
	const int64_t now = clock_mono_ms();

	if (b->connection.entered != b->entered)
		loop_timer_set(b->spec.loop, &b->follow, 0);
	if (b->connection.due_ms == INT64_MAX)
		loop_timer_stop(b->spec.loop, &b->step);
	else
		loop_timer_set(b->spec.loop, &b->step, b->connection.due_ms > now ? b->connection.due_ms - now : 0);
	b->cb.changed(b->cb.cookie);
}

static void
state_advance(struct broker *b, enum connection_state from)
{
	if (b->connection.state != from)
		return;
	connection_advance(&b->connection, clock_mono_ms());
	connection_changed(b);
}

static void __attribute__((format(printf, 3, 4)))
broker_fail(struct broker *b, enum connection_cause cause, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->why, sizeof b->why, fmt, ap);
	va_end(ap);
	connection_fail(&b->connection, cause, clock_mono_ms());
	connection_changed(b);
}

static void
on_step(void *cookie)
{
	struct broker *b = cookie;
	const enum connection_state s = b->connection.state;

	if (s >= CONNECTION_RESOLVING && s <= CONNECTION_SUBSCRIBING)
		snprintf(b->why, sizeof b->why, "timed out: %s", connection_state_name(s));
	connection_step(&b->connection, clock_mono_ms());
	connection_changed(b);
}

/* --- callbacks of the client */

static void
on_connected(void *cookie)
{
	state_advance(cookie, CONNECTION_CONNECTING);
}

static void
on_accepted(void *cookie)
{
	struct broker *b = cookie;

	state_advance(b, CONNECTION_CONNECTING);
	state_advance(b, CONNECTION_CONNACK);
}

static void
on_subscribed(void *cookie)
{
	state_advance(cookie, CONNECTION_SUBSCRIBING);
}

static void
on_published(int mid, void *cookie)
{
	struct broker *b = cookie;

	b->cb.published(mid, b->cb.cookie);
}

static void
on_received(const char *topic, const char *payload, size_t len, void *cookie)
{
	struct broker *b = cookie;

	b->cb.received(topic, payload, len, b->cb.cookie);
}

static void
on_lost(enum mqtt_loss loss, const char *why, void *cookie)
{
	static const enum connection_cause causes[] = { CONNECTION_LOST, CONNECTION_DENIED, CONNECTION_TAKEN_OVER };

	broker_fail(cookie, causes[loss], "%s", why);
}

static void
on_resolved(const char *address, const char *why, void *cookie)
{
	struct broker *b = cookie;

	b->resolver = NULL;
	if (!address) {
		broker_fail(b, CONNECTION_LOST, "%s: %s", b->host, why);
		return;
	}
	free(b->address);
	b->address = xstrdup(address);
	state_advance(b, CONNECTION_RESOLVING);
}

/* --- what a state needs */

static int
secrets_load(struct broker *b, struct fail *f)
{
	int r = 0;

	if (b->spec.conf->password_file)
		r = secret_load(b->spec.conf->password_file, &b->password, f);
	if (r == 0 && b->spec.conf->username_file)
		r = secret_load(b->spec.conf->username_file, &b->username, f);
	return r;
}

static int
client_start(struct broker *b, struct fail *f)
{
	static const struct mqtt_callbacks cb = { on_connected, on_accepted, on_subscribed, on_published, on_received, on_lost };
	const struct profile_hub *conf = b->spec.conf;
	struct mqtt_spec spec = {
		.id = b->spec.id, .version5 = conf->version && strcmp(conf->version, "5") == 0,
		.keep_alive_s = (int)(conf->keep_alive_ms / 1000), .clean_session = b->spec.clean_session, .tls = b->tls,
		.ca_file = conf->ca_file, .cert_file = conf->cert_file, .key_file = conf->key_file,
		.will_topic = b->spec.will_topic, .will = b->spec.will,
	};

	if (secrets_load(b, f) < 0)
		return -EACCES;
	spec.username = b->username.s ? b->username.s : conf->username;
	spec.password = b->password.s ? &b->password : NULL;
	b->mqtt = mqtt_new(b->spec.loop, &spec, &cb, b, f);
	return b->mqtt ? mqtt_connect(b->mqtt, b->tls ? b->host : b->address, b->port, f) : -EIO;
}

static void
client_close(struct broker *b)
{
	if (b->up)
		b->cb.down(b->cb.cookie);
	b->up = false;
	resolver_cancel(b->resolver);
	b->resolver = NULL;
	mqtt_free(b->mqtt);
	b->mqtt = NULL;
}

static void
subscribe_all(struct broker *b)
{
	char **topics = b->cb.topics(b->cb.cookie);
	struct fail f;

	if (mqtt_subscribe(b->mqtt, topics, &f) < 0)
		broker_fail(b, CONNECTION_LOST, "%s", f.text);
	xfree_strv(topics);
}

static void
state_fetching(struct broker *b)
{
	const bool first = !b->up;

	if (first) {
		b->up = true;
		b->reported_loss = false;
		b->why[0] = '\0';
		logger_info(&b->cb.log, "%s: connected as %s", b->spec.conf->broker, b->spec.id);
	}
	b->cb.up(first, b->cb.cookie);
}

static void
state_backoff(struct broker *b)
{
	const int64_t left = b->connection.due_ms - clock_mono_ms();
	const char *url = b->spec.conf->broker;

	client_close(b);
	if (b->connection.cause == CONNECTION_TAKEN_OVER)
		logger_info(&b->cb.log, "%s: another client uses the id %s: next attempt in %jd s", url, b->spec.id, (intmax_t)(left / 1000));
	else if (b->connection.cause == CONNECTION_DENIED)
		logger_info(&b->cb.log, "%s: denied: %s; next attempt in %jd s", url, b->why, (intmax_t)(left / 1000));
	else
		(b->reported_loss ? logger_note : logger_info)(&b->cb.log, "%s: %s; trying again", url, b->why);
	b->reported_loss = true;
}

static void
state_off(struct broker *b)
{
	if (b->mqtt && b->up)
		b->cb.leave(b->cb.cookie);
	if (b->mqtt)
		mqtt_disconnect(b->mqtt);
	client_close(b);
	b->cb.off(b->cb.cookie);
}

static void
state_act(struct broker *b)
{
	struct fail f;

	switch (b->connection.state) {
	case CONNECTION_RESOLVING:
		client_close(b);
		b->resolver = resolver_start(b->spec.loop, b->host, b->connection.failures, on_resolved, b);
		if (!b->resolver)
			broker_fail(b, CONNECTION_LOST, "%s: %s", b->host, strerror(errno));
		break;
	case CONNECTION_CONNECTING:
		if (client_start(b, &f) < 0)
			broker_fail(b, f.status == EXIT_DENIED ? CONNECTION_DENIED : CONNECTION_LOST, "%s", f.text);
		break;
	case CONNECTION_SUBSCRIBING:
		subscribe_all(b);
		break;
	case CONNECTION_FETCHING:
		state_fetching(b);
		break;
	case CONNECTION_SYNCED:
		logger_note(&b->cb.log, "%s: synced", b->spec.conf->broker);
		b->cb.synced(b->cb.cookie);
		break;
	case CONNECTION_DRAINING:
		if (b->cb.drain(b->cb.cookie))
			connection_drained(&b->connection, clock_mono_ms());
		connection_changed(b);
		break;
	case CONNECTION_BACKOFF:
		state_backoff(b);
		break;
	case CONNECTION_OFF:
		state_off(b);
		break;
	case CONNECTION_CONNACK:
		break;
	}
}

static void
on_follow(void *cookie)
{
	struct broker *b = cookie;

	b->entered = b->connection.entered;
	state_act(b);
	connection_changed(b);
}

/* --- */

static int
url_parse(struct broker *b, struct fail *f)
{
	const char *url = b->spec.conf->broker, *host = strstr(url, "://") + 3, *end, *colon;
	int64_t port;

	b->tls = strncmp(url, "mqtts", 5) == 0;
	port = b->tls ? PORT_TLS : PORT_PLAIN;
	end = *host == '[' ? strchr(host, ']') : NULL;
	colon = strchr(end ? end : host, ':');
	b->host = end ? xstrndup(host + 1, (size_t)(end - host - 1)) :
	    xstrndup(host, colon ? (size_t)(colon - host) : strlen(host));
	if (!*b->host || (colon && num_parse(colon + 1, 1, 65535, &port) < 0))
		return fail_set(f, EXIT_USAGE, "broker: '%s': not mqtt://HOST[:PORT] or mqtts://HOST[:PORT]", url);
	b->port = (int)port;
	return 0;
}

int
broker_new(const struct broker_spec *spec, const struct broker_callbacks *cb, struct broker **out, struct fail *f)
{
	struct broker *b = xcalloc(1, sizeof *b);
	int r;

	b->spec = *spec;
	b->cb = *cb;
	b->step = (struct loop_timer){ .fn = on_step, .cookie = b };
	b->follow = (struct loop_timer){ .fn = on_follow, .cookie = b };
	connection_init(&b->connection, random_number);
	r = url_parse(b, f);
	if (r == 0)
		r = secrets_load(b, f);
	if (r < 0) {
		broker_free(b);
		return r;
	}
	*out = b;
	return 0;
}

void
broker_free(struct broker *b)
{
	if (!b)
		return;
	client_close(b);
	loop_timer_stop(b->spec.loop, &b->step);
	loop_timer_stop(b->spec.loop, &b->follow);
	secret_release(&b->password);
	secret_release(&b->username);
	free(b->host);
	free(b->address);
	free(b);
}

void
broker_start(struct broker *b)
{
	connection_start(&b->connection, clock_mono_ms());
	connection_changed(b);
}

void
broker_stop(struct broker *b)
{
	connection_stop(&b->connection, clock_mono_ms());
	if (b->connection.entered == b->entered && b->connection.state == CONNECTION_OFF)
		b->cb.off(b->cb.cookie);
	connection_changed(b);
}

void
broker_fetched(struct broker *b)
{
	state_advance(b, CONNECTION_FETCHING);
}

void
broker_drained(struct broker *b)
{
	if (b->connection.state != CONNECTION_DRAINING)
		return;
	connection_drained(&b->connection, clock_mono_ms());
	connection_changed(b);
}

int
broker_publish(struct broker *b, const char *topic, const char *payload, size_t len, bool retain, int64_t expiry_s)
{
	struct fail f;
	int mid;

	if (!b->mqtt || !b->up)
		return -ENOTCONN;
	mid = mqtt_publish(b->mqtt, topic, payload, len, retain, expiry_s, &f);
	if (mid == -EBADMSG) {
		logger_info(&b->cb.log, "%s", f.text);
		return mid;
	}
	if (mid < 0)
		broker_fail(b, CONNECTION_LOST, "%s", f.text);
	return mid < 0 ? -EIO : mid;
}

bool
broker_is_up(const struct broker *b)
{
	return b->up;
}

enum connection_state
broker_state(const struct broker *b)
{
	return b->connection.state;
}

bool
broker_is_denied(const struct broker *b)
{
	return b->connection.state == CONNECTION_BACKOFF && b->connection.cause == CONNECTION_DENIED;
}

const char *
broker_why(const struct broker *b)
{
	return b->why;
}
