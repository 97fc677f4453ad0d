#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "fleet/mqttcarrier.h"
#include "hub/broker.h"
#include "hub/clientid.h"
#include "hub/dialect.h"

enum { QUIET_MS = 300, GATHER_MS = 5000, AGAIN_CHECK_MS = 5000, GOAL_MAX = 1 << 20 };

/* What is known of a device. */
enum device_presence { PRESENCE_UNKNOWN, PRESENCE_ONLINE, PRESENCE_OFFLINE };

struct mqtt_device {
	int64_t deadline_ms;		/* wall time; 0: no outcome is awaited */
	int64_t asked_ms;		/* CLOCK_MONOTONIC */
	uint8_t presence;
	bool repeated;			/* half-way to the deadline */
};

struct mqttcarrier {
	struct carrier base;
	struct mqttcarrier_spec spec;
	struct carrier_callbacks cb;
	struct broker *broker;
	char *id;
	char *goal_id;			/* the action is goal: what reports name it by */
	struct buf goal_text;
	struct mqtt_device *devices;
	bool ready;
	int64_t up_ms;
	struct loop_timer gather;	/* the first states of devices have come */
	struct loop_timer again;
};

/* --- what is published */

static void
request_format(const struct mqttcarrier *c, uint32_t device, struct buf *out)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_free_ char *id = xasprintf("%s.%u", c->spec.rollout, device);
	struct json args = json_array();

	json_set_text(&v, "id", id);
	json_set_text(&v, "action", c->spec.action[0]);
	for (char *const *a = c->spec.action + 1; *a; a++)
		json_append(&args, json_string(*a));
	if (json_count(args) > 0)
		json_set(&v, "args", args);
	else
		json_release(&args);
	json_set(&v, "deadline", json_number((double)c->devices[device].deadline_ms));
	json_format(v, out);
}

static void
device_publish(struct mqttcarrier *c, uint32_t device)
{
	const char *name = roster_name(c->spec.roster, device);
	_cleanup_free_ char *topic = xasprintf("rejoin/1/%s/%s", name, c->goal_id ? "goal" : "req");
	const int64_t left = c->devices[device].deadline_ms - clock_wall_ms();
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (c->goal_id) {
		(void)broker_publish(c->broker, topic, c->goal_text.s, c->goal_text.len, true, 0);
		return;
	}
	if (left <= 0)
		return;
	request_format(c, device, &b);
	(void)broker_publish(c->broker, topic, b.s, b.len, false, left / 1000 + 1);
}

/* What may have been lost with a connection, or was never asked by a run that was killed. */
static void
asked_publish(struct mqttcarrier *c)
{
	for (uint32_t i = 0; i < roster_count(c->spec.roster) && broker_is_up(c->broker); i++)
		if (c->devices[i].deadline_ms > 0)
			device_publish(c, i);
}

/* Ask once more each device that has not answered when half of its time has passed. */
static void
repeat_requests(void *cookie)
{
	struct mqttcarrier *c = cookie;
	const int64_t now = clock_mono_ms(), wall = clock_wall_ms();

	for (uint32_t i = 0; i < roster_count(c->spec.roster) && broker_is_up(c->broker); i++) {
		struct mqtt_device *d = &c->devices[i];

		if (d->deadline_ms > 0 && !d->repeated && now - d->asked_ms > d->deadline_ms - wall) {
			d->repeated = true;
			device_publish(c, i);
		}
	}
	loop_timer_set(c->spec.loop, &c->again, AGAIN_CHECK_MS);
}

/* --- what is received */

/* The device that TOPIC, rejoin/1/DEVICE/WHAT, names; -1. */
static int64_t
topic_device(const struct mqttcarrier *c, const char *topic, const char **what)
{
	const char *name = dialect_after(topic, "rejoin/1/"), *slash = name ? strchr(name, '/') : NULL;
	_cleanup_free_ char *copy = slash ? xstrndup(name, (size_t)(slash - name)) : NULL;

	if (!slash)
		return -1;
	*what = slash + 1;
	return roster_find(c->spec.roster, copy);
}

