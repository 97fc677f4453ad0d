/* The module SDK's protocol: requests that FlatBuffers' own compiler has made, responses that it has read; damage. */
#undef NDEBUG
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "module/sdk.h"

static const char *dir;

static void
load(const char *kind, const char *name, struct buf *out)
{
	_cleanup_free_ char *path = xasprintf("%s/test/data/evp/sdk/%s-%s.bin", dir, kind, name);
	struct fail f;

	assert(file_load(path, 0, FILE_DATA_MAX, out, &f) == 0);
}

static bool
is_text(struct sdk_text t, const char *s)
{
	return t.s && t.n == strlen(s) && memcmp(t.s, s, t.n) == 0;
}

static void
request(const char *name, struct buf *b, struct sdk_request *r)
{
	load("request", name, b);
	assert(sdk_request_parse(b->s, b->len, r) == 0);
}

static void
test_requests(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct sdk_request r;

	request("get-event", &b, &r);
	assert(r.kind == SDK_GET_EVENT && r.timeout_ms == INT64_C(1700000000250));
	request("send-state", &b, &r);
	assert(r.kind == SDK_SEND_STATE && is_text(r.topic, "status") && r.blob.n == 4 && memcmp(r.blob.s, "hi\0\xff", 4) == 0);
	assert(r.callback == 1 && r.userdata == UINT64_MAX);
	request("resend-config", &b, &r);
	assert(r.kind == SDK_RESEND_CONFIG);
	request("send-telemetry", &b, &r);
	assert(r.kind == SDK_SEND_TELEMETRY && r.n_entries == 2 && r.callback == 3 && r.userdata == 4);
	assert(is_text(r.entries[0].key, "a") && is_text(r.entries[0].value, "{\"x\":1}") && is_text(r.entries[1].key, "bcd"));
	sdk_request_release(&r);
	request("send-message", &b, &r);
	assert(r.kind == SDK_SEND_MESSAGE && is_text(r.topic, "out") && r.blob.n == 3 && r.callback == 5);
	request("rpc-response", &b, &r);
	assert(r.kind == SDK_RPC_RESPONSE && r.rpc == 9 && r.status == SDK_RPC_ERROR && is_text(r.response, "{\"ok\":true}"));
	assert(r.callback == 10 && r.userdata == 11);
	request("rpc-response-null", &b, &r);
	assert(r.kind == SDK_RPC_RESPONSE && !r.response.s && r.status == SDK_RPC_OK);
	request("stream-params", &b, &r);
	assert(r.kind == SDK_STREAM_PARAMS);
}

static void
test_blobs(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct sdk_request r;

	request("blob-http-ext", &b, &r);
	assert(r.kind == SDK_BLOB && r.operation == 1 && r.blob_union == SDK_BLOB_HTTP_EXT && is_text(r.url, "http://h/x"));
	assert(r.n_headers == 2 && is_text(r.headers[0], "A: 1") && is_text(r.headers[1], "B: 2"));
	assert(is_text(r.filename, "/w/f") && r.callback == 7 && r.userdata == 8);
	sdk_request_release(&r);
	request("blob-evp", &b, &r);
	assert(r.blob_union == SDK_BLOB_EVP && is_text(r.url, "r") && is_text(r.storage, "s") && r.operation == 1);
	request("blob-http", &b, &r);
	assert(r.blob_union == SDK_BLOB_HTTP && is_text(r.url, "http://h/y") && r.operation == 0 && is_text(r.filename, "/w/g"));
}

/* Cut at each length, and with each byte changed: no fault, and what is found is inside. */
static void
test_damage(void)
{
	static const char *const names[] = { "get-event", "send-state", "resend-config", "blob-http-ext", "blob-evp", "send-telemetry",
		"send-message", "rpc-response", "stream-params" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct sdk_request r;

		load("request", names[i], &b);
		for (size_t n = 0; n < b.len; n++) {
			_cleanup_free_ char *cut = xstrndup(b.s, n);

			(void)sdk_request_parse(cut, n, &r);
			sdk_request_release(&r);
		}
		for (size_t n = 0; n < b.len; n++)
			for (int v = 0; v < 256; v += 15) {
				_cleanup_free_ char *copy = xstrndup(b.s, b.len);

				copy[n] = (char)v;
				if (sdk_request_parse(copy, b.len, &r) == 0 && r.topic.s)
					assert(r.topic.s >= copy && r.topic.s + r.topic.n <= copy + b.len);
				sdk_request_release(&r);
			}
	}
}

static void
response(const char *name, const struct buf *b)
{
	_cleanup_buf_ struct buf want = BUF_INIT;

	load("response", name, &want);
	assert(b->len == want.len && memcmp(b->s, want.s, b->len) == 0);
}

static void
test_responses(void)
{
	static char top[] = "top", bytes[] = "a\0b", in[] = "in", xyz[] = "xyz", m[] = "m", object[] = "{}";
	const struct { const char *name; struct sdk_event e; } events[] = {
		{ "config", { .kind = SDK_EVENT_CONFIG, .name = top, .data = bytes, .len = 3 } },
		{ "state", { .kind = SDK_EVENT_STATE, .callback = 1, .userdata = UINT64_MAX, .reason = 3 } },
		{ "exit", { .kind = SDK_EVENT_EXIT } },
		{ "blob", { .kind = SDK_EVENT_BLOB, .callback = 5, .userdata = 6, .blob_union = SDK_BLOB_HTTP, .result = 2,
		    .http_status = 404, .error = 7 } },
		{ "sent", { .kind = SDK_EVENT_MESSAGE_SENT, .callback = 1, .userdata = 2, .reason = 1 } },
		{ "message", { .kind = SDK_EVENT_MESSAGE, .name = in, .data = xyz, .len = 3 } },
		{ "telemetry", { .kind = SDK_EVENT_TELEMETRY, .callback = 1, .userdata = 2 } },
		{ "rpc", { .kind = SDK_EVENT_RPC_REQUEST, .rpc = 77, .name = m, .data = object, .len = 2 } },
		{ "rpcresp", { .kind = SDK_EVENT_RPC_RESPONSE, .callback = 1, .userdata = 2 } },
	};
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		sdk_event_format(&events[i].e, &b);
		response(events[i].name, &b);
	}
	sdk_event_format(NULL, &b);
	response("none", &b);
	sdk_result_format(SDK_DENIED, &b);
	response("simple", &b);
	sdk_stream_format(SDK_NOTSUP, &b);
	response("stream", &b);
}

int
main(void)
{
	dir = getenv("top") ? getenv("top") : ".";
	test_requests();
	test_blobs();
	test_damage();
	test_responses();
	return 0;
}
