#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "output/escape.h"
#include "output/html.h"
#include "output/label.h"
#include "output/page.h"
#include "output/stylesheet.h"

#define DOUBLE_EXACT	(INT64_C(1) << 53)	/* below, a double holds each integer */

_Static_assert((int)HTML_RECORDS <= (int)MODEL_REMEMBERED, "arrows lead to any record of the page");

enum { SHOWN_BYTES = 4096 };	/* of a text that is not UTF-8 */

/* A record, but for DT. */
struct html_record {
	int64_t t;
	char *json;
	size_t n;
};

/* What an arrow's KIND is the number of. */
struct html_kind {
	const char *rule;
	uint8_t class;
	bool learned, back;
};

struct html {
	const struct model *model;
	size_t limit;
	bool bounded;		/* the limit is ours, not the user's */
	struct html_record *v;	/* a ring of CAP, the oldest at FIRST */
	size_t cap, first, n, bytes;
	uint64_t lost;
	struct html_kind *kinds;
	size_t n_kinds;
};

struct html *
html_new(const struct html_style *style, const struct model *m)
{
	struct html *h = xcalloc(1, sizeof *h);

	h->model = m;
	h->bounded = style->last == 0 || style->last > HTML_RECORDS;
	h->limit = h->bounded ? HTML_RECORDS : style->last;
	return h;
}

void
html_free(struct html *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n; i++)
		free(h->v[(h->first + i) % h->cap].json);
	free(h->v);
	free(h->kinds);
	free(h);
}

/* N bytes of UTF-8 as a JSON string that may stand in an HTML script element. */
static void
put_string(struct buf *out, const char *p, size_t n)
{
	buf_putc(out, '"');
	while (n) {
		const char *lt = memchr(p, '<', n);
		size_t len = lt ? (size_t)(lt - p) : n, written;

		buf_reserve(out, ESCAPE_ROOM(len));
		escape_json(out->s + out->len, p, len, &written);
		out->len += written;
		out->s[out->len] = '\0';
		if (lt)
			buf_puts(out, "\\u003c");
		len += lt != NULL;
		p += len;
		n -= len;
	}
	buf_putc(out, '"');
}

/* A name, of which bytes that are not UTF-8 are shown as such. */
static void
put_name(struct buf *out, const char *name)
{
	_cleanup_buf_ struct buf shown = BUF_INIT;
	const size_t n = name ? strlen(name) : 0;

	if (!name) {
		buf_puts(out, "null");
	} else if (utf8_check(name, n) == n) {
		put_string(out, name, n);
	} else {
		label_add(&shown, name, n, 0, "");
		put_string(out, shown.s, shown.len);
	}
}

static void
put_base64(struct buf *out, const char *p, size_t n)
{
	buf_putc(out, '"');
	buf_reserve(out, ESCAPE_BASE64_ROOM(n));
	out->len += escape_base64(out->s + out->len, p, n);
	out->s[out->len] = '\0';
	buf_putc(out, '"');
}

/* HEAD, TEXT and TAIL of E; returns the flags that tell what they are. */
static unsigned
put_bytes(struct buf *out, const struct event *e)
{
	const bool cut = e->raw.n > HTML_RAW;
	size_t n = cut ? HTML_RAW - escape_torn(e->raw.p, HTML_RAW) : e->raw.n;
	const char *end = e->raw.p + n;
	const bool within = e->text.p >= e->raw.p && e->text.p <= end && e->text.p + e->text.n <= e->raw.p + e->raw.n;
	size_t text = within ? (size_t)(end - e->text.p) : HTML_RAW;
	unsigned flags = cut ? HTML_CUT : 0;

	if (e->text.n <= text)
		text = e->text.n;
	else if (!within)
		text -= escape_torn(e->text.p, text);
	if (utf8_check(e->raw.p, n) < n || utf8_check(e->text.p, text) < text) {
		_cleanup_buf_ struct buf shown = BUF_INIT;

		label_add(&shown, e->text.p, text < SHOWN_BYTES ? text : SHOWN_BYTES, 0, "");
		put_base64(out, e->raw.p, n);
		buf_putc(out, ',');
		put_string(out, shown.s, shown.len);
		buf_puts(out, ",\"\"");
		return flags | HTML_BASE64;
	}
	put_string(out, e->raw.p, within ? (size_t)(e->text.p - e->raw.p) : n);
	buf_putc(out, ',');
	put_string(out, e->text.p, text);
	buf_putc(out, ',');
	put_string(out, e->text.p + text, within ? (size_t)(end - e->text.p) - text : 0);
	return flags | (within ? 0 : HTML_APART);
}

static size_t
kind_of(struct html *h, const struct arrow *a)
{
	const struct html_kind kind = { a->rule, a->class, a->learned, a->back };

	for (size_t i = 0; i < h->n_kinds; i++) {
		const struct html_kind *k = &h->kinds[i];

		if (k->rule == kind.rule && k->class == kind.class && k->learned == kind.learned && k->back == kind.back)
			return i;
	}
	h->kinds = xrealloc(h->kinds, h->n_kinds + 1, sizeof *h->kinds);
	h->kinds[h->n_kinds] = kind;
	return h->n_kinds++;
}

