#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "module/flat.h"
#include "module/sdk.h"

enum { ENTRIES_MAX = 1024, HEADERS_MAX = 32 };

/* Unions of the protocol: the field of the kind, and the table behind it. */
enum { UNION_KIND, UNION_BODY };
enum { RESPONSE_EVENT = 1, RESPONSE_SIMPLE = 2, RESPONSE_STREAM = 3 };

static struct sdk_text
text_get(struct flat f, uint32_t table, unsigned int field)
{
	struct sdk_text t;

	t.s = flat_bytes(f, table, field, &t.n);
	return t;
}

static void
callback_get(struct flat f, uint32_t table, unsigned int field, struct sdk_request *r)
{
	r->callback = flat_u64(f, table, field);
	r->userdata = flat_u64(f, table, field + 1);
}

static int
entries_parse(struct flat f, uint32_t t, struct sdk_request *r)
{
	r->n_entries = flat_count(f, t, 0);
	if (r->n_entries > ENTRIES_MAX)
		return -EBADMSG;
	r->entries = xcalloc(r->n_entries + 1, sizeof *r->entries);
	for (uint32_t i = 0; i < r->n_entries; i++) {
		const uint32_t entry = flat_at(f, t, 0, i);

		r->entries[i].key = text_get(f, entry, 0);
		r->entries[i].value = text_get(f, entry, 1);
		if (!r->entries[i].key.s || !r->entries[i].value.s)
			return -EBADMSG;
	}
	callback_get(f, t, 1, r);
	return 0;
}

static int
blob_parse(struct flat f, uint32_t t, struct sdk_request *r)
{
	const uint32_t request = flat_table(f, t, 3);

	r->operation = flat_u32(f, t, 1);
	r->blob_union = (enum sdk_blob_union)flat_u8(f, t, 2);
	r->filename = text_get(f, t, 4);
	callback_get(f, t, 5, r);
	r->url = text_get(f, request, 0);
	if (r->blob_union == SDK_BLOB_EVP)
		r->storage = text_get(f, request, 1);
	if (r->blob_union == SDK_BLOB_HTTP_EXT) {
		r->n_headers = flat_count(f, request, 1);
		if (r->n_headers > HEADERS_MAX)
			return -EBADMSG;
		r->headers = xcalloc(r->n_headers + 1, sizeof *r->headers);
		for (uint32_t i = 0; i < r->n_headers; i++)
			r->headers[i].s = flat_text_at(f, request, 1, i, &r->headers[i].n);
	}
	return r->url.s && r->filename.s ? 0 : -EBADMSG;
}

static int
body_parse(struct flat f, uint32_t t, struct sdk_request *r)
{
	switch (r->kind) {
	case SDK_GET_EVENT:
		r->timeout_ms = (int64_t)(flat_u64(f, t, 0) & 0xffffffffff) * 1000 +
		    (int64_t)(flat_u64(f, t, 1) / 1000000 % 1000);
		return 0;
	case SDK_SEND_STATE:
	case SDK_SEND_MESSAGE:
		r->topic = text_get(f, t, 0);
		r->blob = text_get(f, t, 1);
		callback_get(f, t, 2, r);
		return r->topic.s && r->blob.s ? 0 : -EBADMSG;
	case SDK_SEND_TELEMETRY:
		return entries_parse(f, t, r);
	case SDK_RPC_RESPONSE:
		r->rpc = flat_u64(f, t, 0);
		r->response = text_get(f, t, 1);
		r->status = flat_u32(f, t, 2);
		callback_get(f, t, 3, r);
		return 0;
	case SDK_BLOB:
		return blob_parse(f, t, r);
	case SDK_RESEND_CONFIG:
	case SDK_STREAM_PARAMS:
		return 0;
	case SDK_NO_REQUEST:
		break;
	}
	return -EBADMSG;
}

