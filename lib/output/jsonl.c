#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "output/escape.h"
#include "output/jsonl.h"
#include "record/linker.h"
#include "output/render.h"

enum { CHUNK = 16 << 10 };	/* bytes escaped at once: with ESCAPE_ROOM they fit in the buffer */

/* A literal, whose length the compiler knows. */
#define PUT(w, literal)	writer_put((w), (literal), sizeof (literal) - 1)

/* N bytes of UTF-8 and perhaps others; returns those before the first that is none. */
static size_t
put_escaped(struct writer *w, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t chunk = n - i < CHUNK ? n - i : CHUNK, used, len;

		if (chunk < n - i)
			chunk -= escape_torn(p + i, chunk);
		used = escape_json(writer_reserve(w, ESCAPE_ROOM(chunk)), p + i, chunk, &len);
		w->len += len;
		i += used;
		if (used < chunk)
			break;
	}
	return i;
}

/* A string, in which U+FFFD stands for each byte that is not UTF-8. */
static void
put_string(struct writer *w, const char *p, size_t n)
{
	PUT(w, "\"");
	while (n) {
		size_t used = put_escaped(w, p, n);

		if (used < n) {
			PUT(w, "\xef\xbf\xbd");
			used++;
		}
		p += used;
		n -= used;
	}
	PUT(w, "\"");
}

static void
put_base64(struct writer *w, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i += CHUNK / 3 * 3) {
		size_t chunk = n - i < CHUNK / 3 * 3 ? n - i : CHUNK / 3 * 3;

		w->len += escape_base64(writer_reserve(w, ESCAPE_BASE64_ROOM(chunk)), p + i, chunk);
	}
}

static inline char *
append(char *to, const char *p, size_t n)
{
	memcpy(to, p, n);
	return to + n;
}

/* N as DIGITS decimal digits. */
static inline char *
put_digits(char *to, uint64_t n, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; n /= 10)
		to[i] = (char)('0' + n % 10);
	return to + digits;
}

/* Microseconds, or nanoseconds where the record's own time has them; at most 64 bytes. */
static char *
put_time(struct jsonl *j, char *to, int64_t t, int64_t res)
{
	int64_t s = t / 1000000000 - (t % 1000000000 < 0);
	uint32_t ns = (uint32_t)(t - s * 1000000000);

	if (s != j->second || !*j->text) {
		j->second = s;
		clock_format((struct timespec){ s, 0 }, j->text);
		j->n_text = (size_t)(strchr(j->text, '.') + 1 - j->text);
	}
	to = append(to, "\"time\":\"", 8);
	memcpy(to, j->text, sizeof j->text);
	to += j->n_text;
	to = res < 1000 && ns % 1000 ? put_digits(to, ns, 9) : put_digits(to, ns / 1000, 6);
	return append(to, "Z\",", 3);
}

/* The member "source", with its comma. */
static struct span
source_member(struct jsonl *j, const struct source *s)
{
	if (s->rank >= j->n_names) {
		j->names = xrealloc(j->names, s->rank + 1, sizeof *j->names);
		for (; j->n_names <= s->rank; j->n_names++)
			j->names[j->n_names].p = NULL;
	}
	if (!j->names[s->rank].p) {
		struct writer name;

		writer_init(&name, -1, 64);
		PUT(&name, "\"source\":");
		put_string(&name, s->name, strlen(s->name));
		PUT(&name, ",");
		j->names[s->rank] = (struct span){ name.buf, name.len };
	}
	return j->names[s->rank];
}

void
jsonl_release(struct jsonl *j)
{
	for (unsigned i = 0; i < j->n_names; i++)
		free((void *)(uintptr_t)j->names[i].p);
	free(j->names);
	*j = (struct jsonl){ .n_names = 0 };
}

static void
put_moved(struct writer *w, int64_t moved)
{
	uint64_t ns = moved < 0 ? 0 - (uint64_t)moved : (uint64_t)moved, ms = ns / 1000000;
	char *to = writer_reserve(w, 64), *from = to;
	unsigned digits = 1;

	if (moved < 0)
		*to++ = '-';
	for (uint64_t n = ms; n >= 10; n /= 10)
		digits++;
	to = put_digits(to, ms, digits);
	ns %= 1000000;
	if (ns) {
		*to++ = '.';
		to = put_digits(to, ns, 6);
		while (to[-1] == '0')
			to--;
	}
	w->len += (size_t)(to - from);
}

/* A part of a record that is JSON itself and escapes something: what it means. */
static bool
put_meaning(struct writer *w, struct span v)
{
	_cleanup_json_ struct json meant = JSON_ABSENT;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	if (!memchr(v.p, '\\', v.n) || json_parse(NULL, v.p - 1, v.n + 2, &meant, &f) < 0)
		return false;
	json_format(meant, &b);
	writer_put(w, b.s, b.len);
	return true;
}

/* The member KEY, which has its quotes and its colon; a null in a record of JSON is none. */
static void
put_part(struct writer *w, const char *key, struct span v, bool json)
{
	bool quoted = json && v.p && v.p[-1] == '"';

	if (!v.p || (json && !quoted && v.n == 4 && memcmp(v.p, "null", 4) == 0))
		return;
	writer_puts(w, key);
	if (!quoted || !put_meaning(w, v))
		put_string(w, v.p, v.n);
	PUT(w, ",");
}

/* A level that is understood has one name, whatever the record calls it: TEXT. */
static void
put_level(struct writer *w, int level, struct span text, bool json)
{
	const char *name = level >= 0 ? format_level_name(level) : NULL;

	if (name)
		put_part(w, "\"level\":", (struct span){ name, strlen(name) }, false);
	else
		put_part(w, "\"level\":", text, json);
}

