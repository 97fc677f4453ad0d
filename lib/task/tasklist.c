#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "task/tasklist.h"

/* How the task of V ended, as its member "status" has it; "" where it has none. */
static void
add_end(struct table *t, struct json v)
{
	_cleanup_json_ struct json status = json_get(v, "status"), e = json_get(status, "exit");
	_cleanup_json_ struct json s = json_get(status, "signal");
	const char *why = json_get_text(status, "why");
	char end[64] = "";
	int64_t n;

	if (json_get_whole(e, &n))
		snprintf(end, sizeof end, "%jd%s%s", (intmax_t)n, why ? " " : "", why ? why : "");
	else if (json_get_whole(s, &n))
		snprintf(end, sizeof end, "signal %jd%s%s", (intmax_t)n, why ? " " : "", why ? why : "");
	table_cell(t, end);
}

static void
add_id(struct table *t, struct json v, const char *key)
{
	_cleanup_json_ struct json id = json_get(v, key);
	char text[32] = "";
	int64_t n;

	if (json_get_whole(id, &n) && n > 0)
		snprintf(text, sizeof text, "%jd", (intmax_t)n);
	table_cell(t, text);
}

static void
add_task(struct table *t, struct json v)
{
	add_id(t, v, "id");
	table_state(t, json_get_text(v, "state"));
	add_end(t, v);
	table_cell(t, json_get_text(v, "command"));
	table_end_row(t);
}

static void
add_record(struct table *t, struct json v)
{
	const char *event = json_get_text(v, "event");
	char padded[16];

	/* as wide as the widest, so that what is printed later stands below */
	snprintf(padded, sizeof padded, "%-9s", event ? event : "");
	table_cell(t, json_get_text(v, "time"));
	add_id(t, v, "task");
	table_cell(t, padded);
	add_end(t, v);
	table_cell(t, json_get_text(v, "reason"));
	table_end_row(t);
}

void
tasklist_format(struct json v, bool as_table, unsigned columns, struct buf *out)
{
	_cleanup_json_ struct json tasks = json_get(v, "tasks");
	struct table *t = table_new();

	for (size_t i = 0; i < json_count(tasks); i++) {
		_cleanup_json_ struct json item = json_at(tasks, i);

		if (as_table) {
			add_task(t, item);
		} else {
			json_format(item, out);
			buf_putc(out, '\n');
		}
	}
	if (as_table) {
		table_fit(t, columns);
		table_format(t, out);
	}
	table_free(t);
}

void
tasklist_format_history(const char *text, size_t len, bool as_table, unsigned columns, struct buf *out)
{
	const char *const end = text + len;
	struct table *t;

	if (!as_table) {
		buf_add(out, text, len);
		return;
	}
	t = table_new();
	for (const char *nl; text < end && (nl = memchr(text, '\n', (size_t)(end - text))); text = nl + 1) {
		_cleanup_json_ struct json v = JSON_ABSENT;
		struct fail ignored;

		if (json_parse(NULL, text, (size_t)(nl - text), &v, &ignored) == 0)
			add_record(t, v);
	}
	table_fit(t, columns);
	table_format(t, out);
	table_free(t);
}
