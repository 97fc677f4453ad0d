#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/table.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { WRAP_MIN = 20 };

struct table_text {
	char *text;		/* NULL ends a row */
	bool is_state;
};

struct table {
	struct table_text *cells;
	size_t n, cap;
	unsigned fit;		/* columns of a line; 0 for no limit */
	bool wraps, colours;
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
		free(t->cells[i].text);
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
	t->cells[t->n++] = (struct table_text){ .text = buf_steal(&b) };
}

void
table_state(struct table *t, const char *word)
{
	table_cell(t, word);
	t->cells[t->n - 1].is_state = true;
}

void
table_end_row(struct table *t)
{
	t->cells = xgrow(t->cells, t->n, &t->cap, sizeof *t->cells);
	t->cells[t->n++] = (struct table_text){ .text = NULL };
}

void
table_fit(struct table *t, unsigned columns)
{
	t->fit = columns;
}

void
table_wrap(struct table *t)
{
	t->wraps = true;
}

void
table_colour(struct table *t)
{
	t->colours = true;
}

void
table_terminal(struct table *t, int fd)
{
	const char *no = getenv("NO_COLOR");

	table_fit(t, table_columns(fd));
	if (isatty(fd) && !(no && *no))
		table_colour(t);
}

/* The SGR of a state; NULL for none. */
static const char *
state_colour(const char *state)
{
	static const struct { const char *states, *sgr; } colours[] = {
		{ " idle ok online ready running true ", "32" },
		{ " busy starting stopping needs-reboot warn unreadable false ", "33" },
		{ " failed hung stopped unknown fail offline ", "31" },
	};
	_cleanup_free_ char *word = xasprintf(" %s ", state);

	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
		if (strstr(colours[i].states, word))
			return colours[i].sgr;
	return NULL;
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

size_t
table_width(const char *text)
{
	_cleanup_buf_ struct buf tame = BUF_INIT;

	table_escape(text, &tame);
	return text_columns(tame.s);
}

void
table_pad(const char *text, size_t columns, struct buf *out)
{
	_cleanup_buf_ struct buf tame = BUF_INIT, fits = BUF_INIT;

	table_escape(text, &tame);
	add_shortened(tame.s, columns, &fits);
	buf_puts(out, fits.s);
	for (size_t n = text_columns(fits.s); n < columns; n++)
		buf_putc(out, ' ');
}

/* The least width of each column: a state is never shortened. */
static void
columns_least(const struct table *t, const size_t *widths, size_t *least)
{
	for (size_t i = 0, column = 0; i < t->n; i++) {
		if (t->cells[i].is_state)
			least[column] = widths[column];
		else if (least[column] == 0)
			least[column] = TABLE_NARROW;
		column = t->cells[i].text ? column + 1 : 0;
	}
}

/* The widths of the N columns, two blanks apart, made to fit; the last one is made at least WRAP_MIN wide by wrapping. */
static void
columns_narrow(const size_t *least, size_t *widths, size_t n, size_t fit, bool wraps)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += widths[i] + (i > 0 ? 2 : 0);
	if (wraps && n > 0 && fit > 0 && all > fit) {
		size_t too_wide = all - fit, last = widths[n - 1];

		widths[n - 1] = last > too_wide + WRAP_MIN ? last - too_wide : last < WRAP_MIN ? last : WRAP_MIN;
		all -= last - widths[n - 1];
		n--;
	}
	while (fit > 0 && all > fit) {
		size_t widest = n;

		for (size_t i = 0; i < n; i++)
			if (widths[i] > least[i] && (widest == n || widths[i] > widths[widest]))
				widest = i;
		if (widest == n)
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
		const char *text = t->cells[i].text;
		size_t w = text ? text_columns(text) : 0;

		if (text && w > widths[column])
			widths[column] = w;
		column = text ? column + 1 : 0;
		if (column > n)
			n = column;
	}
	return n;
}

static void
add_blanks(size_t n, struct buf *out)
{
	for (; n > 0; n--)
		buf_putc(out, ' ');
}

/* TEXT in lines of at most MAX columns, but for a word that is wider; all but the first are indented by INDENT. */
static void
add_wrapped(const char *text, size_t max, size_t indent, struct buf *out)
{
	size_t at = 0;

	for (size_t n; *text; text += n) {
		_cleanup_free_ char *word = NULL;
		size_t blanks = strspn(text, " "), w;

		text += blanks;
		n = strcspn(text, " ");
		word = xstrndup(text, n);
		w = text_columns(word);
		if (n > 0 && at > 0 && at + blanks + w > max) {
			buf_putc(out, '\n');
			add_blanks(indent, out);
			at = blanks = 0;
		}
		if (n > 0)
			add_blanks(blanks, out);
		buf_add(out, word, n);
		at += blanks + w;
	}
}

/* CELL in WIDTH columns. */
static void
add_cell(const struct table *t, const struct table_text *cell, size_t width, struct buf *out)
{
	const char *sgr = t->colours && cell->is_state ? state_colour(cell->text) : NULL;

	if (sgr)
		buf_printf(out, "\033[%sm", sgr);
	add_shortened(cell->text, width, out);
	if (sgr)
		buf_puts(out, "\033[0m");
}

void
table_format(const struct table *t, struct buf *out)
{
	_cleanup_free_ size_t *widths = xcalloc(t->n + 1, sizeof *widths), *least = xcalloc(t->n + 1, sizeof *least);
	const size_t columns = columns_measure(t, widths);
	size_t column = 0, pad = 0, begin = 0;

	columns_least(t, widths, least);
	columns_narrow(least, widths, columns, t->fit, t->wraps);
	for (size_t i = 0; i < t->n; i++) {
		const struct table_text *cell = &t->cells[i];

		if (!cell->text) {
			buf_putc(out, '\n');
			column = pad = begin = 0;
			continue;
		}
		/* before a cell, not after one: so no line ends in blanks */
		if (*cell->text) {
			add_blanks(pad, out);
			pad = 0;
		}
		if (t->wraps && column + 1 == columns && !cell->is_state)
			add_wrapped(cell->text, widths[column], begin, out);
		else
			add_cell(t, cell, widths[column], out);
		begin += widths[column] + 2;
		pad += widths[column] + 2;
		if (text_columns(cell->text) < widths[column])
			pad -= text_columns(cell->text);
		else
			pad -= widths[column];
		column++;
	}
}
