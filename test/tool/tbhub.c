/*
 * tbhub PORT FILE - what ThingsBoard's rules do for one device, on a plain broker: answers its requests for
 * attributes, keeps those that it reports, and publishes to it those of FILE, a JSON object,
 * that have changed.  "TOPIC PAYLOAD" of all that the device publishes goes to stdout.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/filewatch.h"
#include "base/io.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/xalloc.h"
#include "hub/mqtt.h"

#define ME	"v1/devices/me/"

enum { AGAIN_MS = 200, POLL_MS = 1000, FILE_MAX = 1 << 20 };

static struct tbhub {
	struct loop *loop;
	struct mqtt *client;
	struct loop_timer again;
	const char *file;
	int port;
	struct json shared, reported;	/* the hub's attributes, the device's */
} hub;

static void
publish(const char *topic, struct json v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	json_format(v, &b);
	(void)mqtt_publish(hub.client, topic, b.s, b.len, false, 1, &f);
}

static bool
is_of_device(const char *key)
{
	return strcmp(key, "systemInfo") == 0 || strcmp(key, "deploymentStatus") == 0 || strncmp(key, "state/", 6) == 0;
}

/* {WHICH:VALUES}, as the number of its topic asks for it. */
static void
answer(const char *number, struct json request)
{
	_cleanup_free_ char *topic = xasprintf(ME "attributes/response/%s", number);
	_cleanup_json_ struct json v = json_object();
	const char *keys = json_get_text(request, "clientKeys");
	struct json values = json_object();

	for (struct json_iter it = json_begin(keys ? hub.reported : hub.shared); json_next(&it); )
		if (!keys || strstr(keys, it.key))
			json_set(&values, it.key, json_copy(it.value));
	json_set(&v, keys ? "client" : "shared", values);
	publish(topic, v);
}

static void
on_received(const char *topic, const char *payload, size_t len, void *cookie)
{
	_cleanup_json_ struct json v = JSON_ABSENT;
	bool is_report = strcmp(topic, ME "attributes") != 0;
	struct fail f;

	(void)cookie;
	if (json_parse(topic, payload, len, &v, &f) < 0)
		abort();
	if (strncmp(topic, ME "attributes/response/", strlen(ME "attributes/response/")) == 0 ||
	    strncmp(topic, ME "rpc/request/", strlen(ME "rpc/request/")) == 0)
		return;
	for (struct json_iter it = json_begin(v); !is_report && json_next(&it); )
		if (is_of_device(it.key)) {
			json_set(&hub.reported, it.key, json_copy(it.value));
			is_report = true;
			json_end(&it);
		}
	if (is_report) {
		_cleanup_json_ struct json status = json_get(v, "deploymentStatus");

		if (json_kind(status) != JSON_NONE)
			json_set(&hub.reported, "deploymentStatus", json_copy(status));
		printf("%s %.*s\n", topic, (int)len, payload);
		fflush(stdout);
	}
	if (strncmp(topic, ME "attributes/request/", strlen(ME "attributes/request/")) == 0)
		answer(topic + strlen(ME "attributes/request/"), v);
}

/* What has changed in FILE; what is not there any more is null. */
static void
on_file(bool names, void *cookie)
{
	_cleanup_json_ struct json next = JSON_ABSENT, change = json_object();
	struct fail f;

	(void)names;
	(void)cookie;
	if (json_load(hub.file, 0, FILE_MAX, &next, &f) < 0 || !json_is_object(next))
		return;
	for (struct json_iter it = json_begin(next); json_next(&it); ) {
		_cleanup_json_ struct json was = json_get(hub.shared, it.key);

		if (!json_equal(was, it.value))
			json_set(&change, it.key, json_copy(it.value));
	}
	for (struct json_iter it = json_begin(hub.shared); json_next(&it); ) {
		_cleanup_json_ struct json is = json_get(next, it.key);

		if (json_kind(is) == JSON_NONE)
			json_set(&change, it.key, json_null());
	}
	json_release(&hub.shared);
	hub.shared = json_copy(next);
	if (hub.client && json_count(change) > 0)
		publish(ME "attributes", change);
}

static void
on_nothing(void *cookie)
{
	(void)cookie;
}

static void
on_published(int mid, void *cookie)
{
	(void)mid;
	(void)cookie;
}

static void
on_accepted(void *cookie)
{
	char *topics[] = { (char []){ ME "#" }, NULL };
	struct fail f;

	(void)cookie;
	(void)mqtt_subscribe(hub.client, topics, &f);
}

static void
on_subscribed(void *cookie)
{
	(void)cookie;
	printf("ready\n");
	fflush(stdout);
}

static void
on_lost(enum mqtt_loss loss, const char *why, void *cookie)
{
	(void)loss;
	(void)why;
	(void)cookie;
	loop_timer_set(hub.loop, &hub.again, AGAIN_MS);
}

static void
connect_again(void *cookie)
{
	static const struct mqtt_callbacks cb = { on_nothing, on_accepted, on_subscribed, on_published, on_received, on_lost };
	const struct mqtt_spec spec = { .id = "tbhub", .keep_alive_s = 5 };
	struct fail f;

	(void)cookie;
	mqtt_free(hub.client);
	hub.client = mqtt_new(hub.loop, &spec, &cb, NULL, &f);
	if (!hub.client || mqtt_connect(hub.client, "127.0.0.1", hub.port, &f) < 0)
		loop_timer_set(hub.loop, &hub.again, AGAIN_MS);
}

int
main(int argc, char *argv[])
{
	struct filewatch *w;
	int signo = 0;

	if (argc != 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	hub = (struct tbhub){ .loop = loop_new(), .again = { .fn = connect_again }, .file = argv[2], .port = atoi(argv[1]),
	    .shared = json_object(), .reported = json_object() };
	on_file(false, NULL);
	w = filewatch_new(hub.loop, POLL_MS);
	filewatch_add(w, hub.file, FILEWATCH_PATH, on_file, NULL);
	loop_end_on_signals(hub.loop, &signo);
	connect_again(NULL);
	loop_run(hub.loop);
	filewatch_free(w);
	mqtt_free(hub.client);
	loop_free(hub.loop);
	json_release(&hub.shared);
	json_release(&hub.reported);
	return 0;
}
