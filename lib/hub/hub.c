#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/incarnation.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/inotify.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/num.h"
#include "base/sdnotify.h"
#include "base/xalloc.h"
#include "hub/attributes.h"
#include "hub/calls.h"
#include "hub/clientid.h"
#include "hub/connection.h"
#include "hub/dialects.h"
#include "hub/devicecall.h"
#include "hub/hub.h"
#include "hub/hubdir.h"
#include "hub/intake.h"
#include "hub/mqtt.h"
#include "hub/native.h"
#include "hub/outcalls.h"
#include "hub/resolver.h"
#include "hub/results.h"
#include "hub/sender.h"
#include "hub/submission.h"

enum { SWEEP_MS = 10000, STATUS_MS = 500, RETRY_INTAKE_MS = 5000, FULL_MS = 1000, PORT_PLAIN = 1883, PORT_TLS = 8883 };

struct hub {
	struct hub_spec spec;
	const struct profile_hub *conf;
	struct loop *loop;
	char *dir, *id, *host, *owners;
	int port;
	bool tls;
	int lock;
	const struct dialect *dialect;
	struct dialect_context context;
	/* the link */
	struct connection connection;
	unsigned int entered;		/* states that were acted on */
	struct resolver *resolver;
	struct mqtt *mqtt;
	char *address;
	char why[256];			/* of the last loss */
	bool reported_loss, was_ready, up;
	struct loop_timer step, follow;
	/* records */
	struct outbox *outbox;
	struct sender *sender;
	struct intake intake;
	int inotify;			/* of in/ */
	struct loop_timer scan, sweep, status, watchdog;
	struct attributes attributes;
	struct outcalls *outcalls;
	struct devicecall *devicecall;
	struct secret password, username;
	int64_t refused_messages;
};

static void __attribute__((format(printf, 3, 4)))
hub_log(struct hub *h, bool verbose, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	h->spec.log(text, verbose, h->spec.cookie);
}

static void
log_text(const char *text, void *cookie)
{
	hub_log(cookie, false, "%s", text);
}

static void
log_fail(struct hub *h, const struct fail *f)
{
	hub_log(h, false, "%s", f->text);
}

static uint32_t
random_number(void)
{
	uint32_t n = 0;

	if (getrandom(&n, sizeof n, GRND_NONBLOCK) != sizeof n)
		n = (uint32_t)clock_mono_ms() * 2654435761U;
	return n;
}

/* --- status */

static struct json
level_json(const struct hub *h, enum outbox_queue q)
{
	struct json v = json_object();
	struct outbox_level l;

	outbox_get_level(h->outbox, q, &l);
	json_set(&v, "records", json_number((double)l.records));
	json_set(&v, "bytes", json_number((double)l.bytes));
	json_set(&v, "max", json_number((double)l.max));
	json_set(&v, "dropped", json_number((double)l.dropped_all));
	json_set(&v, "acked", json_number((double)l.confirmed));
	return v;
}

static void
on_status(void *cookie)
{
	struct hub *h = cookie;
	_cleanup_free_ char *path = hubdir_file(h->dir, "status");
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;
	char incarnation[INCARNATION_TEXT];
	const bool backoff = h->connection.state == CONNECTION_BACKOFF;
	int r;

	if (incarnation_of(getpid(), incarnation) < 0)
		incarnation[0] = '\0';
	json_set(&v, "pid", json_number(getpid()));
	json_set_text(&v, "incarnation", incarnation);
	json_set_text(&v, "state", connection_state_name(h->connection.state));
	json_set(&v, "denied", json_bool(backoff && h->connection.cause == CONNECTION_DENIED));
	if (h->why[0])
		json_set_text(&v, "reason", h->why);
	json_set_text(&v, "broker", h->conf->broker);
	json_set_text(&v, "client_id", h->id);
	json_set_text(&v, "dialect", h->dialect->name);
	json_set_text(&v, "confirmed", sender_confirms_end_to_end(h->sender) ? "end to end" : "broker only");
	json_set(&v, "urgent", level_json(h, OUTBOX_URGENT));
	json_set(&v, "bulk", level_json(h, OUTBOX_BULK));
	json_set(&v, "full", json_bool(h->intake.full));
	json_set(&v, "accepted", json_number((double)h->intake.accepted));
	json_set(&v, "refused", json_number((double)h->intake.refused));
	json_set(&v, "refused_messages", json_number((double)h->refused_messages));
	json_format(v, &b);
	buf_putc(&b, '\n');
	r = file_replace(path, b.s, b.len, 0644, 0);
	if (r < 0)
		hub_log(h, false, "%s: %s", path, strerror(-r));
}

