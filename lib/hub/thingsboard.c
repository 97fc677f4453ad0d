#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "hub/thingsboard.h"

#define ME	"v1/devices/me/"

enum schema { SCHEMA_PLAIN, SCHEMA_EVP1, SCHEMA_EVP2 };

static const char *
goal_key(const struct dialect_context *c)
{
	return c->goal_key ? c->goal_key : "deployment";
}

static char **
topics_subscribed(const struct dialect_context *c)
{
	static const char *const topics[] = { ME "attributes", ME "attributes/response/+", ME "rpc/request/+",
		ME "rpc/response/+" };
	char **v = xcalloc(sizeof topics / sizeof *topics + 1, sizeof *v);

	(void)c;
	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
		v[i] = xstrdup(topics[i]);
	return v;
}

/* --- what is received */

/* A member that a device writes, so that it can only be its own message. */
static bool
is_own(const char *key)
{
	return strcmp(key, "systemInfo") == 0 || strcmp(key, "deviceUpdate") == 0 || strcmp(key, "rejoin") == 0 || strcmp(key, "deploymentStatus") == 0 ||
	    strncmp(key, "state/", 6) == 0;
}

/* EVP1 writes the goal as text, and configurations in base64. */
static int
attribute_decode(enum schema schema, bool is_goal, const char *key, struct json value, struct json *out, struct fail *f)
{
	const char *text = json_get_string(value);
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (is_goal && text && schema != SCHEMA_PLAIN) {
		if (json_parse(key, text, json_string_len(value), out, f) < 0)
			return -EINVAL;
		return 0;
	}
	if (schema == SCHEMA_EVP1 && text && strncmp(key, "configuration/", 14) == 0) {
		if (base64_decode(text, json_string_len(value), &b) < 0)
			return fail_set(f, EXIT_USAGE, "%s: is not base64", key);
		*out = dialect_text(b.s, b.len);
		return 0;
	}
	*out = json_copy(value);
	return 0;
}

/* The members of GIVEN as the header of hub/dialect.h has them, into E. */
static int
attributes_receive(const struct dialect_context *c, enum schema schema, struct json given, struct dialect_event *e,
    struct fail *f)
{
	_cleanup_json_ struct json deleted = json_get(given, "deleted");
	struct json all = json_object();

	if (json_count(given) > DIALECT_KEYS_MAX) {
		json_release(&all);
		return fail_set(f, EXIT_USAGE, "attributes: more than %d", DIALECT_KEYS_MAX);
	}
	for (struct json_iter it = json_begin(given); json_next(&it); ) {
		const bool is_goal = strcmp(it.key, goal_key(c)) == 0;
		struct json value = JSON_ABSENT;

		if (is_own(it.key) || strcmp(it.key, "deleted") == 0)
			continue;
		if (attribute_decode(schema, is_goal, it.key, it.value, &value, f) < 0) {
			json_end(&it);
			json_release(&all);
			return -EINVAL;
		}
		json_set(&all, is_goal ? "goal" : it.key, value);
	}
	for (size_t i = 0; i < json_count(deleted); i++) {
		_cleanup_json_ struct json name = json_at(deleted, i);
		const char *key = json_get_string(name);

		if (key && !is_own(key))
			json_set(&all, strcmp(key, goal_key(c)) == 0 ? "goal" : key, json_null());
	}
	e->attributes = all;
	return 0;
}

/* Sets the strings of a call; false where one is missing. */
static bool
call_fill(struct dialect_event *e, int64_t n, const char *id, const char *instance, const char *method)
{
	if (!instance || !method)
		return false;
	e->kind = DIALECT_CALL;
	e->number = n;
	e->id = id ? xasprintf("%jd-%s", (intmax_t)n, id) : xasprintf("%jd", (intmax_t)n);
	e->instance = xstrdup(instance);
	e->method = xstrdup(method);
	return true;
}

/* ThingsBoard's own calls name no instance: METHOD, or INSTANCE/METHOD. */
static bool
plain_call(struct dialect_event *e, int64_t n, struct json v)
{
	const char *method = json_get_text(v, "method"), *slash = method ? strrchr(method, '/') : NULL;
	_cleanup_free_ char *instance = slash ? xstrndup(method, (size_t)(slash - method)) : xstrdup("$agent");

	e->params = json_get(v, "params");
	return call_fill(e, n, NULL, instance, slash ? slash + 1 : method);
}

