/*
 * tbhub PORT FILE - what ThingsBoard's rules do for one device, on a plain broker: answers its requests for
 * attributes, keeps those that it reports, and publishes to it those of FILE, a JSON object,
 * that have changed.  "TOPIC PAYLOAD" of all that the device publishes goes to stdout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/filewatch.h"
#include "base/io.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "mqtt-peer.h"

#define ME	"v1/devices/me/"

enum { POLL_MS = 1000, FILE_MAX = 1 << 20 };

static struct tbhub {
	struct mqtt_peer peer;
	const char *file;
	struct json shared, reported;	/* the hub's attributes, the device's */
} hub;

static void
publish(const char *topic, struct json v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	json_format(v, &b);
	(void)mqtt_publish(hub.peer.client, topic, b.s, b.len, false, 1, &f);
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
	if (hub.peer.client && json_count(change) > 0)
		publish(ME "attributes", change);
}

static void
on_subscribed(void *cookie)
{
	(void)cookie;
	printf("ready\n");
	fflush(stdout);
}

int
main(int argc, char *argv[])
{
	char *const topics[] = { (char []){ ME "#" }, NULL };
	struct filewatch *w;

	if (argc != 3)
		return 2;
	hub = (struct tbhub){ .peer = { .loop = loop_new(), .id = "tbhub", .port = atoi(argv[1]), .topics = topics,
	    .received = on_received, .subscribed = on_subscribed }, .file = argv[2], .shared = json_object(), .reported = json_object() };
	on_file(false, NULL);
	w = filewatch_new(hub.peer.loop, POLL_MS);
	filewatch_add(w, hub.file, FILEWATCH_PATH, on_file, NULL);
	mqtt_peer_run(&hub.peer);
	filewatch_free(w);
	loop_free(hub.peer.loop);
	json_release(&hub.shared);
	json_release(&hub.reported);
	return 0;
}
