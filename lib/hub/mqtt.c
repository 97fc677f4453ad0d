#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/xalloc.h"
#include "hub/mqtt.h"

enum { MISC_MS = 1000, INFLIGHT = 20, PACKETS = 16 };

struct mqtt {
	struct loop *loop;
	struct mosquitto *client;
	struct mqtt_callbacks cb;
	void *cookie;
	int fd;			/* watched; -1 for none */
	short events;
	int subscriptions;	/* whose SUBACK is awaited */
	bool version5, connected, lost;
	int keep_alive_s;
	struct loop_timer misc, gone;
	enum mqtt_loss loss;
	char why[256];
};

static void mqtt_watch(struct mqtt *m);

/* The end is reported from the loop, not from within a call of the library. */
static void
end_report(void *cookie)
{
	struct mqtt *m = cookie;

	m->cb.lost(m->loss, m->why, m->cookie);
}

static void
end_set(struct mqtt *m, enum mqtt_loss loss, const char *why)
{
	if (m->lost)
		return;
	m->lost = true;
	m->loss = loss;
	snprintf(m->why, sizeof m->why, "%s", why);
	loop_timer_stop(m->loop, &m->misc);
	if (m->fd >= 0)
		loop_unwatch(m->loop, m->fd);
	m->fd = -1;
	loop_timer_set(m->loop, &m->gone, 0);
}

static void
result_check(struct mqtt *m, int rc)
{
	if (rc == MOSQ_ERR_SUCCESS)
		return;
	end_set(m, MQTT_LOST_ERROR, rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc));
}

/* --- callbacks of the library */

static bool
is_refusal(bool version5, int rc)
{
	if (version5)
		return rc == MQTT_RC_BAD_USERNAME_OR_PASSWORD || rc == MQTT_RC_NOT_AUTHORIZED || rc == MQTT_RC_BANNED ||
		    rc == MQTT_RC_BAD_AUTHENTICATION_METHOD || rc == MQTT_RC_CLIENTID_NOT_VALID;
	return rc == CONNACK_REFUSED_BAD_USERNAME_PASSWORD || rc == CONNACK_REFUSED_NOT_AUTHORIZED ||
	    rc == CONNACK_REFUSED_IDENTIFIER_REJECTED;
}

static void
on_connect(struct mosquitto *client, void *cookie, int rc, int flags, const mosquitto_property *props)
{
	struct mqtt *m = cookie;

	(void)client;
	(void)flags;
	(void)props;
	if (rc == 0)
		m->cb.accepted(m->cookie);
	else
		end_set(m, is_refusal(m->version5, rc) ? MQTT_LOST_DENIED : MQTT_LOST_ERROR,
		    m->version5 ? mosquitto_reason_string(rc) : mosquitto_connack_string(rc));
}

static void
on_disconnect(struct mosquitto *client, void *cookie, int rc, const mosquitto_property *props)
{
	struct mqtt *m = cookie;

	(void)client;
	(void)props;
	if (m->version5 && rc == MQTT_RC_SESSION_TAKEN_OVER)
		end_set(m, MQTT_LOST_TAKEN_OVER, mosquitto_reason_string(rc));
	else if (m->version5 && rc == MQTT_RC_NOT_AUTHORIZED)
		end_set(m, MQTT_LOST_DENIED, mosquitto_reason_string(rc));
	else
		end_set(m, MQTT_LOST_ERROR, rc == 0 ? "disconnected" : rc == MOSQ_ERR_KEEPALIVE ? "no answer within keep-alive" : rc < 128 ? mosquitto_strerror(rc) :
		    mosquitto_reason_string(rc));
}

static void
on_subscribe(struct mosquitto *client, void *cookie, int mid, int n, const int *granted, const mosquitto_property *props)
{
	struct mqtt *m = cookie;

	(void)client;
	(void)mid;
	(void)props;
	for (int i = 0; i < n; i++)
		if (granted[i] >= 128) {
			end_set(m, MQTT_LOST_DENIED, "the broker refuses a subscription");
			return;
		}
	if (m->subscriptions > 0 && --m->subscriptions == 0)
		m->cb.subscribed(m->cookie);
}

