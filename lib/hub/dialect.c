#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "hub/dialect.h"

void
dialect_event_release(struct dialect_event *e)
{
	json_release(&e->attributes);
	json_release(&e->params);
	free(e->id);
	free(e->instance);
	free(e->method);
	*e = (struct dialect_event)DIALECT_EVENT_INIT;
}

void
dialect_message_release(struct dialect_message *m)
{
	free(m->topic);
	m->topic = NULL;
	buf_release(&m->payload);
	m->retain = false;
}

int
dialect_check(const struct dialect *d, struct json record, struct fail *f)
{
	static const struct dialect_context none = { .id = "-" };
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;
	int r = d->encode(&none, record, &m, f);

	if (r < 0)
		return r;
	if (m.payload.len > DIALECT_PAYLOAD_MAX)
		return fail_set(f, EXIT_USAGE, "the message is over %d bytes", DIALECT_PAYLOAD_MAX);
	return 0;
}

struct json
dialect_call_json(const struct dialect_event *e)
{
	struct json v = json_object();

	json_set_text(&v, "id", e->id);
	json_set_text(&v, "instance", e->instance);
	json_set_text(&v, "method", e->method);
	json_set(&v, "params", json_kind(e->params) == JSON_NONE ? json_null() : json_copy(e->params));
	if (e->deadline_ms > 0)
		json_set(&v, "deadline", json_number((double)e->deadline_ms));
	json_set(&v, "number", json_number((double)e->number));
	return v;
}

int
dialect_bytes(struct json value, struct buf *out)
{
	const char *s = json_get_string(value), *b64;

	if (s)
		return buf_add(out, s, json_string_len(value));
	b64 = json_is_object(value) && json_count(value) == 1 ? json_get_text(value, "base64") : NULL;
	if (b64)
		return base64_decode(b64, strlen(b64), out);
	json_format(value, out);
	return 0;
}

struct json
dialect_text(const char *p, size_t len)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct json v;

	if (utf8_check(p, len) == len)
		return json_string_n(p, len);
	base64_encode(p, len, &b);
	v = json_object();
	json_set_text(&v, "base64", b.s);
	return v;
}

const char *
dialect_after(const char *topic, const char *prefix)
{
	const size_t n = strlen(prefix);

	return strncmp(topic, prefix, n) == 0 ? topic + n : NULL;
}