static void
status_changed(struct hub *h)
{
	if (!h->status.set)
		loop_timer_set(h->loop, &h->status, STATUS_MS);
}

/* --- the link follows its state machine */

static void
connection_changed(struct hub *h)
{
	const int64_t now = clock_mono_ms();

	if (h->connection.entered != h->entered)
		loop_timer_set(h->loop, &h->follow, 0);
	if (h->connection.due_ms == INT64_MAX)
		loop_timer_stop(h->loop, &h->step);
	else
		loop_timer_set(h->loop, &h->step, h->connection.due_ms > now ? h->connection.due_ms - now : 0);
	status_changed(h);
}

static void
link_advance(struct hub *h, enum connection_state from)
{
	if (h->connection.state != from)
		return;
	connection_advance(&h->connection, clock_mono_ms());
	connection_changed(h);
}

static void __attribute__((format(printf, 3, 4)))
link_fail(struct hub *h, enum connection_cause cause, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->why, sizeof h->why, fmt, ap);
	va_end(ap);
	connection_fail(&h->connection, cause, clock_mono_ms());
	connection_changed(h);
}

static void
on_step(void *cookie)
{
	struct hub *h = cookie;
	const enum connection_state s = h->connection.state;

	if (s >= CONNECTION_RESOLVING && s <= CONNECTION_SUBSCRIBING)
		snprintf(h->why, sizeof h->why, "timed out: %s", connection_state_name(s));
	connection_step(&h->connection, clock_mono_ms());
	connection_changed(h);
}

static int
message_publish(const struct dialect_message *m, void *cookie)
{
	struct hub *h = cookie;
	struct fail f;
	int mid;

	if (!h->mqtt || !h->up)
		return -ENOTCONN;
	mid = mqtt_publish(h->mqtt, m->topic, m->payload.s, m->payload.len, m->retain, 1, &f);
	if (mid < 0)
		link_fail(h, CONNECTION_LOST, "%s", f.text);
	return mid < 0 ? -EIO : mid;
}

/* What the device itself answers to a call, or says of itself. */
static void
record_add(struct hub *h, const char *kind, const char *key, struct json value)
{
	_cleanup_json_ struct json record = json_object();
	char now[CLOCK_TEXT];
	int r;

	json_set_text(&record, "kind", kind);
	json_set_text(&record, "key", key);
	json_set(&record, "value", json_copy(value));
	json_set_text(&record, "time", clock_now(now));
	r = outbox_add(h->outbox, submission_is_urgent(kind) ? OUTBOX_URGENT : OUTBOX_BULK, record, NULL);
	if (r == 0)
		r = outbox_commit(h->outbox);
	if (r < 0)
		hub_log(h, false, "%s %s: %s", kind, key, strerror(-r));
	sender_pump(h->sender);
	status_changed(h);
}

static void
call_answer(const char *id, struct json value, void *cookie)
{
	record_add(cookie, "answer", id, value);
}

/* A call that no instance will answer. */
static void
call_answer_error(struct hub *h, struct json call, const char *status, const char *text)
{
	_cleanup_json_ struct json value = json_object(), response = json_object();
	const char *id = json_get_text(call, "id");

	json_set_text(&response, "error", text);
	json_set(&value, "call", json_copy(call));
	json_set_text(&value, "status", status);
	json_set(&value, "response", json_copy(response));
	if (id)
		record_add(h, "answer", id, value);
}