static void
on_publish(struct mosquitto *client, void *cookie, int mid, int rc, const mosquitto_property *props)
{
	struct mqtt *m = cookie;

	(void)client;
	(void)props;
	if (rc == MQTT_RC_NOT_AUTHORIZED)
		end_set(m, MQTT_LOST_DENIED, "the broker refuses to publish: not authorized");
	else
		m->cb.published(mid, m->cookie);
}

static void
on_message(struct mosquitto *client, void *cookie, const struct mosquitto_message *g, const mosquitto_property *props)
{
	struct mqtt *m = cookie;

	(void)client;
	(void)props;
	m->cb.received(g->topic, g->payload ? g->payload : "", (size_t)g->payloadlen, m->cookie);
}

/* --- on the loop */

static void
on_socket(int fd, short events, void *cookie)
{
	struct mqtt *m = cookie;
	int error = 0;
	socklen_t n = sizeof error;

	if (!m->connected && (events & (POLLOUT | POLLERR | POLLHUP))) {
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
		if (error) {
			end_set(m, MQTT_LOST_ERROR, strerror(error));
			return;
		}
		m->connected = true;
		m->cb.connected(m->cookie);
	}
	if (!m->lost && (events & (POLLIN | POLLHUP | POLLERR)))
		result_check(m, mosquitto_loop_read(m->client, PACKETS));
	if (!m->lost && (events & POLLOUT))
		result_check(m, mosquitto_loop_write(m->client, PACKETS));
	mqtt_watch(m);
}

static void
on_misc(void *cookie)
{
	struct mqtt *m = cookie;

	result_check(m, mosquitto_loop_misc(m->client));
	if (m->lost)
		return;
	loop_timer_set(m->loop, &m->misc, MISC_MS);
	mqtt_watch(m);
}

/* Watch the socket for what the library waits for now. */
static void
mqtt_watch(struct mqtt *m)
{
	const int fd = m->lost ? -1 : mosquitto_socket(m->client);
	const short events = (short)(POLLIN | (!m->connected || mosquitto_want_write(m->client) ? POLLOUT : 0));

	if (fd == m->fd && (fd < 0 || events == m->events))
		return;
	if (m->fd >= 0)
		loop_unwatch(m->loop, m->fd);
	m->fd = fd;
	m->events = events;
	if (fd >= 0)
		loop_watch(m->loop, fd, events, on_socket, m);
}

static int
failed(const char *what, int rc, struct fail *f)
{
	if (rc == MOSQ_ERR_ERRNO)
		return fail_errno(f, errno, "%s", what);
	return fail_set(f, EXIT_TROUBLE, "%s: %s", what, mosquitto_strerror(rc));
}

/* --- */

