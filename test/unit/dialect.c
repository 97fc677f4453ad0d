#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "hub/dialects.h"
#include "hub/native.h"
#include "hub/thingsboard.h"

static char *const groups[] = { (char []){ "blue" }, NULL };
static const struct dialect_context context = { .id = "d1", .groups = groups };

static void
load(const char *dir, const char *name, struct buf *out)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	struct fail f;

	if (file_load(path, 0, FILE_DATA_MAX, out, &f) < 0) {
		fprintf(stderr, "%s\n", f.text);
		abort();
	}
}

static struct json
parsed(const char *text)
{
	struct json v;
	struct fail f;

	if (json_parse(NULL, text, strlen(text), &v, &f) < 0) {
		fprintf(stderr, "%s: %s\n", text, f.text);
		abort();
	}
	return v;
}

/* One dialect takes PAYLOAD on TOPIC as E. */
static int
received(const char *dialect, const char *topic, const char *payload, struct dialect_event *e)
{
	struct fail f = { .text = "" };
	int r = dialects_find(dialect)->receive(&context, topic, payload, strlen(payload), e, &f);

	assert((r < 0) == (f.text[0] != '\0') && (r == 0 || f.status == EXIT_USAGE));
	return r;
}

static void
same(struct json a, const char *text)
{
	_cleanup_json_ struct json b = parsed(text);
	_cleanup_buf_ struct buf s = BUF_INIT;

	if (json_equal(a, b))
		return;
	json_format(a, &s);
	fprintf(stderr, "have %s\nwant %s\n", s.s, text);
	abort();
}

/* RECORD of a DIALECT is sent as TOPIC and PAYLOAD. */
static void
sends(const char *dialect, const char *record, const char *topic, const char *payload)
{
	_cleanup_json_ struct json v = parsed(record), body = JSON_ABSENT;
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;
	struct fail f = { .text = "" };

	if (dialects_find(dialect)->encode(&context, v, &m, &f) < 0) {
		fprintf(stderr, "%s: %s\n", record, f.text);
		abort();
	}
	if (strcmp(m.topic, topic) != 0)
		fprintf(stderr, "topic %s\n", m.topic);
	assert(strcmp(m.topic, topic) == 0);
	body = parsed(m.payload.s);
	same(body, payload);
}

static void
refuses(const char *dialect, const char *record)
{
	_cleanup_json_ struct json v = parsed(record);
	struct fail f = { .text = "" };

	assert(dialect_check(dialects_find(dialect), v, &f) < 0 && f.status == EXIT_USAGE && f.text[0]);
}

/* --- the recorded traffic of the EVP agent: TIME TOPIC RETAINED PAYLOAD */

struct replay {
	int own, levels, changes, calls, sent;
};

/* What an agent sent comes back from a plain broker, and is dropped; but it is also what ours must send. */
static void
replay_own(const char *dialect, const char *topic, const char *payload, struct replay *n)
{
	_cleanup_json_ struct json value = parsed(payload), record = json_object();
	_cleanup_dialect_event_ struct dialect_event e = DIALECT_EVENT_INIT;
	_cleanup_buf_ struct buf text = BUF_INIT;

	assert(received(dialect, topic, payload, &e) == 0 && e.kind == DIALECT_NOTHING);
	n->own++;
	if (json_count(value) == 0)
		return;
	json_set_text(&record, "kind", "report");
	json_set_text(&record, "key", "");
	json_set(&record, "value", json_copy(value));
	if (strcmp(dialect, "evp1") == 0) {	/* a report holds the status as a value */
		_cleanup_json_ struct json body = json_copy(value);

		json_set(&body, "deploymentStatus", parsed(json_get_text(value, "deploymentStatus")));
		json_set(&record, "value", json_copy(body));
	}
	json_format(record, &text);
	sends(dialect, text.s, topic, payload);
	n->sent++;
}

static void
replay_change(const char *dialect, const char *payload, struct dialect_event *e, struct replay *n)
{
	_cleanup_json_ struct json goal = json_get(e->attributes, "goal"), config = JSON_ABSENT;
	const char *v;

	(void)payload;
	n->changes++;
	if (json_kind(goal) != JSON_NONE) {
		v = json_get_text(goal, "deploymentId");
		assert(v && strcmp(v, strcmp(dialect, "evp1") == 0 ? "d-9" : "d-1") == 0);
		config = json_get(goal, "instanceSpecs");
		assert(json_count(config) == (strcmp(dialect, "evp1") == 0 ? 1 : 5));
	}
	v = json_get_text(e->attributes, "configuration/tel/conf1");
	assert(!v || strcmp(v, "{\"foo\":1}") == 0);
	v = json_get_text(e->attributes, "configuration/tel/download");
	assert(!v || strcmp(v, "{\"foo\": \"bar\"}\n") == 0);
}

