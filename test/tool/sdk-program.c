/*
 * sdk-program - a module that is a program of the module SDK, as far as the socket shows it: it waits for events and
 * does what configurations and calls say.  What its callbacks get is printed.
 *
 *	configuration	state VALUE		send VALUE as the state "status"
 *			telemetry VALUE		send VALUE as telemetry "value"
 *			message VALUE		send VALUE as the message "out"
 *			get "URL FILE", put "URL FILE"	a blob
 *			stream			ask for the parameters of a stream
 *			big			send a state of 200,000 bytes
 *			hold			do not obey the event exit
 *			wrong			send what is no request
 *			flood			send requests without end, and read no response
 *			stall			do nothing more
 *	call		echo, fail, hang, die; another is not found
 *	message		is sent as telemetry "received"
 */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "module/flat.h"
#include "module/sdk.h"

enum { WAIT_S = 5 };

static int fd;
static uint64_t xid;
static bool holds;
static char reply[SDK_RECORD_MAX];

/* At once: what a module has not freed is no fault of its own here. */
static void __attribute__((noreturn))
leave(int status)
{
	fflush(stdout);
	_exit(status);
}

static bool
read_whole(void *p, size_t n)
{
	for (size_t k = 0; k < n; ) {
		const ssize_t r = io_read(fd, (char *)p + k, n - k);

		if (r <= 0)
			return false;
		k += (size_t)r;
	}
	return true;
}

/* One request and its response, in `reply`; its length. */
static uint32_t
exchange(struct buf *b)
{
	struct sdk_header h = { (uint32_t)b->len, 0, ++xid };

	if (io_write_all(fd, &h, sizeof h) < 0 || io_write_all(fd, b->s, b->len) < 0 || !read_whole(&h, sizeof h) ||
	    h.xid != xid || h.size > sizeof reply || !read_whole(reply, h.size)) {
		puts("the connection has ended");
		leave(4);
	}
	return h.size;
}

/* A request of KIND; its table with N fields. */
static uint32_t
request_begin(struct buf *b, uint8_t kind, unsigned int n)
{
	const uint32_t root = flat_begin(b, 2);

	flat_set_u8(b, root, 0, kind);
	return flat_add_table(b, root, 1, n);
}

/* Send it; WHAT is for the line that its result is printed on. */
static void
request_send(struct buf *b, const char *what)
{
	const struct flat f = { (const uint8_t *)reply, exchange(b) };

	printf("%s %u\n", what, flat_u32(f, flat_table(f, flat_root(f), 1), 0));
	buf_release(b);
}

static void
topic_send(uint8_t kind, const char *what, const char *topic, const char *p, size_t n)
{
	struct buf b = BUF_INIT;
	const uint32_t t = request_begin(&b, kind, 4);

	flat_set_bytes(&b, t, 0, topic, strlen(topic));
	flat_set_bytes(&b, t, 1, p, n);
	flat_set_u64(&b, t, 2, 0x1122334455667788);
	flat_set_u64(&b, t, 3, kind);
	request_send(&b, what);
}

static void
telemetry_send(const char *key, const char *p, size_t n)
{
	struct buf b = BUF_INIT;
	uint32_t t = request_begin(&b, SDK_SEND_TELEMETRY, 3), entry, vector[2] = { htole32(1), htole32(4) };
	uint32_t at;

	/* a vector of one table, which follows it */
	while (b.len % 8 != 0)
		buf_putc(&b, '\0');
	at = (uint32_t)b.len;
	buf_add(&b, vector, sizeof vector);
	memcpy(b.s + t + 8, &(uint32_t){ at - (t + 8) }, 4);
	/* its offset is set by the field of a table that begins where the vector's element is stored */
	entry = flat_add_table(&b, at - 4, 0, 2);
	flat_set_bytes(&b, entry, 0, key, strlen(key));
	flat_set_bytes(&b, entry, 1, p, n);
	flat_set_u64(&b, t, 2, SDK_SEND_TELEMETRY);
	request_send(&b, "telemetry");
}

static void
rpc_answer(uint64_t id, uint32_t status, const char *p, size_t n)
{
	struct buf b = BUF_INIT;
	const uint32_t t = request_begin(&b, SDK_RPC_RESPONSE, 5);

	flat_set_u64(&b, t, 0, id);
	flat_set_bytes(&b, t, 1, p, n);
	flat_set_u32(&b, t, 2, status);
	request_send(&b, "answer");
}

/* "URL FILE" */
static void
blob_send(uint32_t operation, const char *words)
{
	const char *blank = strchr(words, ' ');
	struct buf b = BUF_INIT;
	const uint32_t t = request_begin(&b, SDK_BLOB, 7);
	uint32_t request;

	flat_set_u32(&b, t, 0, 2);
	flat_set_u32(&b, t, 1, operation);
	flat_set_u8(&b, t, 2, SDK_BLOB_HTTP);
	request = flat_add_table(&b, t, 3, 1);
	flat_set_bytes(&b, request, 0, words, (size_t)(blank - words));
	flat_set_bytes(&b, t, 4, blank + 1, strlen(blank + 1));
	flat_set_u64(&b, t, 6, SDK_BLOB);
	request_send(&b, "blob");
}

