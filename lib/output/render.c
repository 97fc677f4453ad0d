#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/table.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "output/render.h"

enum { CAP = 65536 };		/* what a pipe takes at once */

void
render_init(struct render *r, int fd, const struct render_style *style)
{
	*r = (struct render){ .fd = fd, .cap = CAP, .style = style, .line = BUF_INIT };
	r->buf = xrealloc(NULL, r->cap, 1);
	if (style && style->last && !style->artist) {
		r->ring = xcalloc(style->last, sizeof *r->ring);
		for (unsigned long i = 0; i < style->last; i++)
			r->ring[i] = (struct buf)BUF_INIT;
	}
}

static void
ring_release(struct render *r)
{
	for (unsigned long i = 0; r->ring && i < r->style->last; i++)
		buf_release(&r->ring[i]);
	free(r->ring);
	r->ring = NULL;
}

void
render_end_last(struct render *r)
{
	render_flush(r);
	ring_release(r);
}

void
render_release(struct render *r)
{
	ring_release(r);
	buf_release(&r->line);
	free(r->buf);
}

static void
write_out(struct render *r, const char *p, size_t n)
{
	if (r->error == 0)
		r->error = io_write_all(r->fd, p, n);
}

void
render_room(struct render *r, size_t n)
{
	if (r->fd >= 0) {
		write_out(r, r->buf, r->len);
		r->len = 0;
	}
	while (r->cap - r->len < n) {
		r->cap *= 2;
		r->buf = xrealloc(r->buf, r->cap, 1);
	}
}

void
render_flush(struct render *r)
{
	unsigned long last = r->ring ? r->style->last : 0, i = r->shown > last ? r->shown - last : 0;

	if (r->style && r->style->artist) {
		buf_reset(&r->line);
		r->style->artist->flush(r->style->artist, &r->line);
		render_bytes(r, r->line.s, r->line.len, false);
	}
	for (; last && i < r->shown; i++) {
		struct buf *b = &r->ring[i % last];

		render_bytes(r, b->s, b->len, false);
	}
	if (r->fd >= 0) {
		write_out(r, r->buf, r->len);
		r->len = 0;
	}
}

void
render_chunk(struct render *r, const struct render *chunk)
{
	if (chunk->len == 0)
		return;
	if (r->fd < 0) {
		render_bytes(r, chunk->buf, chunk->len, false);
		return;
	}
	if (r->torn)
		render_bytes(r, "", 0, false);
	render_flush(r);
	write_out(r, chunk->buf, chunk->len);
	r->torn = chunk->torn;
}

/* The bytes, for a terminal: a record's newlines and tabs go through. */
static void
escape(struct buf *b, const char *p, size_t n)
{
	size_t from = 0, len;

	for (size_t i = 0; i < n; i += len) {
		char escaped[UTF8_ESCAPED];

		len = utf8_escape(p + i, n - i, escaped);
		if (!*escaped || p[i] == '\n' || p[i] == '\t')
			continue;
		buf_add(b, p + from, i - from);
		buf_puts(b, escaped);
		from = i + len;
	}
	buf_add(b, p + from, n - from);
}

static void
base64(struct buf *b, const char *text, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);

		buf_putc(b, digits[v >> 18]);
		buf_putc(b, digits[v >> 12 & 63]);
		buf_putc(b, i + 1 < n ? digits[v >> 6 & 63] : '=');
		buf_putc(b, i + 2 < n ? digits[v & 63] : '=');
	}
}

/* A part of a record; in one of JSON, what its text or its value there means, and null is none. */
static void
set_span(struct json *o, const char *key, struct span v, bool json)
{
	_cleanup_json_ struct json meant = JSON_ABSENT;
	struct fail f;

	if (!v.p || (json && v.n == 4 && memcmp(v.p, "null", 4) == 0 && v.p[-1] != '"'))
		return;
	if (json && v.p[-1] == '"' && json_parse(NULL, v.p - 1, v.n + 2, &meant, &f) == 0)
		json_set(o, key, json_copy(meant));
	else
		json_set(o, key, json_string_n(v.p, v.n));
}

