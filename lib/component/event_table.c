#include <time.h>

#include "base/table.h"
#include "component/event_table.h"

enum { COLUMNS = 5 };

static void
add_row(const char *const cell[COLUMNS], struct buf *out)
{
	static const int width[COLUMNS] = { 8, 9, 28, 12, 0 };
	const size_t begin = out->len;

	for (int i = 0; i < COLUMNS; i++) {
		_cleanup_buf_ struct buf text = BUF_INIT;

		table_escape(cell[i] ? cell[i] : "", &text);
		buf_printf(out, "%s%-*s", i ? "  " : "", width[i], text.s);
	}
	while (out->len > begin && out->s[out->len - 1] == ' ')
		out->s[--out->len] = '\0';
	buf_putc(out, '\n');
}

void
event_table_add(struct event_table *t, struct json event, struct buf *out)
{
	const time_t now = time(NULL);
	char text[16] = "";
	struct tm tm;

	if (!t->begun)
		add_row((const char *const[]){ "TIME", "EVENT", "ID", "VERSION", "CAUSE" }, out);
	t->begun = true;
	if (localtime_r(&now, &tm))
		strftime(text, sizeof text, "%H:%M:%S", &tm);
	add_row((const char *const[]){ text, json_get_text(event, "event"), json_get_text(event, "id"),
	    json_get_text(event, "version"), json_get_text(event, "cause") }, out);
}