static void
replay_line(char *line, struct replay *n)
{
	char *time = strsep(&line, " "), *topic = strsep(&line, " "), *retained = strsep(&line, " ");
	const char *dialect = time && strcmp(time, "2026-11-29T00:03:02") < 0 ? "evp2" : "evp1";
	_cleanup_dialect_event_ struct dialect_event e = DIALECT_EVENT_INIT;

	if (!line || !retained)
		return;
	if (strncmp(line, "{\"systemInfo\"", 13) == 0 || strncmp(line, "{\"state/", 8) == 0) {
		replay_own(dialect, topic, line, n);
		return;
	}
	assert(received(dialect, topic, line, &e) == 0);
	switch (e.kind) {
	case DIALECT_LEVEL:
		n->levels++;
		assert(json_count(e.attributes) == 0);
		break;
	case DIALECT_CHANGE:
		replay_change(dialect, line, &e, n);
		break;
	case DIALECT_CALL:
		n->calls++;
		if (e.number == 7)
			assert(strcmp(e.id, "7-42") == 0 && strcmp(e.instance, "rpcx") == 0 && strcmp(e.method, "test1") == 0 &&
			    strcmp(json_get_string(e.params), "{\"a\":1}") == 0);
		else
			assert(e.number == 8 && strcmp(e.id, "8") == 0 && strcmp(e.instance, "tel") == 0 &&
			    strcmp(e.method, "$agent/get") == 0);
		break;
	case DIALECT_NOTHING:	/* requests, telemetry and answers of the agent, and empty objects */
	case DIALECT_REPORTED:
	case DIALECT_RESPONSE:
	case DIALECT_ACK:
		break;
	}
}

static void
recorded_traffic(const char *dir)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct replay n = { 0 };
	char *rest, *line;

	load(dir, "test/data/evp/evp-mqtt-trace.txt", &text);
	rest = text.s;
	while ((line = strsep(&rest, "\n")) != NULL)
		replay_line(line, &n);
	assert(n.own == 8 && n.sent == 8 && n.levels == 2 && n.changes == 3 && n.calls == 2);
}

static void
recorded_bodies(void)
{
	sends("evp2", "{\"kind\":\"telemetry\",\"key\":\"tel/conf1\",\"value\":{\"foo\":1},\"ts\":5}",
	    "v1/devices/me/telemetry", "{\"tel/conf1\":{\"foo\":1}}");
	sends("evp2", "{\"kind\":\"state\",\"key\":\"rpcx/status\",\"value\":\"g_step = 0\"}",
	    "v1/devices/me/attributes", "{\"state/rpcx/status\":\"g_step = 0\"}");
	sends("evp1", "{\"kind\":\"state\",\"key\":\"rpcx/status\",\"value\":\"g_step = 0\"}",
	    "v1/devices/me/attributes", "{\"state/rpcx/status\":\"Z19zdGVwID0gMA==\"}");
	sends("evp1", "{\"kind\":\"answer\",\"key\":\"8\",\"value\":{\"call\":{\"id\":\"8\",\"instance\":\"tel\",\"number\":8},"
	    "\"status\":\"not-found\",\"response\":{\"error\":\"Instance not found\"}}}", "v1/devices/me/rpc/response/8",
	    "{\"moduleInstance\":\"tel\",\"response\":{\"error\":\"Instance not found\"},\"status\":2}");
	sends("evp2", "{\"kind\":\"answer\",\"key\":\"7-42\",\"value\":{\"call\":{\"id\":\"7-42\",\"instance\":\"rpcx\",\"number\":7},"
	    "\"status\":\"ok\",\"response\":{\"b\":2}}}", "v1/devices/me/rpc/response/7",
	    "{\"direct-command-response\":{\"reqid\":\"42\",\"status\":\"ok\",\"response\":\"{\\\"b\\\":2}\"}}");
	sends("evp2", "{\"kind\":\"answer\",\"key\":\"7-42\",\"value\":{\"call\":{\"id\":\"7-42\",\"instance\":\"rpcx\",\"number\":7},"
	    "\"status\":\"error\",\"response\":\"instance ended\"}}", "v1/devices/me/rpc/response/7",
	    "{\"direct-command-response\":{\"reqid\":\"42\",\"status\":\"error\",\"errorMessage\":\"instance ended\","
	    "\"response\":\"instance ended\"}}");
	sends("evp2", "{\"kind\":\"log\",\"key\":\"tel/stderr\",\"value\":\"oops\",\"time\":\"2026-11-29T00:00:00.000000Z\"}",
	    "v1/devices/me/telemetry", "{\"device/log\":[{\"log\":\"oops\",\"app\":\"tel\",\"stream\":\"stderr\","
	    "\"time\":\"2026-11-29T00:00:00.000000Z\"}]}");
}

