#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/loop.h"
#include "base/sdnotify.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "hub/attributes.h"
#include "hub/broker.h"
#include "hub/calls.h"
#include "hub/clientid.h"
#include "hub/dialects.h"
#include "hub/devicecall.h"
#include "hub/hub.h"
#include "hub/hubdir.h"
#include "hub/inbox.h"
#include "hub/linkstatus.h"
#include "hub/native.h"
#include "hub/outcalls.h"
#include "hub/refusals.h"
#include "hub/results.h"
#include "hub/sender.h"
#include "hub/submission.h"

enum { SWEEP_MS = 10000, STATUS_MS = 500 };

struct hub {
	struct hub_spec spec;
	const struct profile_hub *conf;
	struct loop *loop;
	char *dir, *id, *owners;
	struct authority authority;
	int lock;
	const struct dialect *dialect;
	struct dialect_context context;
	struct dialect_message will;
	struct broker *broker;
	bool was_ready;
	/* records */
	struct outbox *outbox;
	struct sender *sender;
	struct inbox *inbox;
	struct loop_timer sweep, status, watchdog;
	struct attributes attributes;
	struct outcalls *outcalls;
	struct devicecall *devicecall;
	int64_t refused_messages;
	struct refusals refusals;	/* of them */
};

static void
log_fail(struct hub *h, const struct fail *f)
{
	logger_info(&h->spec.log, "%s", f->text);
}

/* --- status */

static void
on_status(void *cookie)
{
	struct hub *h = cookie;
	struct inbox_counts in;
	struct linkstatus status = {
		.state = connection_state_name(broker_state(h->broker)), .reason = broker_why(h->broker), .broker = h->conf->broker,
		.client_id = h->id, .dialect = h->dialect->name, .denied = broker_is_denied(h->broker),
		.confirms_end_to_end = sender_confirms_end_to_end(h->sender), .outbox = h->outbox,
		.refused_messages = h->refused_messages,
	};
	int r;

	inbox_get_counts(h->inbox, &in);
	status.full = in.full;
	status.accepted = in.accepted;
	status.refused = in.refused;
	r = linkstatus_write(h->dir, &status);
	if (r < 0)
		logger_info(&h->spec.log, "%s/status: %s", h->dir, strerror(-r));
}

static void
status_changed(struct hub *h)
{
	if (!h->status.set)
		loop_timer_set(h->loop, &h->status, STATUS_MS);
}

/* --- messages */

static int
message_publish(const struct dialect_message *m, void *cookie)
{
	struct hub *h = cookie;

	return broker_publish(h->broker, m->topic, m->payload.s, m->payload.len, m->retain, 0);
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
		logger_info(&h->spec.log, "%s %s: %s", kind, key, strerror(-r));
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
	return access(h->owners, F_OK) < 0 || authority_owner(&h->authority, instance) != (uid_t)-1;
}

