/*
 * fleet-devices PORT FIRST COUNT FILE [BAD] - COUNT devices dFIRST... on the broker of this
 * machine, each with a connection of its own, which speak the dialect rejoin as rejoin-hub does.
 *
 * A request that is new is carried out: its device and id become a line of FILE, and after up to
 * 100 ms it has an outcome, which a repeated request gets again.  Every BAD-th device (0: none)
 * fails.  Prints "connected" when all are; ends with SIGTERM.  A lost connection is made again.
 */
#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/xalloc.h"

enum { EVENTS = 256, TICK_MS = 20, MISC_MS = 1000, AGAIN_MS = 200 };

struct device {
	struct mosquitto *client;
	int n, fd;
	bool connected, writing;
	char *id;		/* of the request that was carried out */
	int64_t answer_ms, connect_ms;	/* when due; 0 for not */
};

struct devices {
	struct device *all;
	int n, port, connected, epoll, file, bad;
	bool told;
};

static struct devices fleet;

static void
watch(struct device *d)
{
	const int fd = mosquitto_socket(d->client);
	const bool writing = fd >= 0 && mosquitto_want_write(d->client);
	struct epoll_event e = { .events = EPOLLIN | (writing ? EPOLLOUT : 0U), .data.ptr = d };

	if (fd == d->fd && writing == d->writing)
		return;
	if (fd >= 0 && epoll_ctl(fleet.epoll, EPOLL_CTL_MOD, fd, &e) < 0)
		epoll_ctl(fleet.epoll, EPOLL_CTL_ADD, fd, &e);
	d->fd = fd;
	d->writing = writing;
}

static void
publish(struct device *d, const char *what, const char *payload, bool retain)
{
	char topic[64];

	snprintf(topic, sizeof topic, "rejoin/1/d%d/%s", d->n, what);
	mosquitto_publish(d->client, NULL, topic, (int)strlen(payload), payload, 1, retain);
}

static void
on_connect(struct mosquitto *m, void *cookie, int rc)
{
	struct device *d = cookie;
	char topic[64];

	if (rc)
		return;
	d->connected = true;
	fleet.connected++;
	snprintf(topic, sizeof topic, "rejoin/1/d%d/req", d->n);
	mosquitto_subscribe(m, NULL, topic, 1);
	publish(d, "online", "{\"online\":true}", true);
	if (fleet.connected == fleet.n && !fleet.told) {
		fleet.told = true;
		puts("connected");
		fflush(stdout);
	}
}

static void
on_disconnect(struct mosquitto *m, void *cookie, int rc)
{
	struct device *d = cookie;

	(void)m;
	(void)rc;
	fleet.connected -= d->connected;
	d->connected = false;
	d->fd = -1;
	d->connect_ms = clock_mono_ms() + AGAIN_MS + random() % 1000;
}

static void
on_message(struct mosquitto *m, void *cookie, const struct mosquitto_message *g)
{
	struct device *d = cookie;
	_cleanup_json_ struct json v = JSON_ABSENT, deadline = JSON_ABSENT;
	_cleanup_free_ char *line = NULL;
	const char *id;
	struct fail f;
	int64_t ms = 0;

	(void)m;
	if (json_parse(NULL, g->payload, (size_t)g->payloadlen, &v, &f) < 0 || !(id = json_get_text(v, "id")))
		return;
	deadline = json_get(v, "deadline");
	if (json_get_whole(deadline, &ms) && ms < clock_wall_ms())
		return;
	if (!d->id || strcmp(d->id, id) != 0) {
		free(d->id);
		d->id = xstrdup(id);
		line = xasprintf("d%d %s\n", d->n, id);
		if (io_write_all(fleet.file, line, strlen(line)) < 0)
			exit(1);
	}
	d->answer_ms = clock_mono_ms() + random() % 100;
}

static void
answer(struct device *d)
{
	_cleanup_free_ char *text = xasprintf("{\"id\":\"%s\",\"device\":\"d%d\",\"status\":\"ok\",\"outcome\":\"%s\"}", d->id, d->n,
	    fleet.bad && d->n % fleet.bad == 0 ? "failed" : "settled");

	publish(d, "res", text, false);
}

static void
connect_device(struct device *d)
{
	char topic[64];

	snprintf(topic, sizeof topic, "rejoin/1/d%d/online", d->n);
	if (!d->client) {
		char id[16];

		snprintf(id, sizeof id, "d%d", d->n);
		d->client = mosquitto_new(id, false, d);
		mosquitto_connect_callback_set(d->client, on_connect);
		mosquitto_disconnect_callback_set(d->client, on_disconnect);
		mosquitto_message_callback_set(d->client, on_message);
		mosquitto_will_set(d->client, topic, 16, "{\"online\":false}", 1, true);
	}
	d->connect_ms = mosquitto_connect_async(d->client, "127.0.0.1", fleet.port, 600) == MOSQ_ERR_SUCCESS ? 0 :
	    clock_mono_ms() + AGAIN_MS;
	d->fd = -1;
	watch(d);
}

static void
tick(int64_t now, bool misc)
{
	for (int i = 0; i < fleet.n; i++) {
		struct device *d = &fleet.all[i];

		if (d->connect_ms && now >= d->connect_ms)
			connect_device(d);
		if (d->answer_ms && now >= d->answer_ms && d->connected) {
			d->answer_ms = 0;
			answer(d);
		}
		if (misc && d->client && mosquitto_loop_misc(d->client) != MOSQ_ERR_SUCCESS && !d->connect_ms)
			d->connect_ms = now + AGAIN_MS;
		if (d->client && d->fd >= 0)
			watch(d);
	}
}

int
main(int argc, char *argv[])
{
	struct epoll_event events[EVENTS];
	struct rlimit limit;
	int64_t tick_ms = 0, misc_ms = 0;

	if (argc < 5)
		return 2;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	signal(SIGPIPE, SIG_IGN);
	mosquitto_lib_init();
	fleet = (struct devices){ .n = atoi(argv[3]), .port = atoi(argv[1]), .epoll = epoll_create1(EPOLL_CLOEXEC),
		.file = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644), .bad = argc > 5 ? atoi(argv[5]) : 0 };
	fleet.all = xcalloc((size_t)fleet.n, sizeof *fleet.all);
	for (int i = 0; i < fleet.n; i++) {
		fleet.all[i] = (struct device){ .n = atoi(argv[2]) + i, .fd = -1 };
		connect_device(&fleet.all[i]);
	}
	for (;;) {
		int n = epoll_wait(fleet.epoll, events, EVENTS, TICK_MS);
		const int64_t now = clock_mono_ms();

		for (int i = 0; i < n; i++) {
			struct device *d = events[i].data.ptr;

			if (d->fd < 0)
				continue;
			if (events[i].events & EPOLLOUT)
				mosquitto_loop_write(d->client, 16);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				mosquitto_loop_read(d->client, 16);
			watch(d);
		}
		if (now - tick_ms >= TICK_MS) {
			tick_ms = now;
			tick(now, now - misc_ms >= MISC_MS);
			if (now - misc_ms >= MISC_MS)
				misc_ms = now;
		}
	}
}
