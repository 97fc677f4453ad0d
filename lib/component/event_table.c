#include <time.h>
#include <unistd.h>

#include "base/table.h"
#include "component/event_table.h"

enum { COLUMNS = 5, TIME = 8, EVENT = 9, RELEASE = 10, FIXED = TIME + EVENT + RELEASE + 2 * (COLUMNS - 1) };

/* A row cannot know those that follow: the widths are those of the terminal, where there is one. */
static void
add_row(const char *const cell[COLUMNS], struct buf *out)
{
	const size_t begin = out->len, columns = table_columns(STDOUT_FILENO);
	const size_t rest = columns > FIXED + 2 * TABLE_NARROW ? columns - FIXED : 45;
	const size_t width[COLUMNS] = { TIME, EVENT, rest * 11 / 20, RELEASE, rest - rest * 11 / 20 };

	for (int i = 0; i < COLUMNS; i++) {
		const char *text = cell[i] ? cell[i] : "";
		size_t own = table_width(text);

		buf_puts(out, i ? "  " : "");
		table_pad(text, columns == 0 && own > width[i] ? own : width[i], out);
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
