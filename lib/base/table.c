#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/utf8.h"
#include "base/xalloc.h"

struct table {
	char **cells;		/* NULL ends a row */
	size_t n, cap;
};

struct table *
table_new(void)
{
	return xcalloc(1, sizeof(struct table));
}

void
table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

void
table_escape(const char *text, struct buf *out)
{
	for (size_t left = strlen(text), n; left; text += n, left -= n) {
		char tame[UTF8_ESCAPED];

		n = utf8_escape(text, left, tame);
		buf_add(out, *tame ? tame : text, *tame ? strlen(tame) : n);
	}
}

void
table_cell(struct table *t, const char *text)
{
	struct buf b = BUF_INIT;

	table_escape(text ? text : "", &b);
	t->cells = xgrow(t->cells, t->n, &t->cap, sizeof *t->cells);
	t->cells[t->n++] = buf_steal(&b);
}

void
table_end_row(struct table *t)
{
	t->cells = xgrow(t->cells, t->n, &t->cap, sizeof *t->cells);
	t->cells[t->n++] = NULL;
}

/* In characters: bytes that do not go on with a UTF-8 sequence. */
static size_t
width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void
table_format(const struct table *t, struct buf *out)
{
	_cleanup_free_ size_t *widths = xcalloc(t->n + 1, sizeof *widths);
	size_t column = 0, pad = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t w = t->cells[i] ? width(t->cells[i]) : 0;

		if (t->cells[i] && w > widths[column])
			widths[column] = w;
		column = t->cells[i] ? column + 1 : 0;
	}
	column = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (!t->cells[i]) {
			buf_putc(out, '\n');
			column = pad = 0;
			continue;
		}
		/* before a cell, not after one: so no line ends in blanks */
		for (; pad > 0 && *t->cells[i]; pad--)
			buf_putc(out, ' ');
		buf_puts(out, t->cells[i]);
		pad += widths[column++] + 2 - width(t->cells[i]);
	}
}