static void
set_meta(struct json *o, const struct event_meta *meta)
{
	static const char *const levels[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

	if (meta->level >= 0 && meta->level < 8)
		json_set_text(o, "level", levels[meta->level]);
	if (meta->incarnation)
		json_set_text(o, "incarnation", meta->incarnation);
}

static void
as_json(struct buf *out, const struct render_style *style, const struct shown *x, const char *p, size_t n)
{
	_cleanup_json_ struct json o = json_object();
	_cleanup_buf_ struct buf b64 = BUF_INIT;
	struct fields fields;
	struct span text = { p, n }, who;
	const bool json = x->source->fmt->where == WHERE_JSON;
	struct json edges = json_array();
	char time[CLOCK_TEXT];
	int64_t t = x->record->t, s = t / 1000000000 - (t % 1000000000 < 0);

	if (!x->record->inherited)
		json_set_text(&o, "time", clock_format((struct timespec){ s, t - s * 1000000000 }, time));
	json_set_text(&o, "source", x->source->name);
	if (!source_fields(x->source, p, n, &fields))
		fields = (struct fields){ .v[0].p = NULL };
	while (text.n && (p[text.n - 1] == '\n' || p[text.n - 1] == '\r'))
		text.n--;
	who = source_emitter(x->source, fields.v[FIELD_EMITTER], text);
	set_span(&o, "emitter", who, json && who.p == fields.v[FIELD_EMITTER].p);
	set_span(&o, "level", fields.v[FIELD_LEVEL], json);
	if (x->record->meta)
		set_meta(&o, x->record->meta);
	if (n && p[n - 1] == '\n')
		n--;
	if (utf8_check(p, n) == n) {
		json_set(&o, "text", json_string_n(p, n));
	} else {
		base64(&b64, p, n);
		json_set_text(&o, "text_b64", b64.s);
	}
	if (x->why)
		json_append(&edges, json_string(x->why));
	json_set(&o, "edges", edges);
	json_set(&o, "mark", x->mark ? json_string(x->mark) : json_null());
	json_set(&o, "moved_ms", json_number((double)x->moved_ns / 1e6));
	json_format(o, out);
	buf_putc(out, '\n');
	if (style->escape)
		json_tame(STDOUT_FILENO, out);
}

void
render_name(struct buf *out, const char *text, bool terminal)
{
	if (terminal)
		table_escape(text, out);
	else
		buf_puts(out, text);
}

static void
prefix(struct buf *out, const struct render_style *style, const struct shown *x)
{
	static const int colours[] = { 36, 33, 32, 35, 34, 31 };

	if (style->colour)
		buf_printf(out, "\033[%dm", colours[x->source->rank % 6]);
	render_name(out, x->source->name, style->escape);
	for (size_t n = strlen(x->source->name); n < style->name_width; n++)
		buf_putc(out, ' ');
	buf_puts(out, style->colour ? " |\033[m " : " | ");
	if (!x->mark)
		return;
	buf_puts(out, style->colour ? "\033[1m[" : "[");
	buf_puts(out, x->mark);
	if (strcmp(x->mark, "late") == 0 || strcmp(x->mark, "behind") == 0)
		buf_printf(out, " %.3fs", (double)x->moved_ns / 1e9);
	buf_puts(out, style->colour ? "]\033[m " : "] ");
}

static void
explain(struct buf *out, const struct render_style *style, const struct shown *x)
{
	buf_puts(out, "# ");
	render_name(out, x->source->name, style->escape);
	buf_puts(out, ": ");
	render_name(out, x->why ? x->why : x->record->inherited ? "no time" : "time", style->escape);
	if (x->moved_ns >= 1000)
		buf_printf(out, ", moved %.3f ms", (double)x->moved_ns / 1e6);
	buf_printf(out, "%s%s\n", x->mark ? ", " : "", x->mark ? x->mark : "");
}

static void
as_text(struct buf *out, const struct render_style *style, const struct shown *x, const char *p, size_t n)
{
	if (style->explain)
		explain(out, style, x);
	if (style->prefix)
		prefix(out, style, x);
	if (style->escape)
		escape(out, p, n);
	else
		buf_add(out, p, n);
}

void
render_record(struct render *r, struct source *s, const struct shown *x)
{
	const struct render_style *style = r->style;
	const char *p = x->record->p;
	size_t n = x->record->n;
	struct buf *out = &r->line;

	if (!style || !(style->json || style->prefix || style->escape || style->explain || r->ring || style->artist)) {
		render_bytes(r, p, n, false);
		while (x->record->more && source_rest(s, &p, &n))
			render_bytes(r, p, n, true);
	} else {
		_cleanup_buf_ struct buf whole = BUF_INIT;

		if (x->record->more) {
			buf_add(&whole, p, n);
			while (source_rest(s, &p, &n))
				buf_add(&whole, p, n);
			p = whole.s;
			n = whole.len;
		}
		if (r->ring)
			out = &r->ring[r->shown++ % style->last];
		buf_reset(out);
		if (style->artist)
			style->artist->record(style->artist, x, p, n, out);
		else if (style->json)
			as_json(out, style, x, p, n);
		else
			as_text(out, style, x, p, n);
		if (!r->ring)
			render_bytes(r, out->s, out->len, false);
	}
	if (r->line_buffered && !r->ring) {
		write_out(r, r->buf, r->len);
		r->len = 0;
	}
}