static void
the_hub_behind_thingsboard(void)
{
	_cleanup_json_ struct json keys = parsed("{\"a\":1,\"deploymentStatus\":2}");
	struct dialect_message m = DIALECT_MESSAGE_INIT;
	_cleanup_dialect_event_ struct dialect_event e = DIALECT_EVENT_INIT;
	_cleanup_json_ struct json body = JSON_ABSENT;

	thingsboard_plain.fetch(&context, &m);
	assert(strcmp(m.topic, "v1/devices/me/attributes/request/10000") == 0);
	assert(strcmp(m.payload.s, "{\"sharedKeys\":\"deployment\"}") == 0);
	dialect_message_release(&m);
	thingsboard_evp2.fetch(&context, &m);
	assert(strcmp(m.payload.s, "{}") == 0);
	dialect_message_release(&m);
	thingsboard_read_back(10001, keys, &m);
	assert(strcmp(m.topic, "v1/devices/me/attributes/request/10001") == 0);
	assert(strcmp(m.payload.s, "{\"clientKeys\":\"a,deploymentStatus\"}") == 0);
	dialect_message_release(&m);
	assert(received("evp2", "v1/devices/me/attributes/response/10001",
	    "{\"client\":{\"deploymentStatus\":{\"x\":1}}}", &e) == 0 && e.kind == DIALECT_REPORTED && e.number == 10001);
	same(e.attributes, "{\"deploymentStatus\":{\"x\":1}}");
	dialect_event_release(&e);
	assert(received("thingsboard", "v1/devices/me/attributes", "{\"deleted\":[\"deployment\",\"configuration/i/t\"]}",
	    &e) == 0 && e.kind == DIALECT_CHANGE);
	same(e.attributes, "{\"goal\":null,\"configuration/i/t\":null}");
	dialect_event_release(&e);
	assert(received("thingsboard", "v1/devices/me/rpc/request/3", "{\"method\":\"cam/zoom\",\"params\":[2]}", &e) == 0);
	assert(e.kind == DIALECT_CALL && strcmp(e.instance, "cam") == 0 && strcmp(e.method, "zoom") == 0 &&
	    strcmp(e.id, "3") == 0);
	body = dialect_call_json(&e);
	same(body, "{\"id\":\"3\",\"instance\":\"cam\",\"method\":\"zoom\",\"params\":[2],\"number\":3}");
	dialect_event_release(&e);
	assert(received("thingsboard", "v1/devices/me/rpc/response/4", "\"done\"", &e) == 0 &&
	    e.kind == DIALECT_RESPONSE && e.number == 4 && strcmp(json_get_string(e.params), "done") == 0);
	sends("thingsboard", "{\"kind\":\"telemetry\",\"key\":\"tel/t\",\"value\":2.50,\"time\":\"2023-11-14T22:13:20Z\"}",
	    "v1/devices/me/telemetry", "{\"ts\":1700000000000,\"values\":{\"tel/t\":2.50}}");
	assert(received("thingsboard", "v1/devices/you/attributes", "nonsense", &e) == 0);
}