static void
call_expired(struct json call, void *cookie)
{
	call_answer_error(cookie, call, "error", "not answered before its deadline");
}

/* The agent names its instances in `owners`; without that file instances are whatever reads calls. */
static bool
has_instance(const struct hub *h, const char *instance)
{
	return access(h->owners, F_OK) < 0 || authority_owner(&h->intake.authority, instance) != (uid_t)-1;
}

static void
call_received(struct hub *h, const struct dialect_event *e)
{
	_cleanup_json_ struct json call = dialect_call_json(e);
	struct fail f;
	int r;

	if (outcalls_has(h->outcalls, e->number))
		return;
	if (strcmp(e->instance, "$agent") == 0) {
		devicecall_run(h->devicecall, call, clock_wall_ms());
		return;
	}
	if (!has_instance(h, e->instance)) {
		call_answer_error(h, call, "not-found", "Instance not found");
		return;
	}
	r = calls_open(h->dir, e, clock_wall_ms(), &f);
	if (r == -EEXIST)
		return;
	if (r < 0) {
		log_fail(h, &f);
		call_answer_error(h, call, "error", f.text);
	}
}

static void
attributes_received(struct hub *h, const struct dialect_event *e)
{
	struct fail f;

	if (attributes_apply(&h->attributes, e->attributes, e->kind == DIALECT_LEVEL, &f) < 0)
		log_fail(h, &f);
	else if (e->kind == DIALECT_LEVEL)
		link_advance(h, CONNECTION_FETCHING);
}

static void
on_received(const char *topic, const char *payload, size_t len, void *cookie)
{
	struct hub *h = cookie;
	_cleanup_dialect_event_ struct dialect_event e = DIALECT_EVENT_INIT;
	_cleanup_json_ struct json text = JSON_ABSENT;
	struct fail f;
	int r = len > DIALECT_PAYLOAD_MAX ? fail_set(&f, EXIT_USAGE, "%s: %zu bytes, more than %d", topic, len,
	    DIALECT_PAYLOAD_MAX) : h->dialect->receive(&h->context, topic, payload, len, &e, &f);

	if (r < 0) {
		h->refused_messages++;
		hub_log(h, false, "message refused: %s", f.text);
		text = json_string(f.text);
		record_add(h, "telemetry", "$agent/refused", text);
		return;
	}
	switch (e.kind) {
	case DIALECT_NOTHING:
		break;
	case DIALECT_LEVEL:
	case DIALECT_CHANGE:
		attributes_received(h, &e);
		break;
	case DIALECT_REPORTED:
		sender_reported(h->sender, e.number, e.attributes);
		break;
	case DIALECT_CALL:
		call_received(h, &e);
		break;
	case DIALECT_RESPONSE:
		outcalls_response(h->outcalls, e.number, e.params);
		break;
	case DIALECT_ACK:
		sender_acknowledged(h->sender, e.urgent, e.bulk);
		break;
	}
	status_changed(h);
}

/* --- callbacks of the connection */

static void
on_connected(void *cookie)
{
	link_advance(cookie, CONNECTION_CONNECTING);
}

static void
on_accepted(void *cookie)
{
	struct hub *h = cookie;

	link_advance(h, CONNECTION_CONNECTING);
	link_advance(h, CONNECTION_CONNACK);
}

static void
on_subscribed(void *cookie)
{
	link_advance(cookie, CONNECTION_SUBSCRIBING);
}

static void
on_published(int mid, void *cookie)
{
	struct hub *h = cookie;

	sender_published(h->sender, mid);
	status_changed(h);
	if (h->connection.state == CONNECTION_DRAINING && sender_is_idle(h->sender)) {
		connection_drained(&h->connection, clock_mono_ms());
		connection_changed(h);
	}
}

static void
on_lost(enum mqtt_loss loss, const char *why, void *cookie)
{
	static const enum connection_cause causes[] = { CONNECTION_LOST, CONNECTION_DENIED, CONNECTION_TAKEN_OVER };

	link_fail(cookie, causes[loss], "%s", why);
}

