/* Tables: widths of the terminal, shortening in the middle, wrapping, colours. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/utf8.h"

/* The table of rows of three cells, made to fit COLUMNS. */
static void
format_rows(const char *const (*rows)[3], size_t n, unsigned columns, bool wraps, bool colours, struct buf *out)
{
	struct table *t = table_new();

	for (size_t i = 0; i < n; i++) {
		table_state(t, rows[i][0]);
		table_cell(t, rows[i][1]);
		table_cell(t, rows[i][2]);
		table_end_row(t);
	}
	table_fit(t, columns);
	if (wraps)
		table_wrap(t);
	if (colours)
		table_colour(t);
	buf_reset(out);
	table_format(t, out);
	table_free(t);
}

/* No line of TEXT is wider than COLUMNS, and none ends in a blank. */
static void
check_lines(const char *text, size_t columns)
{
	for (const char *nl; (nl = strchr(text, '\n')); text = nl + 1) {
		char line[512];

		memcpy(line, text, (size_t)(nl - text));
		line[nl - text] = '\0';
		assert(table_width(line) <= columns);
		assert(nl == text || nl[-1] != ' ');
	}
}

static void
test_widths(struct buf *out)
{
	/* a wide character takes two columns, a combining one none, an escaped one four */
	assert(table_width("カメラ") == 6);
	assert(table_width("e\xcc\x81") == 1);
	assert(table_width("\033") == 4);
	format_rows((const char *const[][3]){ { "ok", "カメラ", "x" }, { "fail", "caf\x65\xcc\x81", "y" } }, 2, 0, false, false, out);
	assert(strcmp(out->s, "ok    カメラ  x\nfail  caf\x65\xcc\x81    y\n") == 0);
	/* what is too wide is shortened in its middle, and no wide character is halved */
	format_rows((const char *const[][3]){ { "ok", "カメラカメラカメラカメラカメラ", "/a/long/path/to/a/file" } }, 1, 40, false, false, out);
	check_lines(out->s, 40);
	assert(strstr(out->s, "~") && strstr(out->s, "file\n"));
	assert(utf8_check(out->s, out->len) == out->len);
	buf_reset(out);
	table_pad("カメラカメラ", 8, out);
	assert(table_width(out->s) == 8);
}

static void
test_wrapping(struct buf *out)
{
	static const char *const rows[][3] = {
		{ "warn", "profile", "the unit has no such file, and systemd is not running here" },
		{ NULL, NULL, "-> install the agent, or correct the name" },
		{ "ok", "a", "/a/path/that/is/longer/than/all/of/the/column/is and more" },
		{ "ok", "b", "" },
	};

	format_rows(rows, 4, 50, true, false, out);
	assert(strcmp(out->s,
	    "warn  profile  the unit has no such file, and\n"
	    "               systemd is not running here\n"
	    "               -> install the agent, or correct\n"
	    "               the name\n"
	    "ok    a        /a/path/that/is/longer/than/all/of/the/column/is\n"
	    "               and more\n"
	    "ok    b\n") == 0);
	/* where it fits, and where there is no terminal, nothing is wrapped */
	format_rows(rows, 2, 200, true, false, out);
	assert(strstr(out->s, "here\n") && strstr(out->s, "correct the name\n"));
	format_rows(rows, 2, 0, true, false, out);
	assert(strstr(out->s, "correct the name\n"));
	/* a terminal that is narrower than all else gets lines that are too wide, and ends */
	format_rows(rows, 4, 5, true, false, out);
	assert(strstr(out->s, "more\n"));
}

static void
test_colours(struct buf *out)
{
	static const char *const rows[][3] = { { "STATE", "ID", "TEXT" }, { "ok", "a", "ok" }, { "fail", "b", "fail" } };

	format_rows(rows, 3, 80, false, true, out);
	assert(strcmp(out->s, "STATE  ID  TEXT\n\033[32mok\033[0m     a   ok\n\033[31mfail\033[0m   b   fail\n") == 0);
	/* a word of the world that has an escape sequence has no colour, and draws nothing */
	format_rows((const char *const[][3]){ { "\033[31mok", "a", "b" } }, 1, 80, false, true, out);
	assert(!strchr(out->s, '\033'));
	/* a state is read whole, the rest is shortened */
	format_rows((const char *const[][3]){ { "unreadable", "a-long-identifier-of-a-component", "contoso-robotics" } }, 1, 36, false, false, out);
	check_lines(out->s, 36);
	assert(strncmp(out->s, "unreadable  a-lon", 17) == 0);
	/* neither width nor colour without a terminal */
	struct table *t = table_new();

	table_state(t, "ok");
	table_end_row(t);
	table_terminal(t, -1);
	buf_reset(out);
	table_format(t, out);
	assert(strcmp(out->s, "ok\n") == 0);
	table_free(t);
}

int
main(void)
{
	struct buf out = BUF_INIT;

	test_widths(&out);
	test_wrapping(&out);
	test_colours(&out);
	buf_release(&out);
	return 0;
}
