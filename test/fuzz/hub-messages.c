#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "hub/chain.h"
#include "hub/dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const dialects[] = { "evp1", "evp2", "thingsboard", "rejoin" };

/* What was received is whole, and goes out again as an answer. */
static void
event_check(const struct dialect *d, const struct dialect_context *c, const struct dialect_event *e)
{
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;
	_cleanup_json_ struct json record = json_object(), value = json_object();
	struct fail f;

	if ((e->kind == DIALECT_LEVEL || e->kind == DIALECT_CHANGE) && !json_is_object(e->attributes))
		abort();
	if (e->kind != DIALECT_CALL)
		return;
	if (!e->id || !e->instance || !e->method)
		abort();
	json_set(&value, "call", dialect_call_json(e));
	json_set_text(&value, "status", "ok");
	json_set(&value, "response", json_copy(e->params));
	json_set_text(&record, "kind", "answer");
	json_set_text(&record, "key", e->id);
	json_set(&record, "value", json_copy(value));
	if (d->encode(c, record, &m, &f) == 0 && !m.topic)
		abort();
}

/* A record that a device sent, as a collector reads it, and as one that is to be sent. */
static void
record_check(const struct dialect *d, const struct dialect_context *c, const char *text, size_t n)
{
	_cleanup_dialect_message_ struct dialect_message m = DIALECT_MESSAGE_INIT;
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct chain chain = CHAIN_INIT;
	struct fail f;
	int64_t id;

	if (json_parse(NULL, text, n, &v, &f) < 0 || !json_is_object(v))
		return;
	if (chain_judge(&chain, v, &id) == CHAIN_NEW) {
		chain_hold(&chain, id);
		if (chain_judge(&chain, v, &id) != CHAIN_DUPLICATE)
			abort();
	}
	if (d->encode(c, v, &m, &f) == 0 && !m.topic)
		abort();
}

/* A byte that chooses the dialect, a topic up to the first newline, the payload. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_dialect_event_ struct dialect_event e = DIALECT_EVENT_INIT;
	static char group[] = "blue";
	char *groups[] = { group, NULL };
	const struct dialect_context c = { "d1", NULL, groups };
	const struct dialect *d;
	char *text, *payload;
	struct fail f;
	int r;

	if (n < 1)
		return 0;
	d = dialects_find(dialects[data[0] % 4]);
	text = xstrndup((const char *)data + 1, n - 1);
	payload = memchr(text, '\n', n - 1);
	if (payload) {
		*payload++ = '\0';
		r = d->receive(&c, text, payload, (size_t)(text + n - 1 - payload), &e, &f);
		if (r < 0 && !f.text[0])
			abort();
		if (r == 0)
			event_check(d, &c, &e);
		record_check(d, &c, payload, (size_t)(text + n - 1 - payload));
	}
	free(text);
	return 0;
}