static void
on_resolved(const char *address, const char *why, void *cookie)
{
	struct hub *h = cookie;

	h->resolver = NULL;
	if (!address) {
		link_fail(h, CONNECTION_LOST, "%s: %s", h->host, why);
		return;
	}
	free(h->address);
	h->address = xstrdup(address);
	link_advance(h, CONNECTION_RESOLVING);
}

/* Files of secrets are read for each connection, so that they can be replaced. */
static int
secrets_load(struct hub *h, struct fail *f)
{
	int r = 0;

	if (h->conf->password_file)
		r = secret_load(h->conf->password_file, &h->password, f);
	if (r == 0 && h->conf->username_file)
		r = secret_load(h->conf->username_file, &h->username, f);
	return r;
}

static int
client_start(struct hub *h, struct fail *f)
{
	static const struct mqtt_callbacks cb = { on_connected, on_accepted, on_subscribed, on_published, on_received, on_lost };
	_cleanup_dialect_message_ struct dialect_message will = DIALECT_MESSAGE_INIT;
	struct mqtt_spec spec = {
		.id = h->id, .version5 = h->conf->version && strcmp(h->conf->version, "5") == 0,
		.keep_alive_s = (int)(h->conf->keep_alive_ms / 1000), .tls = h->tls,
		.ca_file = h->conf->ca_file, .cert_file = h->conf->cert_file, .key_file = h->conf->key_file,
	};

	if (secrets_load(h, f) < 0)
		return -EACCES;
	spec.username = h->username.s ? h->username.s : h->conf->username;
	spec.password = h->password.s ? &h->password : NULL;
	if (h->dialect->acknowledged) {
		native_online(&h->context, false, &will);
		spec.will_topic = will.topic;
		spec.will = will.payload.s;
	}
	h->mqtt = mqtt_new(h->loop, &spec, &cb, h, f);
	return h->mqtt ? mqtt_connect(h->mqtt, h->tls ? h->host : h->address, h->port, f) : -EIO;
}

static void
link_close(struct hub *h)
{
	h->up = false;
	sender_stop(h->sender);
	resolver_cancel(h->resolver);
	h->resolver = NULL;
	mqtt_free(h->mqtt);
	h->mqtt = NULL;
}

static void
subscribe_all(struct hub *h)
{
	char **topics = h->dialect->subscriptions(&h->context);
	struct fail f;

	if (mqtt_subscribe(h->mqtt, topics, &f) < 0)
		link_fail(h, CONNECTION_LOST, "%s", f.text);
	xfree_strv(topics);
}

/* Subscribed: records are sent from now on, and the attributes are asked for. */
static void
attributes_fetch(struct hub *h)
{
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;

	if (!h->up) {
		h->up = true;
		h->reported_loss = false;
		h->why[0] = '\0';
		hub_log(h, false, "%s: connected as %s", h->conf->broker, h->id);
		if (h->dialect->acknowledged)
			native_online(&h->context, true, &m);
		if (m.topic)
			(void)message_publish(&m, h);
		dialect_message_release(&m);
		sender_start(h->sender);
		outcalls_link(h->outcalls);
	}
	if (!h->dialect->has_level) {
		link_advance(h, CONNECTION_FETCHING);
		return;
	}
	h->dialect->fetch(&h->context, &m);
	(void)message_publish(&m, h);
}

static void
link_synced(struct hub *h)
{
	hub_log(h, true, "%s: synced", h->conf->broker);
	if (!h->was_ready)
		sdnotify("READY=1");
	h->was_ready = true;
}

static void
link_backoff(struct hub *h)
{
	const int64_t left = h->connection.due_ms - clock_mono_ms();

	link_close(h);
	if (h->connection.cause == CONNECTION_TAKEN_OVER)
		hub_log(h, false, "%s: another client uses the id %s: next attempt in %jd s", h->conf->broker, h->id,
		    (intmax_t)(left / 1000));
	else if (h->connection.cause == CONNECTION_DENIED)
		hub_log(h, false, "%s: denied: %s; next attempt in %jd s", h->conf->broker, h->why, (intmax_t)(left / 1000));
	else
		hub_log(h, h->reported_loss, "%s: %s; trying again", h->conf->broker, h->why);
	h->reported_loss = true;
}

