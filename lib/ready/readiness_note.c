#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "ready/readiness_note.h"

bool
readiness_note_is_id(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return len > 0 && len < READINESS_ID;
}

void
readiness_note_set_id(const char *value, size_t len, char id[READINESS_ID])
{
	if (readiness_note_is_id(value, len)) {
		memcpy(id, value, len);
		id[len] = '\0';
	}
}

static void
parse_pair(const char *key, const char *value, size_t len, struct readiness_note *n)
{
	char text[READINESS_BOOT] = "";
	int yes;

	if (len < sizeof text)
		memcpy(text, value, len);
	if (strcmp(key, "boot") == 0)
		memcpy(n->boot, text, sizeof text);
	else if (strcmp(key, "agent") == 0)
		readiness_note_set_id(value, len, n->agent);
	else if (strcmp(key, "peer") == 0)
		readiness_note_set_id(value, len, n->peer);
	else if (strcmp(key, "made") == 0)
		(void)num_parse(text, 0, INT64_MAX, &n->made_us);
	else if (strcmp(key, "verdict") == 0)
		(void)verdict_parse(text, &n->verdict);
	else if (strcmp(key, "ended") == 0 && num_parse_bool(text, &yes) == 0)
		n->ended = yes;
}

void
readiness_note_parse(const char *text, size_t len, struct readiness_note *n)
{
	const char *end = text + len;

	*n = (struct readiness_note){ 0 };
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *stop = nl ? nl : end;
		const char *eq = memchr(text, '=', (size_t)(stop - text));
		char key[16] = "";

		if (eq && (size_t)(eq - text) < sizeof key) {
			memcpy(key, text, (size_t)(eq - text));
			parse_pair(key, eq + 1, (size_t)(stop - eq - 1), n);
		}
		text = stop + 1;
	}
}

void
readiness_note_format(const struct readiness_note *n, struct buf *out)
{
	buf_printf(out, "boot=%s\n", n->boot);
	if (*n->agent)
		buf_printf(out, "agent=%s\n", n->agent);
	if (*n->peer)
		buf_printf(out, "peer=%s\n", n->peer);
	buf_printf(out, "made=%" PRId64 "\n", n->made_us);
	if (n->verdict != VERDICT_NONE)
		buf_printf(out, "verdict=%s\nended=%s\n", verdict_name(n->verdict),
		    n->ended ? "yes" : "no");
}