static bool
evp1_call(struct dialect_event *e, int64_t n, struct json v)
{
	_cleanup_json_ struct json params = json_get(v, "params");
	const char *method = json_get_text(v, "method");

	if (!method || strcmp(method, "ModuleMethodCall") != 0)
		return false;
	e->params = json_get(params, "params");
	return call_fill(e, n, NULL, json_get_text(params, "moduleInstance"), json_get_text(params, "moduleMethod"));
}

static bool
evp2_call(struct dialect_event *e, int64_t n, struct json v)
{
	_cleanup_json_ struct json params = json_get(v, "params"), command = json_get(params, "direct-command-request");
	const char *reqid = json_get_text(command, "reqid");

	if (!reqid)
		return false;
	e->params = json_get(command, "params");
	return call_fill(e, n, reqid, json_get_text(command, "instance"), json_get_text(command, "method"));
}

static int
call_receive(enum schema schema, int64_t n, struct json v, struct dialect_event *e, struct fail *f)
{
	const bool ok = schema == SCHEMA_EVP1 ? evp1_call(e, n, v) : schema == SCHEMA_EVP2 ? evp2_call(e, n, v) :
	    plain_call(e, n, v);

	return ok ? 0 : fail_set(f, EXIT_USAGE, "call %jd: not a call of an instance", (intmax_t)n);
}

static bool
topic_number(const char *topic, const char *prefix, int64_t *n)
{
	const char *text = dialect_after(topic, prefix);

	return text && num_parse(text, 0, INT64_C(1) << 53, n) == 0;
}

static int
message_receive(enum schema schema, const struct dialect_context *c, const char *topic, const char *payload,
    size_t len, struct dialect_event *e, struct fail *f)
{
	_cleanup_json_ struct json v = JSON_ABSENT, shared = JSON_ABSENT;
	int64_t n;

	if (!dialect_after(topic, ME))
		return 0;
	if (json_parse(topic, payload, len, &v, f) < 0)
		return -EINVAL;
	if (topic_number(topic, ME "rpc/response/", &n)) {
		e->kind = DIALECT_RESPONSE;
		e->number = n;
		e->params = json_copy(v);
		return 0;
	}
	if (!json_is_object(v))
		return fail_set(f, EXIT_USAGE, "%s: %s, and not an object", topic, json_kind_name(v));
	if (topic_number(topic, ME "rpc/request/", &n))
		return call_receive(schema, n, v, e, f);
	if (topic_number(topic, ME "attributes/response/", &n)) {
		e->kind = n == DIALECT_FETCH_ID ? DIALECT_LEVEL : DIALECT_REPORTED;
		e->number = n;
		shared = json_get(v, n == DIALECT_FETCH_ID ? "shared" : "client");
		if (n != DIALECT_FETCH_ID) {
			e->attributes = json_is_object(shared) ? json_copy(shared) : json_object();
			return 0;
		}
		return attributes_receive(c, schema, shared, e, f);
	}
	if (strcmp(topic, ME "attributes") != 0)
		return 0;
	if (attributes_receive(c, schema, v, e, f) < 0)
		return -EINVAL;
	e->kind = json_count(e->attributes) > 0 ? DIALECT_CHANGE : DIALECT_NOTHING;
	return 0;
}

/* --- what is sent */

static void
message_set(struct dialect_message *m, const char *topic, struct json body)
{
	m->topic = xstrdup(topic);
	json_format(body, &m->payload);
}

/* {KEY:VALUE}; takes VALUE. */
static struct json
object_of(const char *key, struct json value)
{
	struct json v = json_object();

	json_set(&v, key, value);
	return v;
}

static int
report_encode(enum schema schema, const char *key, struct json value, struct dialect_message *m, struct fail *f)
{
	_cleanup_json_ struct json body = *key ? object_of(key, json_copy(value)) : json_copy(value), status = JSON_ABSENT;
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (!json_is_object(body))
		return fail_set(f, EXIT_USAGE, "report: %s, and not an object", json_kind_name(body));
	status = json_get(body, "deploymentStatus");
	if (schema == SCHEMA_EVP1 && json_is_object(status)) {
		json_format(status, &text);
		json_set_text(&body, "deploymentStatus", text.s);
	}
	message_set(m, ME "attributes", body);
	return 0;
}