static void
result_give(struct mqttcarrier *c, uint32_t device, enum rollout_state outcome, struct json v)
{
	_cleanup_json_ struct json response = json_get(v, "response");
	const struct carrier_result r = { .device = device, .outcome = outcome, .details = json_get_text(v, "details"),
		.response = response, .incarnation = json_get_text(v, "incarnation") };

	/* one that is busy is asked again by the caller */
	c->devices[device].deadline_ms = 0;
	c->cb.result(&r, c->cb.cookie);
}

/* An outcome, if it is of our request; a device that refuses an expired one has not carried it out. */
static void
outcome_receive(struct mqttcarrier *c, uint32_t device, struct json v)
{
	_cleanup_free_ char *id = xasprintf("%s.%u", c->spec.rollout, device);
	const char *have = json_get_text(v, "id"), *word = json_get_text(v, "outcome"), *status = json_get_text(v, "status");
	enum rollout_state outcome = rollout_outcome(word);

	if (c->goal_id || !have || strcmp(have, id) != 0)
		return;
	if (outcome == ROLLOUT_PENDING && word && strcmp(word, "expired") == 0)
		outcome = ROLLOUT_ABSENT;
	else if (outcome == ROLLOUT_PENDING)
		outcome = status && strcmp(status, "ok") == 0 ? ROLLOUT_SETTLED : ROLLOUT_FAILED;
	result_give(c, device, outcome, v);
}

static bool
is_text(struct json object, const char *key, const char *want)
{
	const char *have = json_get_text(object, key);

	return have && strcmp(have, want) == 0;
}

/* What a report says of our goal. */
static enum rollout_state
report_outcome(const struct mqttcarrier *c, struct json value)
{
	_cleanup_json_ struct json update = json_get(value, "deviceUpdate"), agent = json_get(update, "agent");
	_cleanup_json_ struct json workflow = json_get(agent, "workflow"), state = json_get(agent, "state");
	_cleanup_json_ struct json deployment = json_get(value, "deploymentStatus");
	int64_t n;

	if (is_text(workflow, "id", c->goal_id) && json_get_whole(state, &n))
		return n == 0 ? ROLLOUT_SETTLED : n == 255 ? ROLLOUT_FAILED : ROLLOUT_PENDING;
	if (is_text(deployment, "deploymentId", c->goal_id))
		return is_text(deployment, "reconcileStatus", "ok") ? ROLLOUT_SETTLED :
		    is_text(deployment, "reconcileStatus", "error") ? ROLLOUT_FAILED : ROLLOUT_PENDING;
	return ROLLOUT_PENDING;
}

static void
report_receive(struct mqttcarrier *c, uint32_t device, struct json v)
{
	_cleanup_json_ struct json value = json_get(v, "value"), whole = JSON_ABSENT;
	const char *key = json_get_text(v, "key");
	enum rollout_state outcome;

	if (!c->goal_id)
		return;
	/* all attributes, or the one that KEY names */
	if (key && *key) {
		whole = json_object();
		json_set(&whole, key, json_copy(value));
	} else {
		whole = json_copy(value);
	}
	outcome = report_outcome(c, whole);
	if (outcome != ROLLOUT_PENDING)
		result_give(c, device, outcome, JSON_ABSENT);
}

