/*
 * hub-collector PORT FILE - the collector of the dialect rejoin: keeps every record of
 * every device once, as a line "DEVICE RECORD" of FILE, and acknowledges it then.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "hub/chain.h"
#include "mqtt-peer.h"

enum { DEVICES = 64, SUBS = 8192 };

struct device {
	char id[64];
	struct chain chains[2];		/* urgent, bulk */
};

static struct collector {
	struct mqtt_peer peer;
	int file;
	struct device devices[DEVICES];
	size_t n;
	char *subs[SUBS];		/* submissions that are kept: a ring */
	size_t next;
} c;

static struct device *
device_of(const char *id, size_t len)
{
	struct device *d;

	for (size_t i = 0; i < c.n; i++)
		if (strlen(c.devices[i].id) == len && memcmp(c.devices[i].id, id, len) == 0)
			return &c.devices[i];
	if (c.n == DEVICES || len >= sizeof d->id)
		abort();
	d = &c.devices[c.n++];
	memcpy(d->id, id, len);
	d->chains[0] = d->chains[1] = (struct chain)CHAIN_INIT;
	return d;
}

static bool
sub_is_kept(const char *sub)
{
	for (size_t i = 0; i < SUBS; i++)
		if (c.subs[i] && strcmp(c.subs[i], sub) == 0)
			return true;
	free(c.subs[c.next % SUBS]);
	c.subs[c.next++ % SUBS] = xstrdup(sub);
	return false;
}

static void
record_keep(const struct device *d, struct json record)
{
	const char *sub = json_get_text(record, "sub");
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (sub && sub_is_kept(sub))
		return;
	buf_printf(&b, "%s ", d->id);
	json_format(record, &b);
	buf_putc(&b, '\n');
	if (io_write_all(c.file, b.s, b.len) < 0)
		abort();
}

static void
on_received(const char *topic, const char *payload, size_t len, void *cookie)
{
	const char *id = topic + strlen("rejoin/1/"), *slash = strchr(id, '/');
	struct device *d = device_of(id, (size_t)(slash - id));
	const int bulk = strcmp(slash, "/telemetry") == 0 || strcmp(slash, "/log") == 0;
	_cleanup_json_ struct json v = JSON_ABSENT, record = JSON_ABSENT;
	_cleanup_free_ char *ack = NULL, *to = xasprintf("rejoin/1/%s/ack", d->id);
	struct chain *chain = &d->chains[bulk];
	struct fail f;
	int64_t n;

	(void)cookie;
	if (json_parse(topic, payload, len, &v, &f) < 0)
		abort();
	record = json_get(v, "record");	/* of an answer */
	switch (chain_judge(chain, json_is_object(record) ? record : v, &n)) {
	case CHAIN_NEW:
		record_keep(d, v);
		chain_hold(chain, n);
		break;
	case CHAIN_DUPLICATE:
	case CHAIN_GAP:
	case CHAIN_WRONG:
		break;
	}
	ack = xasprintf("{\"%s\":%jd}", bulk ? "bulk" : "urgent", (intmax_t)chain_acknowledgement(chain));
	(void)mqtt_publish(c.peer.client, to, ack, strlen(ack), false, 1, &f);
}

int
main(int argc, char *argv[])
{
	char *const topics[] = { (char []){ "rejoin/1/+/report" }, (char []){ "rejoin/1/+/telemetry" },
		(char []){ "rejoin/1/+/log" }, (char []){ "rejoin/1/+/res" }, (char []){ "rejoin/1/+/state/#" }, NULL };

	if (argc != 3)
		return 2;
	c.file = open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (c.file < 0)
		return 3;
	c.peer = (struct mqtt_peer){ .loop = loop_new(), .id = "collector", .port = atoi(argv[1]), .topics = topics,
		.received = on_received };
	mqtt_peer_run(&c.peer);
	loop_free(c.peer.loop);
	for (size_t i = 0; i < SUBS; i++)
		free(c.subs[i]);
	close(c.file);
	return 0;
}