static void
link_off(struct hub *h)
{
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;

	if (h->mqtt && h->up && h->dialect->acknowledged) {
		native_online(&h->context, false, &m);
		(void)message_publish(&m, h);
	}
	if (h->mqtt)
		mqtt_disconnect(h->mqtt);
	link_close(h);
	loop_release(h->loop);
}

static void
state_act(struct hub *h)
{
	struct fail f;

	switch (h->connection.state) {
	case CONNECTION_RESOLVING:
		link_close(h);
		h->resolver = resolver_start(h->loop, h->host, h->connection.failures, on_resolved, h);
		if (!h->resolver)
			link_fail(h, CONNECTION_LOST, "%s: %s", h->host, strerror(errno));
		break;
	case CONNECTION_CONNECTING:
		if (client_start(h, &f) < 0)
			link_fail(h, f.status == EXIT_DENIED ? CONNECTION_DENIED : CONNECTION_LOST, "%s", f.text);
		break;
	case CONNECTION_SUBSCRIBING:
		subscribe_all(h);
		break;
	case CONNECTION_FETCHING:
		attributes_fetch(h);
		break;
	case CONNECTION_SYNCED:
		link_synced(h);
		break;
	case CONNECTION_DRAINING:
		sender_pump(h->sender);
		if (sender_is_idle(h->sender))
			connection_drained(&h->connection, clock_mono_ms());
		connection_changed(h);
		break;
	case CONNECTION_BACKOFF:
		link_backoff(h);
		break;
	case CONNECTION_OFF:
		link_off(h);
		break;
	case CONNECTION_CONNACK:
		break;
	}
}

static void
on_follow(void *cookie)
{
	struct hub *h = cookie;

	h->entered = h->connection.entered;
	state_act(h);
	connection_changed(h);
}

/* --- submissions */

static enum intake_verdict
item_accept(const struct intake_item *item, void *cookie, struct fail *f)
{
	struct hub *h = cookie;
	_cleanup_json_ struct json record = json_copy(item->value), time = JSON_ABSENT;
	_cleanup_free_ char *kind = xstrdup(json_get_text(item->value, "kind"));
	const enum outbox_queue queue = submission_is_urgent(kind) ? OUTBOX_URGENT : OUTBOX_BULK;
	const struct timespec at = { item->time_ms / 1000, item->time_ms % 1000 * 1000000 };
	char text[CLOCK_TEXT];
	int r;

	if (strcmp(kind, "call") == 0)
		return outcalls_accept(h->outcalls, item, f) == 0 ? INTAKE_ACCEPTED : INTAKE_REFUSED;
	if (dialect_check(h->dialect, record, f) < 0)
		return INTAKE_REFUSED;
	time = json_get(record, "time");
	if (!json_get_string(time))
		json_set_text(&record, "time", clock_format(at, text));
	if (strcmp(kind, "telemetry") == 0 && json_kind(time) != JSON_STRING)
		json_set(&record, "ts", json_number((double)item->time_ms));
	json_set_text(&record, "sub", item->sub);
	r = outbox_add(h->outbox, queue, record, NULL);
	if (r == -ENOBUFS || r == -ENOSPC)
		return INTAKE_FULL;
	if (r == 0)
		return INTAKE_ACCEPTED;
	fail_errno(f, r, "outbox");
	return r == -EMSGSIZE ? INTAKE_REFUSED : INTAKE_FULL;
}

static int
batch_commit(void *cookie)
{
	struct hub *h = cookie;

	return outbox_commit(h->outbox);
}

static void
item_refused(const struct fail *f, void *cookie)
{
	struct hub *h = cookie;

	hub_log(h, false, "submission refused: %s", f->text);
}