static int
state_encode(enum schema schema, const char *key, struct json value, struct dialect_message *m, struct fail *f)
{
	_cleanup_free_ char *name = xasprintf("state/%s", key);
	_cleanup_buf_ struct buf bytes = BUF_INIT, b64 = BUF_INIT;
	_cleanup_json_ struct json body = JSON_ABSENT;

	if (dialect_bytes(value, &bytes) < 0)
		return fail_set(f, EXIT_USAGE, "state %s: is not base64", key);
	if (schema == SCHEMA_EVP1) {
		base64_encode(bytes.s, bytes.len, &b64);
		body = object_of(name, json_string(b64.s));
	} else {
		body = object_of(name, dialect_text(bytes.s, bytes.len));
	}
	message_set(m, ME "attributes", body);
	return 0;
}

/* "INSTANCE/STREAM" or "INSTANCE". */
static struct json
log_line(const char *key, struct json value, const char *time)
{
	const char *slash = strchr(key, '/');
	_cleanup_free_ char *app = slash ? xstrndup(key, (size_t)(slash - key)) : xstrdup(key);
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct json line = json_object(), lines = json_array();

	(void)dialect_bytes(value, &text);
	json_set(&line, "log", dialect_text(text.s, text.len));
	json_set_text(&line, "app", app);
	json_set_text(&line, "stream", slash ? slash + 1 : "stdout");
	json_set_text(&line, "time", time ? time : "");
	json_append(&lines, line);
	return lines;
}

static int
telemetry_encode(enum schema schema, struct json record, const char *key, struct json value, struct dialect_message *m)
{
	_cleanup_json_ struct json body = object_of(key, json_copy(value));
	const char *time = json_get_text(record, "time");
	struct json with_time;
	int64_t ms;

	/* a hub that is told no time takes that of the arrival, which may be days later */
	if (schema == SCHEMA_PLAIN && time && clock_parse(time, &ms) == 0) {
		with_time = object_of("ts", json_number((double)ms));
		json_set(&with_time, "values", body);
		body = with_time;
	}
	message_set(m, ME "telemetry", body);
	return 0;
}

static struct json
evp1_answer(struct json call, const char *status, struct json response)
{
	struct json body = json_object();

	json_set(&body, "moduleInstance", json_get(call, "instance"));
	json_set(&body, "response", json_copy(response));
	json_set(&body, "status", json_number(strcmp(status, "ok") == 0 ? 0 : strcmp(status, "error") == 0 ? 1 : 2));
	return body;
}

static struct json
evp2_answer(struct json call, const char *status, struct json response)
{
	struct json in = json_object();
	const char *id = json_get_text(call, "id"), *dash = id ? strchr(id, '-') : NULL;
	const bool ok = strcmp(status, "ok") == 0;
	_cleanup_buf_ struct buf text = BUF_INIT;

	(void)dialect_bytes(response, &text);
	json_set_text(&in, "reqid", dash ? dash + 1 : "");
	json_set_text(&in, "status", ok ? "ok" : "error");
	if (!ok)
		json_set_text(&in, "errorMessage", strcmp(status, "error") == 0 ? text.s : "not found");
	json_set(&in, "response", json_string_n(text.s, text.len));
	return object_of("direct-command-response", in);
}

static int
answer_encode(enum schema schema, struct json value, struct dialect_message *m, struct fail *f)
{
	_cleanup_json_ struct json call = json_get(value, "call"), response = json_get(value, "response");
	_cleanup_json_ struct json number = json_get(call, "number"), body = JSON_ABSENT;
	const char *status = json_get_text(value, "status");
	_cleanup_free_ char *topic = NULL;
	int64_t n;

	if (!json_get_whole(number, &n) || !status)
		return fail_set(f, EXIT_USAGE, "answer: is for no call");
	topic = xasprintf(ME "rpc/response/%jd", (intmax_t)n);
	body = schema == SCHEMA_EVP1 ? evp1_answer(call, status, response) :
	    schema == SCHEMA_EVP2 ? evp2_answer(call, status, response) : json_copy(response);
	message_set(m, topic, body);
	return 0;
}

