#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/table.h"
#include "base/xalloc.h"
#include "output/render.h"
#include "output/text.h"

enum { KEPT_MAX = 64 << 10 };	/* bytes of a buffer that the next record of the ring may use again */

void
render_init(struct render *r, int fd, const struct render_style *style)
{
	*r = (struct render){ .style = style };
	writer_init(&r->w, fd, WRITER_SIZE);
	if (style && style->last && !style->artist) {
		r->last = xcalloc(style->last, sizeof *r->last);
		for (unsigned long i = 0; i < style->last; i++)
			writer_init(&r->last[i], -1, 0);
	}
}

static void
release_last(struct render *r)
{
	for (unsigned long i = 0; r->last && i < r->style->last; i++)
		writer_release(&r->last[i]);
	free(r->last);
	r->last = NULL;
}

void
render_end_last(struct render *r)
{
	render_flush(r);
	release_last(r);
}

void
render_release(struct render *r)
{
	release_last(r);
	jsonl_release(&r->jsonl);
	zone_free(r->text.zone);
	writer_release(&r->w);
}

void
render_flush(struct render *r)
{
	unsigned long last = r->last ? r->style->last : 0, i = r->shown > last ? r->shown - last : 0;

	if (r->style && r->style->artist) {
		_cleanup_buf_ struct buf rows = BUF_INIT;

		r->style->artist->flush(r->style->artist, &rows);
		writer_put(&r->w, rows.s, rows.len);
	}
	for (; last && i < r->shown; i++)
		render_bytes(r, r->last[i % last].buf, r->last[i % last].len, false);
	writer_flush(&r->w);
}

void
render_chunk(struct render *r, const struct render *chunk)
{
	if (chunk->w.len == 0)
		return;
	if (r->torn)
		writer_put(&r->w, "\n", 1);
	if (r->w.fd < 0)
		writer_put(&r->w, chunk->w.buf, chunk->w.len);
	else
		writer_in_place(&r->w, chunk->w.buf, chunk->w.len);
	r->torn = chunk->torn;
}

void
render_name(struct buf *out, const char *text, bool terminal)
{
	if (terminal)
		table_escape(text, out);
	else
		buf_puts(out, text);
}

/* Of a long record a picture has the first piece. */
static void
draw(struct render *r, struct source *s, const struct shown *x)
{
	_cleanup_buf_ struct buf rows = BUF_INIT;
	const char *p;
	size_t n;

	r->style->artist->record(r->style->artist, x, x->record->p, x->record->n, &rows);
	writer_put(&r->w, rows.s, rows.len);
	while (x->record->more && source_rest(s, &p, &n))
		;
}

/* On a terminal, what it would obey inside the strings is escaped, too. */
static void
put_tame_json(struct render *r, struct writer *w, struct source *s, const struct shown *x)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct writer line;

	writer_init(&line, -1, 0);
	jsonl_record(&r->jsonl, &line, s, x);
	buf_add(&b, line.buf, line.len);
	writer_release(&line);
	json_sanitize(STDOUT_FILENO, &b);
	writer_put(w, b.s, b.len);
}

static void
print(struct render *r, struct source *s, const struct shown *x)
{
	struct writer *w = &r->w;

	if (r->last) {
		w = &r->last[r->shown++ % r->style->last];
		w->len = 0;
		if (w->cap > KEPT_MAX) {
			writer_release(w);
			writer_init(w, -1, 0);
		}
	}
	if (r->style->json && r->style->escape) {
		put_tame_json(r, w, s, x);
	} else if (r->style->json) {
		jsonl_record(&r->jsonl, w, s, x);
	} else {
		if (r->torn && !r->last)
			writer_put(w, "\n", 1);
		r->torn = text_record(&r->text, w, r->style, s, x) != '\n';
	}
	if (r->last)
		r->torn = false;
}

void
render_record(struct render *r, struct source *s, const struct shown *x)
{
	const struct render_style *style = r->style;
	struct shown marked = *x;
	const char *p = x->record->p;
	size_t n = x->record->n;

	marked.mark = "partial";
	if (x->record->partial && !x->mark)
		x = &marked;
	if (style && style->artist) {
		draw(r, s, x);
	} else if (style && (style->json || style->prefix || style->stamp || style->escape || style->explain || r->last)) {
		print(r, s, x);
	} else {
		render_bytes(r, p, n, false);
		while (x->record->more && source_rest(s, &p, &n))
			render_bytes(r, p, n, true);
	}
	if (r->line_buffered && !r->last)
		writer_flush(&r->w);
}

void
render_watermark(struct render *r, int64_t ns)
{
	char time[CLOCK_TEXT];
	const int64_t s = ns / 1000000000 - (ns % 1000000000 < 0);

	clock_format((struct timespec){ s, ns - s * 1000000000 }, time);
	writer_puts(&r->w, "{\"watermark\":\"");
	writer_puts(&r->w, time);
	writer_puts(&r->w, "\"}\n");
}