void
mqttcarrier_receive(struct carrier *carrier, const char *topic, const char *payload, size_t len)
{
	struct mqttcarrier *c = (struct mqttcarrier *)carrier;
	_cleanup_json_ struct json v = JSON_ABSENT;
	const char *what = "";
	const int64_t device = topic_device(c, topic, &what);
	struct fail ignored;

	if (device < 0 || len > DIALECT_PAYLOAD_MAX || json_parse(NULL, payload, len, &v, &ignored) < 0 || !json_is_object(v))
		return;
	if (strcmp(what, "online") == 0) {
		_cleanup_json_ struct json online = json_get(v, "online");

		c->devices[device].presence = json_kind(online) == JSON_TRUE ? PRESENCE_ONLINE : PRESENCE_OFFLINE;
		/* it came back, and a broker that was killed may have lost what waited for it */
		if (c->ready && c->devices[device].presence == PRESENCE_ONLINE && c->devices[device].deadline_ms > 0)
			device_publish(c, (uint32_t)device);
		if (!c->ready)
			loop_timer_set(c->spec.loop, &c->gather, clock_mono_ms() - c->up_ms < GATHER_MS ? QUIET_MS : 0);
	} else if (strcmp(what, "res") == 0) {
		outcome_receive(c, (uint32_t)device, v);
	} else if (strcmp(what, "report") == 0) {
		report_receive(c, (uint32_t)device, v);
	}
}

/* --- the connection */

static char **
on_topics(void *cookie)
{
	struct mqttcarrier *c = cookie;
	char **v = xcalloc(4, sizeof *v);

	v[0] = xstrdup("rejoin/1/+/online");
	v[1] = xstrdup(c->goal_id ? "rejoin/1/+/report" : "rejoin/1/+/res");
	return v;
}

static void
on_up(bool first, void *cookie)
{
	struct mqttcarrier *c = cookie;

	if (first) {
		c->up_ms = clock_mono_ms();
		loop_timer_set(c->spec.loop, &c->gather, QUIET_MS);
	}
	broker_fetched(c->broker);
}

/* Which devices are offline is known, as far as they have said. */
static void
on_gather(void *cookie)
{
	struct mqttcarrier *c = cookie;

	c->ready = broker_is_up(c->broker);
	if (!c->ready)
		return;
	/* a device that connects later says so, and is asked then */
	asked_publish(c);
	c->cb.ready(NULL, c->cb.cookie);
}

static void
on_down(void *cookie)
{
	struct mqttcarrier *c = cookie;

	c->ready = false;
	loop_timer_stop(c->spec.loop, &c->gather);
}

static void
on_nothing(void *cookie)
{
	(void)cookie;
}

static bool
on_drain(void *cookie)
{
	(void)cookie;
	return true;
}

static void
on_received(const char *topic, const char *payload, size_t len, void *cookie)
{
	mqttcarrier_receive(cookie, topic, payload, len);
}

static void
on_published(int mid, void *cookie)
{
	(void)mid;
	(void)cookie;
}

/* --- the carrier */

static int
device_ask(struct carrier *carrier, const struct carrier_ask *a, struct fail *f)
{
	struct mqttcarrier *c = (struct mqttcarrier *)carrier;
	struct mqtt_device *d = &c->devices[a->device];

	(void)f;
	d->deadline_ms = clock_wall_ms() + (a->left_ms > 0 ? a->left_ms : 1);
	d->asked_ms = clock_mono_ms();
	d->repeated = false;
	/* without a connection it is published with the next one */
	if (c->ready)
		device_publish(c, a->device);
	return 0;
}

static void
device_recorded(struct carrier *carrier, uint32_t device, int attempt)
{
	struct mqttcarrier *c = (struct mqttcarrier *)carrier;

	(void)attempt;
	c->devices[device].deadline_ms = 0;
}

static bool
is_ready(const struct carrier *carrier)
{
	return ((const struct mqttcarrier *)carrier)->ready;
}

static bool
is_absent(const struct carrier *carrier, uint32_t device, bool expired)
{
	const struct mqttcarrier *c = (const struct mqttcarrier *)carrier;

	return c->devices[device].presence == PRESENCE_OFFLINE || (expired && c->devices[device].presence == PRESENCE_UNKNOWN);
}

static bool
carrier_stop(struct carrier *carrier)
{
	(void)carrier;
	return false;
}

static void
carrier_free(struct carrier *carrier)
{
	struct mqttcarrier *c = (struct mqttcarrier *)carrier;

	broker_free(c->broker);
	loop_timer_stop(c->spec.loop, &c->gather);
	loop_timer_stop(c->spec.loop, &c->again);
	buf_release(&c->goal_text);
	free(c->goal_id);
	free(c->id);
	free(c->devices);
	free(c);
}