static void
call_received(struct hub *h, const struct dialect_event *e)
{
	_cleanup_json_ struct json call = dialect_call_json(e);
	struct fail f;
	int r;

	if (outcalls_has(h->outcalls, e->number))
		return;
	logger_note(&h->spec.log, "call %s received: %s/%s", e->id, e->instance, e->method);
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

/* By which id the agent speaks of the goal. */
static void
goal_log(struct hub *h, struct json attributes)
{
	_cleanup_json_ struct json goal = json_get(attributes, "goal"), workflow = json_get(goal, "workflow");
	const char *id = json_get_text(workflow, "id");

	if (!id)
		id = json_get_text(goal, "deploymentId");
	if (json_kind(goal) == JSON_NULL)
		logger_note(&h->spec.log, "goal withdrawn");
	else if (json_kind(goal) != JSON_NONE)
		logger_note(&h->spec.log, "goal %s received", id ? id : "without an id");
}

static void
attributes_received(struct hub *h, const struct dialect_event *e)
{
	struct fail f;

	goal_log(h, e->attributes);
	if (attributes_apply(&h->attributes, e->attributes, e->kind == DIALECT_LEVEL, &f) < 0)
		log_fail(h, &f);
	else if (e->kind == DIALECT_LEVEL)
		broker_fetched(h->broker);
}

static void
message_refused(struct hub *h, const struct fail *f)
{
	_cleanup_json_ struct json text = json_string(f->text);

	h->refused_messages++;
	status_changed(h);
	if (!refusals_may_tell(&h->refusals, clock_mono_ms(), &h->spec.log, "messages"))
		return;
	logger_info(&h->spec.log, "message refused: %s", f->text);
	record_add(h, "telemetry", "$agent/refused", text);
}

/* Its names come back in the answer's topic, in files and in messages. */
static int
call_check(const struct dialect_event *e, struct fail *f)
{
	const char *const names[] = { e->id, e->instance, e->method };
	struct fail why;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (submission_check_key(names[i], &why) < 0)
			return fail_set(f, EXIT_USAGE, "a call: %s", why.text);
	return 0;
}

static void
on_received(const char *topic, const char *payload, size_t len, void *cookie)
{
	struct hub *h = cookie;
	_cleanup_dialect_event_ struct dialect_event e = DIALECT_EVENT_INIT;
	struct fail f;
	int r = len > DIALECT_PAYLOAD_MAX ? fail_set(&f, EXIT_USAGE, "%s: %zu bytes, more than %d", topic, len,
	    DIALECT_PAYLOAD_MAX) : h->dialect->receive(&h->context, topic, payload, len, &e, &f);

	if (r == 0 && e.kind == DIALECT_CALL)
		r = call_check(&e, &f);
	if (r < 0) {
		message_refused(h, &f);
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

static char **
on_topics(void *cookie)
{
	struct hub *h = cookie;

	return h->dialect->subscriptions(&h->context);
}

static void
online_publish(struct hub *h, bool online)
{
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;

	if (!h->dialect->acknowledged)
		return;
	native_online(&h->context, online, &m);
	(void)message_publish(&m, h);
}

/* Subscribed: records are sent from now on, and the attributes are asked for. */
static void
on_up(bool first, void *cookie)
{
	struct hub *h = cookie;
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;

	if (first) {
		online_publish(h, true);
		sender_start(h->sender);
		outcalls_link(h->outcalls);
	}
	if (!h->dialect->has_level) {
		broker_fetched(h->broker);
		return;
	}
	h->dialect->fetch(&h->context, &m);
	(void)message_publish(&m, h);
}

static void
on_synced(void *cookie)
{
	struct hub *h = cookie;

	if (!h->was_ready)
		sdnotify("READY=1");
	h->was_ready = true;
}

static void
on_down(void *cookie)
{
	struct hub *h = cookie;

	sender_stop(h->sender);
}

static bool
on_drain(void *cookie)
{
	struct hub *h = cookie;

	sender_pump(h->sender);
	return sender_is_idle(h->sender);
}

static void
on_leave(void *cookie)
{
	online_publish(cookie, false);
}

static void
on_off(void *cookie)
{
	struct hub *h = cookie;

	loop_release(h->loop);
}

static void
on_published(int mid, void *cookie)
{
	struct hub *h = cookie;

	sender_published(h->sender, mid);
	status_changed(h);
	if (sender_is_idle(h->sender))
		broker_drained(h->broker);
}

static void
on_changed(void *cookie)
{
	status_changed(cookie);
}

/* --- on the loop */

static void
records_changed(void *cookie)
{
	struct hub *h = cookie;

	sender_pump(h->sender);
	status_changed(h);
}

static void
on_sweep(void *cookie)
{
	struct hub *h = cookie;

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

/* A record that no message can carry: it is dropped, and the collector told so. */
static void
record_refused(const char *sub, int64_t id, const struct fail *why, void *cookie)
{
	struct hub *h = cookie;

	logger_info(&h->spec.log, "record %jd dropped: %s", (intmax_t)id, why->text);
	if (sub)
		(void)results_write(h->dir, sub, id, "refused", EXIT_USAGE, why->text, JSON_ABSENT);
}

/* --- start and end */

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
	const struct sender_callbacks cb = { message_publish, record_confirmed, record_refused, h };
	struct sender_spec sender = { h->loop, h->dialect, &h->context, NULL, h->dir, h->spec.log };
	struct inbox_spec in = { .loop = h->loop, .dir = h->dir, .authority = h->authority, .dialect = h->dialect,
		.log = h->spec.log, .changed = records_changed, .cookie = h };
	struct outcalls_spec out = { h->loop, h->dialect, &h->context, h->dir, message_publish, h };
	struct devicecall_spec calls = { h->loop, h->dir, h->spec.profile, call_answer, h };

	if (outbox_open(h->dir, h->conf->urgent_max, h->conf->bulk_max, &h->outbox, f) < 0)
		return -EIO;
	sender.outbox = h->outbox;
	h->sender = sender_new(&sender, &cb);
	if (attributes_open(&h->attributes, h->dir, f) < 0)
		log_fail(h, f);
	h->outcalls = outcalls_new(&out);
	if (devicecall_new(&calls, &h->devicecall, f) < 0)
		return -EIO;
	in.outcalls = h->outcalls;
	in.outbox = h->outbox;
	h->inbox = inbox_new(&in);
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
	inbox_scan(h->inbox);
	loop_hold(h->loop);
	broker_stop(h->broker);
}

static int
link_open(struct hub *h, struct fail *f)
{
	const struct broker_callbacks cb = { on_topics, on_up, on_synced, on_down, on_drain, on_leave, on_off, on_received,
		on_published, on_changed, h->spec.log, h };
	struct broker_spec spec = { .loop = h->loop, .conf = h->conf, .id = h->id };

	if (h->dialect->acknowledged) {
		native_online(&h->context, false, &h->will);
		spec.will_topic = h->will.topic;
		spec.will = h->will.payload.s;
	}
	return broker_new(&spec, &cb, &h->broker, f);
}

static int
hub_open(struct hub *h, struct fail *f)
{
	const gid_t group = group_of(h->conf, f);

	if (group == (gid_t)-1 && h->conf->group)
		return -EINVAL;
	h->dialect = dialects_find(h->conf->dialect);
	h->id = clientid_expand(h->conf->client_id, h->conf->cert_file, f);
	if (!h->id)
		return -EINVAL;
	h->owners = xasprintf("%s/agent/owners", dirs_state());
	h->authority = (struct authority){ h->spec.profile->uid, h->owners };
	h->context = (struct dialect_context){ h->id, h->conf->goal_key, h->conf->fleet_groups };
	h->dir = hubdir_path(h->spec.profile->name);
	if (link_open(h, f) < 0)
		return -EINVAL;
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
	broker_free(h->broker);
	dialect_message_release(&h->will);
	sender_free(h->sender);
	outbox_close(h->outbox);
	outcalls_free(h->outcalls);
	devicecall_free(h->devicecall);
	inbox_free(h->inbox);
	attributes_close(&h->attributes);
	io_closep(&h->lock);
	free(h->dir);
	free(h->id);
	free(h->owners);
	loop_free(h->loop);
}

int
hub_run(const struct hub_spec *spec, struct fail *f)
{
	struct hub h = { .spec = *spec, .conf = &spec->profile->hub, .loop = loop_new(), .lock = -1,
		.will = DIALECT_MESSAGE_INIT };
	struct loop_stage stage = { .fn = on_shutdown, .cookie = &h };
	int r;

	h.sweep = (struct loop_timer){ .fn = on_sweep, .cookie = &h };
	h.status = (struct loop_timer){ .fn = on_status, .cookie = &h };
	h.watchdog = (struct loop_timer){ .fn = on_watchdog, .cookie = &h };
	signal(SIGPIPE, SIG_IGN);
	secret_guard();
	r = hub_open(&h, f);
	if (r == 0) {
		loop_signal(h.loop, SIGINT, on_end, &h);
		loop_signal(h.loop, SIGTERM, on_end, &h);
		loop_stage_add(h.loop, &stage);
		on_status(&h);
		broker_start(h.broker);
		on_sweep(&h);
		if (sdnotify_watchdog_ms() > 0)
			on_watchdog(&h);
		r = loop_run(h.loop);
		on_status(&h);
	}
	hub_release(&h);
	return r;
}