static int
options_set(struct mqtt *m, const struct mqtt_spec *s, struct fail *f)
{
	int rc = MOSQ_ERR_SUCCESS;

	mosquitto_int_option(m->client, MOSQ_OPT_PROTOCOL_VERSION, s->version5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
	mosquitto_max_inflight_messages_set(m->client, INFLIGHT);
	if (s->username || s->password)
		rc = mosquitto_username_pw_set(m->client, s->username ? s->username : "", s->password ? s->password->s : NULL);
	if (rc == MOSQ_ERR_SUCCESS && s->will_topic)
		rc = mosquitto_will_set(m->client, s->will_topic, (int)strlen(s->will), s->will, 1, true);
	if (rc == MOSQ_ERR_SUCCESS && s->tls) {
		rc = mosquitto_int_option(m->client, MOSQ_OPT_TLS_USE_OS_CERTS, s->ca_file == NULL);
		if (rc == MOSQ_ERR_SUCCESS && (s->ca_file || s->cert_file))
			rc = mosquitto_tls_set(m->client, s->ca_file, s->ca_file ? NULL : "/etc/ssl/certs", s->cert_file,
			    s->key_file, NULL);
	}
	return rc == MOSQ_ERR_SUCCESS ? 0 : failed("MQTT client", rc, f);
}

struct mqtt *
mqtt_new(struct loop *l, const struct mqtt_spec *spec, const struct mqtt_callbacks *cb, void *cookie, struct fail *f)
{
	struct mqtt *m = xcalloc(1, sizeof *m);

	setenv("RES_OPTIONS", "timeout:2 attempts:1", 0);
	mosquitto_lib_init();
	m->loop = l;
	m->cb = *cb;
	m->cookie = cookie;
	m->fd = -1;
	m->version5 = spec->version5;
	m->keep_alive_s = spec->keep_alive_s;
	m->misc = (struct loop_timer){ .fn = on_misc, .cookie = m };
	m->gone = (struct loop_timer){ .fn = end_report, .cookie = m };
	m->client = mosquitto_new(spec->id, spec->clean_session, m);
	if (!m->client) {
		fail_errno(f, errno, "MQTT client '%s'", spec->id);
		mqtt_free(m);
		return NULL;
	}
	mosquitto_connect_v5_callback_set(m->client, on_connect);
	mosquitto_disconnect_v5_callback_set(m->client, on_disconnect);
	mosquitto_subscribe_v5_callback_set(m->client, on_subscribe);
	mosquitto_publish_v5_callback_set(m->client, on_publish);
	mosquitto_message_v5_callback_set(m->client, on_message);
	if (options_set(m, spec, f) < 0) {
		mqtt_free(m);
		return NULL;
	}
	return m;
}

void
mqtt_free(struct mqtt *m)
{
	if (!m)
		return;
	loop_timer_stop(m->loop, &m->misc);
	loop_timer_stop(m->loop, &m->gone);
	if (m->fd >= 0)
		loop_unwatch(m->loop, m->fd);
	if (m->client)
		mosquitto_destroy(m->client);
	mosquitto_lib_cleanup();
	free(m);
}

int
mqtt_connect(struct mqtt *m, const char *host, int port, struct fail *f)
{
	int rc = mosquitto_connect_async(m->client, host, port, m->keep_alive_s);

	if (rc != MOSQ_ERR_SUCCESS)
		return failed(host, rc, f);
	loop_timer_set(m->loop, &m->misc, MISC_MS);
	mqtt_watch(m);
	return 0;
}

int
mqtt_subscribe(struct mqtt *m, char *const *topics, struct fail *f)
{
	for (char *const *t = topics; *t; t++) {
		int rc = mosquitto_subscribe_v5(m->client, NULL, *t, 1, m->version5 ? MQTT_SUB_OPT_NO_LOCAL : 0, NULL);

		if (rc != MOSQ_ERR_SUCCESS)
			return failed(*t, rc, f);
		m->subscriptions++;
	}
	mqtt_watch(m);
	return 0;
}

/* The message is at fault, and not the connection. */
static bool
is_wrong_message(int rc)
{
	return rc == MOSQ_ERR_INVAL || rc == MOSQ_ERR_PAYLOAD_SIZE || rc == MOSQ_ERR_MALFORMED_UTF8 || rc == MOSQ_ERR_OVERSIZE_PACKET;
}

int
mqtt_publish(struct mqtt *m, const char *topic, const char *payload, size_t len, bool retain, int64_t expiry_s,
    struct fail *f)
{
	mosquitto_property *props = NULL;
	int mid, rc = MOSQ_ERR_SUCCESS;

	if (m->version5 && expiry_s > 0)
		rc = mosquitto_property_add_int32(&props, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
		    expiry_s > UINT32_MAX ? UINT32_MAX : (uint32_t)expiry_s);
	if (rc == MOSQ_ERR_SUCCESS)
		rc = mosquitto_publish_v5(m->client, &mid, topic, (int)len, payload, 1, retain, props);
	mosquitto_property_free_all(&props);

	if (is_wrong_message(rc)) {
		fail_set(f, EXIT_USAGE, "%.80s: %s", topic, mosquitto_strerror(rc));
		return -EBADMSG;
	}
	if (rc != MOSQ_ERR_SUCCESS)
		return failed(topic, rc, f);
	mqtt_watch(m);
	return mid;
}

void
mqtt_disconnect(struct mqtt *m)
{
	if (!m->lost)
		mosquitto_disconnect(m->client);
}