/* --- */

/* What a report will name the goal by; NULL. */
static char *
goal_id(struct json goal)
{
	_cleanup_json_ struct json workflow = json_get(goal, "workflow");
	const char *id = json_get_text(workflow, "id");

	if (!id)
		id = json_get_text(goal, "deploymentId");
	return id ? xstrdup(id) : NULL;
}

static int
goal_load(const char *path, struct json *goal, struct fail *f)
{
	_cleanup_free_ char *id = NULL;
	int r = json_load(path, 0, GOAL_MAX, goal, f);

	if (r < 0)
		return r == -ENOENT ? fail_set(f, EXIT_USAGE, "goal: %s: no such file", path) : r;
	id = goal_id(*goal);
	return id ? 0 : fail_set(f, EXIT_USAGE, "goal: %s: has neither a workflow with an id nor a deploymentId", path);
}

int
mqttcarrier_check(const struct profile_hub *conf, char *const *action, const struct roster *roster, struct json *goal, struct fail *f)
{
	static const char *const actions[] = { "retry", "restart", "status", "pause", "resume" };
	bool known = strcmp(action[0], "goal") == 0;

	if (!conf->dialect || strcmp(conf->dialect, "rejoin") != 0) {
		fail_set(f, EXIT_USAGE, "mqtt: the dialect %s cannot address other devices", conf->dialect ? conf->dialect : "(none)");
		fail_hint(f, "in ThingsBoard's device API each connection has one device: use its server's API with exec:, or the dialect rejoin");
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		known = known || strcmp(action[0], actions[i]) == 0;
	if (!known) {
		fail_set(f, EXIT_USAGE, "mqtt: '%s': no such action", action[0]);
		fail_hint(f, "actions: retry, restart, status, pause, resume, goal FILE");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < roster_count(roster); i++)
		if (strchr(roster_name(roster, i), '+') || strcmp(roster_name(roster, i), "group") == 0)
			return fail_set(f, EXIT_USAGE, "mqtt: '%s' is not the client id of a device", roster_name(roster, i));
	if (strcmp(action[0], "goal") != 0)
		return 0;
	if (!action[1] || action[2])
		return fail_set(f, EXIT_USAGE, "goal: one file");
	return goal_load(action[1], goal, f);
}

struct carrier *
mqttcarrier_new(const struct mqttcarrier_spec *spec, const struct carrier_callbacks *cb, struct fail *f)
{
	static const struct carrier_ops ops = { device_ask, device_recorded, is_ready, is_absent, carrier_stop, carrier_free };
	struct mqttcarrier *c = xcalloc(1, sizeof *c);
	const struct broker_callbacks on = { on_topics, on_up, on_nothing, on_down, on_drain, on_nothing, on_nothing, on_received,
		on_published, on_nothing, spec->log, c };
	struct broker_spec broker = { .loop = spec->loop, .conf = spec->conf, .clean_session = true };

	c->base.ops = &ops;
	c->spec = *spec;
	c->cb = *cb;
	c->goal_text = (struct buf)BUF_INIT;
	c->gather = (struct loop_timer){ .fn = on_gather, .cookie = c };
	c->again = (struct loop_timer){ .fn = repeat_requests, .cookie = c };
	c->devices = xcalloc(roster_count(spec->roster), sizeof *c->devices);
	if (strcmp(spec->action[0], "goal") == 0) {
		c->goal_id = goal_id(spec->goal);
		json_format(spec->goal, &c->goal_text);
	}
	c->id = clientid_expand(spec->conf->client_id, spec->conf->cert_file, f);
	broker.id = c->id;
	if (!c->id || broker_new(&broker, &on, &c->broker, f) < 0) {
		carrier_free(&c->base);
		return NULL;
	}
	broker_start(c->broker);
	loop_timer_set(spec->loop, &c->again, AGAIN_CHECK_MS);
	return &c->base;
}
