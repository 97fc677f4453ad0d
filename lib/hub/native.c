#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "hub/native.h"

enum { LEVELS_MAX = 64 };	/* of a state's key: brokers drop the connection over 200 or 128 of a topic */

static char **
topics_subscribed(const struct dialect_context *c)
{
	size_t n = 0, groups = 0;
	char **v;

	while (c->groups && c->groups[groups])
		groups++;
	v = xcalloc(5 + groups, sizeof *v);
	v[n++] = xasprintf("rejoin/1/%s/goal", c->id);
	v[n++] = xasprintf("rejoin/1/%s/req", c->id);
	v[n++] = xasprintf("rejoin/1/%s/ack", c->id);
	v[n++] = xasprintf("rejoin/1/%s/config/+/+", c->id);
	for (size_t i = 0; i < groups; i++)
		v[n++] = xasprintf("rejoin/1/group/%s/req", c->groups[i]);
	return v;
}

static void
no_fetch(const struct dialect_context *c, struct dialect_message *m)
{
	(void)c;
	(void)m;
}

/* A text or a number that is an id, as text; NULL. */
static char *
call_id(struct json v)
{
	_cleanup_json_ struct json id = json_get(v, "id");
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (json_get_string(id))
		return xstrdup(json_get_string(id));
	if (json_kind(id) != JSON_NUMBER)
		return NULL;
	json_get_spelling(id, &b);
	return buf_steal(&b);
}

static int
call_receive(const char *topic, struct json v, struct dialect_event *e, struct fail *f)
{
	_cleanup_json_ struct json deadline = json_get(v, "deadline");
	const char *method = json_get_text(v, "method"), *action = json_get_text(v, "action");
	const char *instance = json_get_text(v, "instance");
	_cleanup_free_ char *id = call_id(v);

	if (!id || !*id || (!action && (!method || !instance)))
		return fail_set(f, EXIT_USAGE, "%s: a call without an id, or without an action", topic);
	(void)json_get_whole(deadline, &e->deadline_ms);
	e->kind = DIALECT_CALL;
	e->id = TAKE_PTR(id);
	e->instance = xstrdup(action ? "$agent" : instance);
	e->method = xstrdup(action ? action : method);
	e->params = json_get(v, action ? "args" : "params");
	return 0;
}

static int
ack_receive(const char *topic, struct json v, struct dialect_event *e, struct fail *f)
{
	_cleanup_json_ struct json urgent = json_get(v, "urgent"), bulk = json_get(v, "bulk");
	int64_t n;

	e->kind = DIALECT_ACK;
	if (json_get_whole(urgent, &n) && n >= 0)
		e->urgent = n;
	if (json_get_whole(bulk, &n) && n >= 0)
		e->bulk = n;
	if (e->urgent < 0 && e->bulk < 0)
		return fail_set(f, EXIT_USAGE, "%s: acknowledges nothing", topic);
	return 0;
}

/* An empty payload deletes a retained message. */
static int
value_receive(const char *topic, const char *name, const char *payload, size_t len, struct dialect_event *e,
    struct fail *f)
{
	const bool is_goal = strcmp(name, "goal") == 0;
	_cleanup_free_ char *key = is_goal ? xstrdup("goal") : xasprintf("configuration/%s", name + 7);
	struct json value = json_null();

	if (len > 0 && is_goal && json_parse(topic, payload, len, &value, f) < 0)
		return -EINVAL;
	if (len > 0 && !is_goal)
		value = dialect_text(payload, len);
	e->kind = DIALECT_CHANGE;
	e->attributes = json_object();
	json_set(&e->attributes, key, value);
	return 0;
}

static int
message_receive(const struct dialect_context *c, const char *topic, const char *payload, size_t len,
    struct dialect_event *e, struct fail *f)
{
	_cleanup_free_ char *own = xasprintf("rejoin/1/%s/", c->id);
	const char *name = dialect_after(topic, own);
	_cleanup_json_ struct json v = JSON_ABSENT;