static void
on_scan(void *cookie)
{
	struct hub *h = cookie;
	const struct intake_callbacks cb = { item_accept, batch_commit, item_refused, h };
	int r = intake_scan(&h->intake, &cb);

	if (r < 0) {
		hub_log(h, false, "%s/in: %s", h->dir, strerror(-r));
		loop_timer_set(h->loop, &h->scan, RETRY_INTAKE_MS);
	}
	if (r != 0)
		status_changed(h);
	sender_pump(h->sender);
	/* what is left is taken when there is room */
	if (r >= 0 && h->intake.full)
		loop_timer_set(h->loop, &h->scan, FULL_MS);
}

static void
on_in(int fd, short events, void *cookie)
{
	(void)events;
	if (inotify_drain(fd) > 0)
		on_scan(cookie);
}

static void
on_sweep(void *cookie)
{
	struct hub *h = cookie;

	on_scan(h);
	results_sweep(h->dir);
	calls_expire(h->dir, clock_wall_ms(), call_expired, h);
	outcalls_expire(h->outcalls);
	loop_timer_set(h->loop, &h->sweep, SWEEP_MS);
}

static void
on_watchdog(void *cookie)
{
	struct hub *h = cookie;

	sdnotify("WATCHDOG=1");
	loop_timer_set(h->loop, &h->watchdog, sdnotify_watchdog_ms());
}

static void
record_confirmed(const char *sub, int64_t id, const char *how, void *cookie)
{
	struct hub *h = cookie;

	(void)results_write(h->dir, sub, id, "confirmed", EXIT_OK, how, JSON_ABSENT);
}

/* --- start and end */

static int
broker_parse(struct hub *h, struct fail *f)
{
	const char *url = h->conf->broker, *host = strstr(url, "://") + 3, *end, *colon;
	int64_t port;

	h->tls = strncmp(url, "mqtts", 5) == 0;
	port = h->tls ? PORT_TLS : PORT_PLAIN;
	end = *host == '[' ? strchr(host, ']') : NULL;
	colon = strchr(end ? end : host, ':');
	h->host = end ? xstrndup(host + 1, (size_t)(end - host - 1)) :
	    xstrndup(host, colon ? (size_t)(colon - host) : strlen(host));
	if (!*h->host || (colon && num_parse(colon + 1, 1, 65535, &port) < 0))
		return fail_set(f, EXIT_USAGE, "broker: '%s': not mqtt://HOST[:PORT] or mqtts://HOST[:PORT]", url);
	h->port = (int)port;
	return 0;
}

/* The group of the profile; (gid_t)-1 where there is none, with F filled where it should be. */
static gid_t
group_of(const struct profile_hub *conf, struct fail *f)
{
	const struct group *g = conf->group ? getgrnam(conf->group) : NULL;

	if (conf->group && !g)
		fail_set(f, EXIT_USAGE, "[hub] group: there is no group '%s'", conf->group);
	return g ? g->gr_gid : (gid_t)-1;
}

static int
records_open(struct hub *h, struct fail *f)
{
	const struct sender_callbacks cb = { message_publish, record_confirmed, log_text, h };
	const struct sender_spec spec = { h->loop, h->dialect, &h->context, NULL, h->dir };
	struct sender_spec with = spec;
	struct outcalls_spec out = { h->loop, h->dialect, &h->context, h->dir, message_publish, h };
	struct devicecall_spec calls = { h->loop, h->dir, h->spec.profile->name, h->conf->allow, call_answer, h };
	_cleanup_free_ char *in = hubdir_file(h->dir, "in");

	if (outbox_open(h->dir, h->conf->urgent_max, h->conf->bulk_max, &h->outbox, f) < 0)
		return -EIO;
	with.outbox = h->outbox;
	h->sender = sender_new(&with, &cb, f);
	if (attributes_open(&h->attributes, h->dir, f) < 0)
		log_fail(h, f);
	h->outcalls = outcalls_new(&out);
	if (devicecall_new(&calls, &h->devicecall, f) < 0)
		return -EIO;
	h->owners = xasprintf("%s/agent/owners", dirs_state());
	h->intake = (struct intake){ .dir = h->dir, .authority = { h->spec.profile->uid, h->owners } };
	h->inotify = inotify_open();
	if (h->inotify >= 0 && inotify_watch(h->inotify, in, IN_MOVED_TO | IN_ONLYDIR) >= 0)
		loop_watch(h->loop, h->inotify, POLLIN, on_in, h);
	else
		hub_log(h, false, "%s: cannot be watched: read every 10 s", in);
	return 0;
}