static void
put_arrows(struct html *h, const struct event *e, struct buf *out)
{
	if (e->n_constraints == 0) {
		buf_puts(out, ",0");
		return;
	}
	for (size_t i = 0; i < e->n_constraints; i++) {
		const struct arrow *a = &e->arrows[i];

		buf_printf(out, "%s%" PRIu64 ",%zu,", i ? "," : ",[", e->serial - a->from, kind_of(h, a));
		if (a->id.p && utf8_check(a->id.p, a->id.n) == a->id.n)
			put_string(out, a->id.p, a->id.n);
		else
			buf_puts(out, "null");
	}
	buf_putc(out, ']');
}

static void
put_integer(struct buf *out, int64_t n)
{
	const bool exact = n > -DOUBLE_EXACT && n < DOUBLE_EXACT;

	buf_printf(out, exact ? "%" PRId64 : "\"%" PRId64 "\"", n);
}

static void
put_record(struct html *h, const struct event *e, struct buf *out)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT;
	unsigned flags = put_bytes(&bytes, e) | (e->inherited ? HTML_INHERITED : 0) | (e->stop ? HTML_STOP : 0);
	bool marked = e->mark || e->moved_ns;

	buf_printf(out, ",%u,%u,%d,", e->emitter, flags, e->level);
	buf_add(out, bytes.s, bytes.len);
	buf_printf(out, ",%" PRId64, e->line);
	if (e->n_constraints || marked)
		put_arrows(h, e, out);
	if (marked) {
		buf_putc(out, ',');
		put_name(out, e->mark);
		buf_putc(out, ',');
		put_integer(out, e->moved_ns);
	}
	buf_putc(out, ']');
}

static void
drop_oldest(struct html *h)
{
	struct html_record *r = &h->v[h->first];

	h->bytes -= r->n;
	free(r->json);
	h->first = (h->first + 1) % h->cap;
	h->n--;
	h->lost++;
}

/* Room for one more; the ring begins at 0 while it grows. */
static void
make_room(struct html *h)
{
	if (h->n < h->cap)
		return;
	if (h->cap == h->limit) {
		drop_oldest(h);
		return;
	}
	if (h->first) {
		struct html_record *v = xcalloc(h->cap, sizeof *v);

		for (size_t i = 0; i < h->n; i++)
			v[i] = h->v[(h->first + i) % h->cap];
		free(h->v);
		h->v = v;
		h->first = 0;
	}
	h->cap = h->cap ? h->cap * 2 : 1024;
	if (h->cap > h->limit)
		h->cap = h->limit;
	h->v = xrealloc(h->v, h->cap, sizeof *h->v);
}

void
html_event(struct html *h, const struct event *e)
{
	struct buf json = BUF_INIT;
	struct html_record *r;

	put_record(h, e, &json);
	make_room(h);
	r = &h->v[(h->first + h->n++) % h->cap];
	r->t = e->t;
	r->n = json.len;
	r->json = buf_steal(&json);
	h->bytes += r->n;
	/* Of a size that the user did not ask for, too: an earlier record is of less use than a page that opens. */
	while (h->bytes > HTML_BYTES && h->n > 1) {
		h->bounded = true;
		drop_oldest(h);
	}
}

static void
put_records(const struct html *h, struct buf *out)
{
	int64_t last = h->n ? h->v[h->first].t : 0;

	buf_printf(out, "\"t0\":\"%" PRId64 "\",\"records\":[", last);
	for (size_t i = 0; i < h->n; i++) {
		const struct html_record *r = &h->v[(h->first + i) % h->cap];

		buf_puts(out, i ? ",\n[" : "\n[");
		put_integer(out, (int64_t)((uint64_t)r->t - (uint64_t)last));
		buf_add(out, r->json, r->n);
		last = r->t;
	}
	buf_puts(out, "\n],\n");
}

static void
put_tables(const struct html *h, struct buf *out)
{
	const struct model *m = h->model;

	buf_puts(out, "\"levels\":[");
	for (int i = 0; format_level_name(i); i++) {
		buf_puts(out, i ? "," : "");
		put_name(out, format_level_name(i));
	}
	buf_puts(out, "],\n\"emitters\":[");
	for (unsigned i = 0; i < m->n_emitters; i++) {
		const struct emitter *e = &m->emitters[i];

		buf_puts(out, i ? ",[" : "[");
		put_name(out, e->name);
		buf_putc(out, ',');
		put_name(out, e->source);
		buf_printf(out, ",%d]", e->unordered);
	}
	buf_puts(out, "],\n\"kinds\":[");
	for (size_t i = 0; i < h->n_kinds; i++) {
		const struct html_kind *k = &h->kinds[i];

		buf_puts(out, i ? ",[" : "[");
		put_name(out, model_class_name(k->class));
		buf_putc(out, ',');
		put_name(out, k->rule);
		buf_printf(out, ",%d,%d]", k->learned, k->back);
	}
	buf_putc(out, ']');
}

uint64_t
html_format(const struct html *h, struct buf *out)
{
	uint64_t lost = h->bounded ? h->lost : 0;

	buf_add(out, page_head, page_head_len);
	buf_puts(out, "<style>\n");
	stylesheet_add_colours(out);
	buf_puts(out, "</style>\n<script type=\"application/json\" id=\"data\">{");
	buf_printf(out, "\"tool\":\"rejoin-log %s\",\"lost\":%" PRIu64 ",", VERSION, lost);
	put_records(h, out);
	put_tables(h, out);
	buf_puts(out, "}</script>\n");
	buf_add(out, page_body, page_body_len);
	return lost;
}