	if (name && (strcmp(name, "goal") == 0 || strncmp(name, "config/", 7) == 0))
		return value_receive(topic, name, payload, len, e, f);
	if (!name && !dialect_after(topic, "rejoin/1/group/"))
		return 0;
	if (json_parse(topic, payload, len, &v, f) < 0)
		return -EINVAL;
	return name && strcmp(name, "ack") == 0 ? ack_receive(topic, v, e, f) : call_receive(topic, v, e, f);
}

/* {"id","prev","acked","sub"} of RECORD. */
static struct json
chain_members(struct json record)
{
	static const char *const names[] = { "id", "prev", "acked", "sub" };
	struct json v = json_object();

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct json value = json_get(record, names[i]);

		if (json_kind(value) != JSON_NONE)
			json_set(&v, names[i], value);
	}
	return v;
}

static int
answer_encode(const struct dialect_context *c, struct json record, struct json value, struct dialect_message *m,
    struct fail *f)
{
	_cleanup_json_ struct json body = json_object(), call = json_get(value, "call");
	_cleanup_json_ struct json outcome = json_get(value, "outcome");
	const char *id = json_get_text(call, "id"), *status = json_get_text(value, "status");

	if (!id || !status)
		return fail_set(f, EXIT_USAGE, "answer: is for no call");
	json_set_text(&body, "id", id);
	json_set_text(&body, "device", c->id);
	json_set_text(&body, "status", status);
	for (struct json_iter it = json_begin(outcome); json_next(&it); )
		json_set(&body, it.key, json_copy(it.value));
	json_set(&body, "response", json_get(value, "response"));
	json_set(&body, "record", chain_members(record));
	m->topic = xasprintf("rejoin/1/%s/res", c->id);
	json_format(body, &m->payload);
	return 0;
}

static int
levels_of(const char *key)
{
	int n = 1;

	for (const char *s = key; *s; s++)
		n += *s == '/';
	return n;
}

static int
record_encode(const struct dialect_context *c, struct json record, struct dialect_message *m, struct fail *f)
{
	_cleanup_json_ struct json value = json_get(record, "value"), dropped = json_get(record, "dropped");
	const char *kind = json_get_text(record, "kind"), *key = json_get_text(record, "key");

	/* a range of records that its queue dropped; the topic says which queue */
	if (json_kind(dropped) == JSON_NUMBER) {
		m->topic = xasprintf("rejoin/1/%s/%s", c->id, kind && strcmp(kind, "report") == 0 ? kind : "telemetry");
		json_format(record, &m->payload);
		return 0;
	}
	if (!kind || !key)
		return fail_set(f, EXIT_USAGE, "a record without kind or key");
	if (strcmp(kind, "answer") == 0)
		return answer_encode(c, record, value, m, f);
	if (strcmp(kind, "state") == 0) {
		if (levels_of(key) > LEVELS_MAX)
			return fail_set(f, EXIT_USAGE, "state %.80s...: more than %d levels", key, LEVELS_MAX);
		if (key[strcspn(key, "+#")])
			return fail_set(f, EXIT_USAGE, "state %s: a name has no '+' and no '#'", key);
		m->topic = xasprintf("rejoin/1/%s/state/%s", c->id, key);
		m->retain = true;
	} else if (strcmp(kind, "report") == 0 || strcmp(kind, "telemetry") == 0 || strcmp(kind, "log") == 0) {
		m->topic = xasprintf("rejoin/1/%s/%s", c->id, kind);
	} else {
		return fail_set(f, EXIT_USAGE, "%s: no kind of record", kind);
	}
	json_format(record, &m->payload);
	return 0;
}

void
native_online(const struct dialect_context *c, bool online, struct dialect_message *m)
{
	m->topic = xasprintf("rejoin/1/%s/online", c->id);
	m->retain = true;
	buf_printf(&m->payload, "{\"online\":%s}", online ? "true" : "false");
}

const struct dialect native_dialect = {
	.name = "rejoin", .acknowledged = true,
	.subscriptions = topics_subscribed, .fetch = no_fetch, .receive = message_receive, .encode = record_encode,
};