int
sdk_request_parse(const void *p, size_t n, struct sdk_request *r)
{
	const struct flat f = { p, n <= SDK_RECORD_MAX ? (uint32_t)n : 0 };
	const uint32_t root = flat_root(f), body = flat_table(f, root, UNION_BODY);
	const uint8_t kind = flat_u8(f, root, UNION_KIND);

	*r = (struct sdk_request){ .kind = kind <= SDK_STREAM_PARAMS ? (enum sdk_request_kind)kind : SDK_NO_REQUEST };
	return body ? body_parse(f, body, r) : -EBADMSG;
}

void
sdk_request_release(struct sdk_request *r)
{
	free(r->entries);
	free(r->headers);
	r->entries = NULL;
	r->headers = NULL;
}

void
sdk_event_release(struct sdk_event *e)
{
	free(e->name);
	free(e->data);
}

/* {cb, reason, cb_userdata} at the fields AT, AT + 1, AT + 2. */
static void
callback_set(struct buf *out, uint32_t t, unsigned int at, const struct sdk_event *e)
{
	flat_set_u64(out, t, at, e->callback);
	flat_set_u32(out, t, at + 1, e->reason);
	flat_set_u64(out, t, at + 2, e->userdata);
}

static void
event_body(struct buf *out, uint32_t event, const struct sdk_event *e)
{
	uint32_t t, result;

	flat_set_u8(out, event, UNION_KIND, (uint8_t)e->kind);
	switch (e->kind) {
	case SDK_EVENT_CONFIG:
	case SDK_EVENT_MESSAGE:
		t = flat_add_table(out, event, UNION_BODY, 2);
		flat_set_bytes(out, t, 0, e->name, strlen(e->name));
		flat_set_bytes(out, t, 1, e->data, e->len);
		break;
	case SDK_EVENT_STATE:
	case SDK_EVENT_MESSAGE_SENT:
	case SDK_EVENT_TELEMETRY:
	case SDK_EVENT_RPC_RESPONSE:
		t = flat_add_table(out, event, UNION_BODY, 3);
		callback_set(out, t, 0, e);
		break;
	case SDK_EVENT_BLOB:
		/* a union that is a field takes two: its kind and its table */
		t = flat_add_table(out, event, UNION_BODY, 5);
		callback_set(out, t, 2, e);
		flat_set_u8(out, t, 0, (uint8_t)e->blob_union);
		result = flat_add_table(out, t, 1, 3);
		flat_set_u32(out, result, 0, e->result);
		flat_set_u32(out, result, 1, e->error);
		flat_set_u32(out, result, 2, e->http_status);
		break;
	case SDK_EVENT_RPC_REQUEST:
		t = flat_add_table(out, event, UNION_BODY, 3);
		flat_set_u64(out, t, 0, e->rpc);
		flat_set_bytes(out, t, 1, e->name, strlen(e->name));
		flat_set_bytes(out, t, 2, e->data, e->len);
		break;
	case SDK_EVENT_EXIT:
	case SDK_EVENT_NONE:
		flat_add_table(out, event, UNION_BODY, 0);
		break;
	}
}

void
sdk_event_format(const struct sdk_event *e, struct buf *out)
{
	const uint32_t root = flat_begin(out, 2);
	uint32_t event;

	flat_set_u8(out, root, UNION_KIND, RESPONSE_EVENT);
	/* without a body there are no fields at all: their verifier refuses a union of kind 0 with a table */
	event = flat_add_table(out, root, UNION_BODY, e ? 2 : 0);
	if (e)
		event_body(out, event, e);
}

static void
number_format(uint8_t kind, enum sdk_result result, unsigned int fields, struct buf *out)
{
	const uint32_t root = flat_begin(out, 2);
	uint32_t t;

	flat_set_u8(out, root, UNION_KIND, kind);
	t = flat_add_table(out, root, UNION_BODY, fields);
	flat_set_u32(out, t, 0, (uint32_t)result);
}

void
sdk_result_format(enum sdk_result result, struct buf *out)
{
	number_format(RESPONSE_SIMPLE, result, 1, out);
}

void
sdk_stream_format(enum sdk_result result, struct buf *out)
{
	number_format(RESPONSE_STREAM, result, 1, out);
}