static void __attribute__((noreturn))
requests_flood(void)
{
	struct buf b = BUF_INIT;
	struct sdk_header h;

	request_begin(&b, SDK_STREAM_PARAMS, 1);
	h = (struct sdk_header){ (uint32_t)b.len, 0, 1 };
	for (;;)
		if (io_write_all(fd, &h, sizeof h) < 0 || io_write_all(fd, b.s, b.len) < 0)
			leave(4);
}

static void
config_do(const char *topic, const char *value, size_t len)
{
	static char big[200000];
	struct buf b = BUF_INIT;

	printf("config %s %s\n", topic, value);
	if (strcmp(topic, "state") == 0)
		topic_send(SDK_SEND_STATE, "state", "status", value, len);
	else if (strcmp(topic, "telemetry") == 0)
		telemetry_send("value", value, len);
	else if (strcmp(topic, "message") == 0)
		topic_send(SDK_SEND_MESSAGE, "message", "out", value, len);
	else if (strcmp(topic, "get") == 0 || strcmp(topic, "put") == 0)
		blob_send(*topic == 'p', value);
	else if (strcmp(topic, "big") == 0)
		topic_send(SDK_SEND_STATE, "big", "status", big, sizeof big);
	else if (strcmp(topic, "hold") == 0)
		holds = true;
	else if (strcmp(topic, "flood") == 0)
		requests_flood();
	else if (strcmp(topic, "stall") == 0)
		for (;;)
			pause();
	else if (strcmp(topic, "stream") == 0) {
		request_begin(&b, SDK_STREAM_PARAMS, 1);
		request_send(&b, "stream");
	} else if (strcmp(topic, "wrong") == 0) {
		buf_puts(&b, "this is no request");
		request_send(&b, "wrong");
	}
}

static void
call_do(uint64_t id, const char *method, const char *params, size_t len)
{
	printf("call %s %s\n", method, params);
	if (strcmp(method, "echo") == 0)
		rpc_answer(id, SDK_RPC_OK, params, len);
	else if (strcmp(method, "fail") == 0)
		rpc_answer(id, SDK_RPC_ERROR, "\"it failed\"", 11);
	else if (strcmp(method, "die") == 0)
		leave(5);
	else if (strcmp(method, "hang") != 0)
		rpc_answer(id, SDK_RPC_NOT_FOUND, "null", 4);
}

static char *
text_of(struct flat f, uint32_t t, unsigned int field, uint32_t *n)
{
	const char *p = flat_bytes(f, t, field, n);
	char *s = strndup(p ? p : "", p ? *n : 0);

	if (!s)
		abort();
	return s;
}

static void
event_do(struct flat f)
{
	const uint32_t event = flat_table(f, flat_root(f), 1), t = flat_table(f, event, 1);
	const uint8_t kind = flat_u8(f, event, 0);
	uint32_t n = 0, m = 0;
	char *a, *b;

	switch (kind) {
	case SDK_EVENT_CONFIG:
		a = text_of(f, t, 0, &m);
		b = text_of(f, t, 1, &n);
		config_do(a, b, n);
		break;
	case SDK_EVENT_RPC_REQUEST:
		a = text_of(f, t, 1, &m);
		b = text_of(f, t, 2, &n);
		call_do(flat_u64(f, t, 0), a, b, n);
		break;
	case SDK_EVENT_MESSAGE:
		a = text_of(f, t, 0, &m);
		b = text_of(f, t, 1, &n);
		printf("received %s %s\n", a, b);
		telemetry_send("received", b, n);
		break;
	case SDK_EVENT_EXIT:
		puts("exit");
		if (!holds)
			leave(0);
		sleep(1);
		break;
	case SDK_EVENT_BLOB:
		printf("blob-done %u result %u http %u\n", flat_u32(f, t, 3), flat_u32(f, flat_table(f, t, 1), 0),
		    flat_u32(f, flat_table(f, t, 1), 2));
		break;
	case SDK_EVENT_NONE:
		break;
	default:	/* {cb, reason, cb_userdata} */
		printf("callback %u of %ju reason %u\n", kind, (uintmax_t)flat_u64(f, t, 2), flat_u32(f, t, 1));
	}
}

int
main(void)
{
	const char *path = getenv("EVP_MODULE_SDK_SOCKET_PATH");
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!path || strlen(path) >= sizeof un.sun_path)
		return 2;
	strcpy(un.sun_path, path);
	if (connect(fd, (struct sockaddr *)&un, sizeof un) < 0)
		return 3;
	for (;;) {
		struct buf b = BUF_INIT;
		const uint32_t t = request_begin(&b, SDK_GET_EVENT, 2);

		flat_set_u64(&b, t, 0, (uint64_t)time(NULL) + WAIT_S);
		event_do((struct flat){ (const uint8_t *)reply, exchange(&b) });
		buf_release(&b);
	}
}