static void
our_own(void)
{
	_cleanup_dialect_event_ struct dialect_event e = DIALECT_EVENT_INIT;
	char **topics = native_dialect.subscriptions(&context);
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;

	assert(strcmp(topics[0], "rejoin/1/d1/goal") == 0 && strcmp(topics[4], "rejoin/1/group/blue/req") == 0 && !topics[5]);
	xfree_strv(topics);
	assert(received("rejoin", "rejoin/1/d1/goal", "{\"a\":1}", &e) == 0 && e.kind == DIALECT_CHANGE);
	same(e.attributes, "{\"goal\":{\"a\":1}}");
	dialect_event_release(&e);
	assert(received("rejoin", "rejoin/1/d1/goal", "", &e) == 0);
	same(e.attributes, "{\"goal\":null}");
	dialect_event_release(&e);
	assert(received("rejoin", "rejoin/1/d1/config/cam/x", "\xff\x01", &e) == 0);
	same(e.attributes, "{\"configuration/cam/x\":{\"base64\":\"/wE=\"}}");
	dialect_event_release(&e);
	assert(received("rejoin", "rejoin/1/d1/ack", "{\"urgent\":12,\"bulk\":0}", &e) == 0 && e.kind == DIALECT_ACK);
	assert(e.urgent == 12 && e.bulk == 0);
	dialect_event_release(&e);
	assert(received("rejoin", "rejoin/1/group/blue/req", "{\"id\":\"r1\",\"action\":\"retry\",\"deadline\":99}", &e) == 0);
	assert(e.kind == DIALECT_CALL && strcmp(e.instance, "$agent") == 0 && strcmp(e.method, "retry") == 0 &&
	    e.deadline_ms == 99);
	dialect_event_release(&e);
	assert(received("rejoin", "rejoin/1/d2/goal", "{", &e) == 0 && e.kind == DIALECT_NOTHING);
	sends("rejoin", "{\"id\":5,\"prev\":4,\"acked\":3,\"sub\":\"1.2\",\"kind\":\"report\",\"key\":\"\",\"value\":{}}",
	    "rejoin/1/d1/report", "{\"id\":5,\"prev\":4,\"acked\":3,\"sub\":\"1.2\",\"kind\":\"report\",\"key\":\"\",\"value\":{}}");
	sends("rejoin", "{\"id\":5,\"kind\":\"state\",\"key\":\"cam/x\",\"value\":\"v\"}", "rejoin/1/d1/state/cam/x",
	    "{\"id\":5,\"kind\":\"state\",\"key\":\"cam/x\",\"value\":\"v\"}");
	sends("rejoin", "{\"id\":5,\"prev\":4,\"kind\":\"answer\",\"key\":\"r1\",\"value\":{\"call\":{\"id\":\"r1\"},\"status\":\"ok\","
	    "\"outcome\":{\"outcome\":\"settled\"},\"response\":null}}", "rejoin/1/d1/res",
	    "{\"id\":\"r1\",\"device\":\"d1\",\"status\":\"ok\",\"outcome\":\"settled\",\"response\":null,\"record\":{\"id\":5,\"prev\":4}}");
	sends("rejoin", "{\"id\":9,\"prev\":4,\"dropped\":3}", "rejoin/1/d1/telemetry", "{\"id\":9,\"prev\":4,\"dropped\":3}");
	native_online(&context, false, &m);
	assert(m.retain && strcmp(m.topic, "rejoin/1/d1/online") == 0 && strcmp(m.payload.s, "{\"online\":false}") == 0);
}

static void
what_is_wrong_is_refused(void)
{
	static const char *const payloads[] = { "", "{", "[]", "1", "\"x\"", "{\"a\":1}x" };
	static const char *const records[] = { "{}", "{\"kind\":\"report\",\"key\":\"\",\"value\":1}",
		"{\"kind\":\"gossip\",\"key\":\"a\",\"value\":1}", "{\"kind\":\"answer\",\"key\":\"a\",\"value\":{}}" };
	static const char *const names[] = { "evp1", "evp2", "thingsboard" };
	_cleanup_dialect_event_ struct dialect_event e = DIALECT_EVENT_INIT;

	assert(!dialects_find("azure"));
	for (size_t d = 0; d < 3; d++)
		for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
			assert(received(names[d], "v1/devices/me/attributes", payloads[i], &e) < 0);
			assert(received(names[d], "v1/devices/me/rpc/request/1", payloads[i], &e) < 0);
		}
	for (size_t i = 0; i < sizeof records / sizeof *records; i++)
		for (size_t d = 0; d < 3; d++)
			refuses(names[d], records[i]);
	assert(received("evp1", "v1/devices/me/attributes", "{\"configuration/a/b\":\"!\"}", &e) < 0);
	assert(received("evp1", "v1/devices/me/attributes", "{\"deployment\":\"{\"}", &e) < 0);
	assert(received("evp2", "v1/devices/me/rpc/request/1", "{\"params\":{\"direct-command-request\":{\"method\":\"x\"}}}", &e) < 0);
	assert(received("rejoin", "rejoin/1/d1/req", "{\"action\":\"retry\"}", &e) < 0);
	assert(received("rejoin", "rejoin/1/d1/ack", "{}", &e) < 0);
	refuses("rejoin", "{\"kind\":\"state\",\"key\":\"a/#\",\"value\":1}");
}

/* More keys than a hub may send. */
static void
too_many_keys(void)
{
	_cleanup_dialect_event_ struct dialect_event e = DIALECT_EVENT_INIT;
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_puts(&b, "{\"shared\":{");
	for (int i = 0; i <= DIALECT_KEYS_MAX; i++)
		buf_printf(&b, "%s\"k%d\":1", i ? "," : "", i);
	buf_puts(&b, "}}");
	assert(received("evp2", "v1/devices/me/attributes/response/10000", b.s, &e) < 0);
}

int
main(void)
{
	const char *dir = getenv("top");

	dir = dir ? dir : ".";
	recorded_traffic(dir);
	recorded_bodies();
	the_hub_behind_thingsboard();
	our_own();
	what_is_wrong_is_refused();
	too_many_keys();
	return 0;
}
