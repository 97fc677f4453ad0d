#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/table.h"
#include "base/utf8.h"
#include "base/xalloc.h"

struct table {
	char **cells;		/* NULL ends a row */
	size_t n, cap;
	unsigned fit;		/* columns of a line; 0 for no limit */
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

void
table_fit(struct table *t, unsigned columns)
{
	t->fit = columns;
}

unsigned
table_columns(int fd)
{
	struct winsize size;

	if (!isatty(fd))
		return 0;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* The character at *S, which is moved behind it, takes so many columns. */
static unsigned
next_columns(const char **s)
{
	uint32_t c;
	size_t n = utf8_next(*s, strlen(*s), &c);

	*s += n ? n : 1;
	return n ? utf8_columns(c) : 1;
}

static size_t
text_columns(const char *s)
{
	size_t n = 0;

	while (*s)
		n += next_columns(&s);
	return n;
}

/* The bytes of S that take at most MAX columns, what is combined with the last character among them. */
static size_t
head_bytes(const char *s, size_t max)
{
	const char *p = s, *end = s;

	for (size_t n = 0; *p; end = p) {
		n += next_columns(&p);
		if (n > max)
			break;
	}
	return (size_t)(end - s);
}

/* TEXT in at most MAX columns. */
static void
add_shortened(const char *text, size_t max, struct buf *out)
{
	size_t all = text_columns(text), head = max / 2, before;

	if (all <= max) {
		buf_puts(out, text);
		return;
	}
	buf_add(out, text, head_bytes(text, head));
	buf_putc(out, '~');
	/* skip at least as many columns as are too many; then what would be combined with the last of them */
	before = all - (max - head - 1);
	for (size_t n = 0; *text && n < before; )
		n += next_columns(&text);
	for (const char *p = text; *p && next_columns(&p) == 0; )
		text = p;
	buf_puts(out, text);
}

/* The widths of the N columns, two blanks apart, made to fit. */
static void
columns_narrow(size_t *widths, size_t n, size_t fit)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += widths[i] + (i > 0 ? 2 : 0);
	while (fit > 0 && all > fit) {
		size_t widest = 0;

		for (size_t i = 1; i < n; i++)
			if (widths[i] > widths[widest])
				widest = i;
		if (widths[widest] <= TABLE_NARROW)
			return;
		widths[widest]--;
		all--;
	}
}

/* Returns how many columns there are. */
static size_t
columns_measure(const struct table *t, size_t *widths)
{
	size_t column = 0, n = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t w = t->cells[i] ? text_columns(t->cells[i]) : 0;

		if (t->cells[i] && w > widths[column])
			widths[column] = w;
		column = t->cells[i] ? column + 1 : 0;
		if (column > n)
			n = column;
	}
	return n;
}

void
table_format(const struct table *t, struct buf *out)
{
	_cleanup_free_ size_t *widths = xcalloc(t->n + 1, sizeof *widths);
	_cleanup_buf_ struct buf cell = BUF_INIT;
	size_t column = 0, pad = 0;

	columns_narrow(widths, columns_measure(t, widths), t->fit);
	for (size_t i = 0; i < t->n; i++) {
		if (!t->cells[i]) {
			buf_putc(out, '\n');
			column = pad = 0;
			continue;
		}
		buf_reset(&cell);
		add_shortened(t->cells[i], widths[column], &cell);
		/* before a cell, not after one: so no line ends in blanks */
		for (; pad > 0 && cell.len > 0; pad--)
			buf_putc(out, ' ');
		buf_add(out, cell.s, cell.len);
		pad += widths[column++] + 2 - text_columns(cell.s);
	}
}