static void
on_end(void *cookie)
{
	struct hub *h = cookie;

	loop_shutdown(h->loop, EXIT_OK);
}

/* A stage of the shutdown: the link is drained. */
static void
on_shutdown(void *cookie)
{
	struct hub *h = cookie;

	sdnotify("STOPPING=1");
	on_scan(h);
	loop_hold(h->loop);
	connection_stop(&h->connection, clock_mono_ms());
	if (h->connection.entered == h->entered && h->connection.state == CONNECTION_OFF)
		loop_release(h->loop);
	connection_changed(h);
}

static int
hub_open(struct hub *h, struct fail *f)
{
	const gid_t group = group_of(h->conf, f);

	if (group == (gid_t)-1 && h->conf->group)
		return -EINVAL;
	h->dialect = dialects_find(h->conf->dialect);
	if (broker_parse(h, f) < 0)
		return -EINVAL;
	h->id = clientid_expand(h->conf->client_id, f);
	if (!h->id)
		return -EINVAL;
	h->context = (struct dialect_context){ h->id, h->conf->goal_key, h->conf->fleet_groups };
	h->dir = hubdir_path(h->spec.profile->name);
	if (secrets_load(h, f) < 0)
		return -EACCES;
	umask(027);
	if (hubdir_make(h->dir, group, f) < 0)
		return -EIO;
	h->lock = hubdir_lock(h->dir, f);
	if (h->lock < 0)
		return -EBUSY;
	return records_open(h, f);
}

static void
hub_release(struct hub *h)
{
	if (h->sender)
		link_close(h);
	sender_free(h->sender);
	outbox_close(h->outbox);
	outcalls_free(h->outcalls);
	devicecall_free(h->devicecall);
	intake_release(&h->intake);
	attributes_close(&h->attributes);
	secret_release(&h->password);
	secret_release(&h->username);
	io_closep(&h->inotify);
	io_closep(&h->lock);
	free(h->dir);
	free(h->id);
	free(h->host);
	free(h->owners);
	free(h->address);
	loop_free(h->loop);
}

int
hub_run(const struct hub_spec *spec, struct fail *f)
{
	struct hub h = { .spec = *spec, .conf = &spec->profile->hub, .loop = loop_new(), .lock = -1, .inotify = -1 };
	struct loop_stage stage = { .fn = on_shutdown, .cookie = &h };
	int r;

	h.step = (struct loop_timer){ .fn = on_step, .cookie = &h };
	h.follow = (struct loop_timer){ .fn = on_follow, .cookie = &h };
	h.scan = (struct loop_timer){ .fn = on_scan, .cookie = &h };
	h.sweep = (struct loop_timer){ .fn = on_sweep, .cookie = &h };
	h.status = (struct loop_timer){ .fn = on_status, .cookie = &h };
	h.watchdog = (struct loop_timer){ .fn = on_watchdog, .cookie = &h };
	connection_init(&h.connection, random_number);
	signal(SIGPIPE, SIG_IGN);
	secret_guard();
	r = hub_open(&h, f);
	if (r == 0) {
		loop_signal(h.loop, SIGINT, on_end, &h);
		loop_signal(h.loop, SIGTERM, on_end, &h);
		loop_stage_add(h.loop, &stage);
		on_status(&h);
		connection_start(&h.connection, clock_mono_ms());
		connection_changed(&h);
		on_sweep(&h);
		if (sdnotify_watchdog_ms() > 0)
			on_watchdog(&h);
		r = loop_run(h.loop);
		on_status(&h);
	}
	hub_release(&h);
	return r;
}
