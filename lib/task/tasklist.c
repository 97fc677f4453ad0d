#include <stdio.h>

#include "base/table.h"
#include "task/tasklist.h"

static void
add_row(struct table *t, struct json v)
{
	_cleanup_json_ struct json id = json_get(v, "id"), status = json_get(v, "status"), e = json_get(status, "exit");
	_cleanup_json_ struct json s = json_get(status, "signal");
	char text[32] = "", end[32] = "";
	int64_t n;

	if (json_get_whole(id, &n))
		snprintf(text, sizeof text, "%jd", (intmax_t)n);
	if (json_get_whole(e, &n))
		snprintf(end, sizeof end, "%jd", (intmax_t)n);
	else if (json_get_whole(s, &n))
		snprintf(end, sizeof end, "signal %jd", (intmax_t)n);
	table_cell(t, text);
	table_cell(t, json_get_text(v, "state"));
	table_cell(t, end);
	table_cell(t, json_get_text(v, "command"));
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
			add_row(t, item);
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