static void
put_parts(struct writer *w, const struct shown *x, const char *p, size_t n)
{
	const struct event_meta *meta = x->record->meta;
	const bool json = x->source->fmt->where == WHERE_JSON;
	struct span text = { p, n }, emitter;
	struct fields fields;

	if (!meta && !x->source->emitter && !format_is_shown(x->source->fmt))
		return;
	if (x->fields)
		fields = *x->fields;
	else if (!format_is_shown(x->source->fmt) || !source_fields(x->source, p, n, &fields))
		fields = (struct fields){ .v[0].p = NULL };
	while (text.n && (p[text.n - 1] == '\n' || p[text.n - 1] == '\r'))
		text.n--;
	emitter = source_emitter(x->source, fields.v[FIELD_EMITTER], text);
	put_part(w, "\"emitter\":", emitter, json && emitter.p == fields.v[FIELD_EMITTER].p);
	put_level(w, meta && meta->level >= 0 && meta->level < 8 ? meta->level : format_level(fields.v[FIELD_LEVEL]),
	    fields.v[FIELD_LEVEL], json);
	if (meta && meta->incarnation)
		put_part(w, "\"incarnation\":", (struct span){ meta->incarnation, strlen(meta->incarnation) }, false);
}

/* The text of a record that is here as a whole. */
static void
put_text(struct writer *w, const char *p, size_t n)
{
	size_t at;

	if (n && p[n - 1] == '\n')
		n--;
	if (n <= CHUNK) {
		writer_reserve(w, ESCAPE_ROOM(n) + 64);
		at = w->len;
		PUT(w, "\"text\":\"");
		if (put_escaped(w, p, n) == n)
			return;
		w->len = at;
	} else if (utf8_check(p, n) == n) {
		PUT(w, "\"text\":\"");
		put_escaped(w, p, n);
		return;
	}
	PUT(w, "\"text_b64\":\"");
	put_base64(w, p, n);
}

/* The text of a record of parts, and the lines that it was; of one line, the line. */
static void
put_parts_text(struct writer *w, const struct source *s, const struct record *r)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (!linker_join_text(s, r->p, r->n, &text)) {
		put_text(w, r->p, r->n);
		return;
	}
	PUT(w, "\"raw\":");
	put_string(w, r->p, r->n - (r->n && r->p[r->n - 1] == '\n'));
	PUT(w, ",");
	put_text(w, text.s, text.len);
}

/* The text of a record that comes in pieces. */
struct long_text {
	struct buf held;	/* the piece that is to be written */
	bool base64;
	bool begun;
};

/* Write what is HELD, but for the end of it that only the next piece decides; END: there is none. */
static void
put_held(struct long_text *t, struct writer *w, bool end)
{
	const char *p = t->held.s;
	size_t n = t->held.len, whole = n, used = 0;

	if (!end)
		whole -= n && p[n - 1] == '\n' ? 1 : escape_torn(p, n);
	else if (n && p[n - 1] == '\n')
		whole--;
	if (!t->begun) {
		t->base64 = utf8_check(p, whole) < whole;
		writer_puts(w, t->base64 ? "\"text_b64\":\"" : "\"text\":\"");
		t->begun = true;
	}
	if (!t->base64) {
		used = put_escaped(w, p, whole);
		t->base64 = used < whole;
		if (t->base64)
			PUT(w, "\",\"text_b64\":\"");
	}
	if (t->base64) {
		/* A newline stays behind, because it may be the last byte; and so does what is no group of 3. */
		whole -= end ? 0 : (whole - used) % 3;
		put_base64(w, p + used, whole - used);
		used = whole;
	}
	memmove(t->held.s, p + used, n - used);
	t->held.len = n - used;
}

static void
put_pieces(struct writer *w, struct source *s, const char *p, size_t n)
{
	struct long_text t = { .held = BUF_INIT };

	buf_add(&t.held, p, n);
	while (source_rest(s, &p, &n)) {
		put_held(&t, w, false);
		buf_add(&t.held, p, n);
	}
	put_held(&t, w, true);
	buf_release(&t.held);
}

void
jsonl_record(struct jsonl *j, struct writer *w, struct source *s, const struct shown *x)
{
	const struct record *r = x->record;
	struct span name = source_member(j, s);
	char *to = writer_reserve(w, name.n + 128), *from = to;

	*to++ = '{';
	if (!r->inherited)
		to = put_time(j, to, r->t, r->res);
	to = append(to, name.p, name.n);
	w->len += (size_t)(to - from);
	put_parts(w, x, r->p, r->n);
	if (r->more)
		put_pieces(w, s, r->p, r->n);
	else if (s->fmt->stream)
		put_parts_text(w, s, r);
	else
		put_text(w, r->p, r->n);
	if (!x->why && !x->mark && x->moved_ns == 0) {
		PUT(w, "\",\"edges\":[],\"mark\":null,\"moved_ms\":0}\n");
		return;
	}
	PUT(w, "\",\"edges\":[");
	for (const char *p = x->why, *nl; p; p = nl ? nl + 1 : NULL) {
		nl = strchr(p, '\n');
		if (p != x->why)
			PUT(w, ",");
		put_string(w, p, nl ? (size_t)(nl - p) : strlen(p));
	}
	PUT(w, "],\"mark\":");
	if (x->mark)
		put_string(w, x->mark, strlen(x->mark));
	else
		PUT(w, "null");
	PUT(w, ",\"moved_ms\":");
	put_moved(w, x->moved_ns);
	PUT(w, "}\n");
}