static int
record_encode(enum schema schema, struct json record, struct dialect_message *m, struct fail *f)
{
	_cleanup_json_ struct json value = json_get(record, "value"), body = JSON_ABSENT;
	const char *kind = json_get_text(record, "kind"), *key = json_get_text(record, "key");

	if (!kind || !key)
		return fail_set(f, EXIT_USAGE, "a record without kind or key");
	if (strcmp(kind, "report") == 0)
		return report_encode(schema, key, value, m, f);
	if (strcmp(kind, "state") == 0)
		return state_encode(schema, key, value, m, f);
	if (strcmp(kind, "telemetry") == 0)
		return telemetry_encode(schema, record, key, value, m);
	if (strcmp(kind, "answer") == 0)
		return answer_encode(schema, value, m, f);
	if (strcmp(kind, "log") != 0)
		return fail_set(f, EXIT_USAGE, "%s: no kind of record", kind);
	body = object_of("device/log", log_line(key, value, json_get_text(record, "time")));
	message_set(m, ME "telemetry", body);
	return 0;
}

static void
attributes_fetch(enum schema schema, const struct dialect_context *c, struct dialect_message *m)
{
	_cleanup_json_ struct json body = json_object();
	_cleanup_free_ char *topic = xasprintf(ME "attributes/request/%d", DIALECT_FETCH_ID);

	if (schema == SCHEMA_PLAIN)
		json_set_text(&body, "sharedKeys", goal_key(c));
	message_set(m, topic, body);
}

void
thingsboard_read_back(int64_t n, struct json keys, struct dialect_message *m)
{
	_cleanup_free_ char *topic = xasprintf(ME "attributes/request/%jd", (intmax_t)n);
	_cleanup_json_ struct json body = JSON_ABSENT;
	_cleanup_buf_ struct buf list = BUF_INIT;

	for (struct json_iter it = json_begin(keys); json_next(&it); )
		buf_printf(&list, "%s%s", list.len > 0 ? "," : "", it.key);
	body = object_of("clientKeys", json_string(list.s));
	message_set(m, topic, body);
}

static void
hub_call(const struct dialect_context *c, int64_t n, const char *method, struct json params, struct dialect_message *m)
{
	_cleanup_free_ char *topic = xasprintf(ME "rpc/request/%jd", (intmax_t)n);
	_cleanup_json_ struct json body = object_of("method", json_string(method)), with = json_copy(params);
	_cleanup_free_ char *number = xasprintf("%jd", (intmax_t)n);
	struct json token = json_get(params, "storagetoken-request");

	(void)c;
	/* EVP's request has the number of its topic */
	if (json_is_object(token)) {
		json_set_text(&token, "reqid", number);
		json_set(&with, "storagetoken-request", token);
	} else {
		json_release(&token);
	}
	json_set(&body, "params", json_copy(with));
	message_set(m, topic, body);
}

/* --- the tables: each schema its own functions, with the schema bound */

#define SCHEMA(tag, word)									\
static void											\
tag##_fetch(const struct dialect_context *c, struct dialect_message *m)				\
{												\
	attributes_fetch(word, c, m);								\
}												\
												\
static int											\
tag##_receive(const struct dialect_context *c, const char *topic, const char *payload, size_t len,	\
    struct dialect_event *e, struct fail *f)							\
{												\
	return message_receive(word, c, topic, payload, len, e, f);				\
}												\
												\
static int											\
tag##_encode(const struct dialect_context *c, struct json record, struct dialect_message *m,	\
    struct fail *f)										\
{												\
	(void)c;										\
	return record_encode(word, record, m, f);						\
}

SCHEMA(evp1, SCHEMA_EVP1)
SCHEMA(evp2, SCHEMA_EVP2)
SCHEMA(plain, SCHEMA_PLAIN)

#define TABLE(title, tag)									\
	{ .name = title, .has_level = true, .has_calls = true, .reports_by_key = true,		\
	    .subscriptions = topics_subscribed, .fetch = tag##_fetch, .receive = tag##_receive,	\
	    .encode = tag##_encode, .call = hub_call }

const struct dialect thingsboard_evp1 = TABLE("evp1", evp1);
const struct dialect thingsboard_evp2 = TABLE("evp2", evp2);
const struct dialect thingsboard_plain = TABLE("thingsboard", plain);
