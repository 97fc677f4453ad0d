#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "base/table.h"
#include "base/utf8.h"
#include "output/escape.h"
#include "output/render.h"
#include "output/text.h"

/* The bytes, for a terminal: a record's newlines and tabs stay as they are. */
static void
put_tame(struct writer *w, const char *p, size_t n)
{
	size_t from = 0, len;

	for (size_t i = 0; i < n; i += len) {
		char escaped[UTF8_ESCAPED];

		len = utf8_escape(p + i, n - i, escaped);
		if (!*escaped || p[i] == '\n' || p[i] == '\t')
			continue;
		writer_put(w, p + from, i - from);
		writer_puts(w, escaped);
		from = i + len;
	}
	writer_put(w, p + from, n - from);
}

void
text_name(struct writer *w, const char *name, bool terminal)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (!terminal) {
		writer_puts(w, name);
		return;
	}
	table_escape(name, &b);
	writer_put(w, b.s, b.len);
}

static void
put_mark(struct writer *w, const struct render_style *style, const struct shown *x)
{
	char text[48];

	writer_puts(w, style->colour ? "\033[1m[" : "[");
	writer_puts(w, x->mark);
	if (strcmp(x->mark, "late") == 0 || strcmp(x->mark, "behind") == 0) {
		snprintf(text, sizeof text, " %.3fs", (double)x->moved_ns / 1e9);
		writer_puts(w, text);
	}
	writer_puts(w, style->colour ? "]\033[m " : "] ");
}

static void
put_prefix(struct writer *w, const struct render_style *style, const struct shown *x)
{
	static const char *const colours[] = { "\033[36m", "\033[33m", "\033[32m", "\033[35m", "\033[34m", "\033[31m" };
	static const char blanks[] = "                                        ";
	size_t n = strlen(x->source->name), room = style->name_width > n ? style->name_width - n : 0;

	if (style->colour)
		writer_puts(w, colours[x->source->rank % 6]);
	text_name(w, x->source->name, style->escape);
	for (; room >= sizeof blanks; room -= sizeof blanks - 1)
		writer_put(w, blanks, sizeof blanks - 1);
	writer_put(w, blanks, room);
	writer_puts(w, style->colour ? " |\033[m " : " | ");
	if (x->mark)
		put_mark(w, style, x);
}

/* The constraints, with "; " between them. */
static void
put_why(struct writer *w, const char *why, bool escape)
{
	const char *nl;

	while ((nl = strchr(why, '\n'))) {
		_cleanup_free_ char *one = xstrndup(why, (size_t)(nl - why));

		text_name(w, one, escape);
		writer_puts(w, "; ");
		why = nl + 1;
	}
	text_name(w, why, escape);
}

/*
 * "2026-11-21T20:16:00.123456Z ", or with the offset of the zone; blanks where a
 * record has no time of its own.
 */
static void
put_stamp(struct text_output *t, struct writer *w, const struct render_style *style, const struct shown *x)
{
	int64_t ns = x->record->t, s = ns / 1000000000 - (ns % 1000000000 < 0), local;
	char text[CLOCK_TEXT + 16];
	long offset;

	if (!t->zone && zone_open(style->stamp == STAMP_UTC ? "UTC" : "local", &t->zone) < 0)
		return;
	local = zone_from_utc(t->zone, s);
	offset = (long)(local - s) / 60;
	clock_format((struct timespec){ local, ns - s * 1000000000 }, text);
	if (style->stamp == STAMP_LOCAL)
		snprintf(strchr(text, 'Z'), 16, "%c%02ld:%02ld", offset < 0 ? '-' : '+', labs(offset) / 60 % 100,
		    labs(offset) % 60);
	if (x->record->inherited)
		memset(text, ' ', strlen(text));
	if (style->colour)
		writer_puts(w, "\033[2m");
	writer_puts(w, text);
	writer_puts(w, style->colour ? "\033[m " : " ");
}

static void
put_reason(struct writer *w, const struct render_style *style, const struct shown *x)
{
	char text[48];

	writer_puts(w, style->colour ? "\033[2m# " : "# ");
	text_name(w, x->source->name, style->escape);
	writer_puts(w, ": ");
	put_why(w, x->why ? x->why : x->record->inherited ? "no time" : "time", style->escape);
	if (x->moved_ns >= 1000) {
		snprintf(text, sizeof text, ", moved %.3f ms", (double)x->moved_ns / 1e6);
		writer_puts(w, text);
	}
	if (x->mark) {
		writer_puts(w, ", ");
		writer_puts(w, x->mark);
	}
	writer_puts(w, style->colour ? "\033[m\n" : "\n");
}

/* The pieces of a long record for a terminal; a character may begin in one and end in the next. */
static char
put_tame_pieces(struct writer *w, struct source *s, const char *p, size_t n)
{
	_cleanup_buf_ struct buf held = BUF_INIT;
	char last = '\n';

	buf_add(&held, p, n);
	while (source_rest(s, &p, &n)) {
		size_t torn = escape_torn(held.s, held.len);

		put_tame(w, held.s, held.len - torn);
		memmove(held.s, held.s + held.len - torn, torn);
		held.len = torn;
		buf_add(&held, p, n);
	}
	put_tame(w, held.s, held.len);
	if (held.len)
		last = held.s[held.len - 1];
	return last;
}

char
text_record(struct text_output *t, struct writer *w, const struct render_style *style, struct source *s, const struct shown *x)
{
	const char *p = x->record->p;
	size_t n = x->record->n;
	char last;

	if (style->explain)
		put_reason(w, style, x);
	if (style->stamp)
		put_stamp(t, w, style, x);
	if (style->prefix)
		put_prefix(w, style, x);
	last = n ? p[n - 1] : '\n';
	if (!style->escape)
		writer_put(w, p, n);
	else if (x->record->more)
		return put_tame_pieces(w, s, p, n);
	else
		put_tame(w, p, n);
	while (x->record->more && source_rest(s, &p, &n)) {
		writer_put(w, p, n);
		last = n ? p[n - 1] : last;
	}
	return last;
}
