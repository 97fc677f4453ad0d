#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "learn/pattern.h"
#include "learn/template.h"
#include "record/scan.h"

#define TEXT_NAMES	UINT64_C(0x74657874)	/* the path of names in text */

enum {
	DEPTH = 4,			/* objects within a record's */
	VALUES_FEW = 40,		/* of a member that is part of templates */
	MEMBERS_MAX = 1000,
	SHARE = 5,			/* which one record in so many has */
	VALUE_MIN = 2, VALUE_MAX = 512,	/* bytes of a value */
	TEXT_MAX = 512,			/* of a template */
};

struct template_member {
	uint64_t path;
	uint64_t values[VALUES_FEW];
	unsigned n;
	int64_t records;
	bool varies;			/* too many values, or such as are no words */
	bool in_text;
};

struct template_table {
	uint64_t *id;
	uint32_t *number;
	size_t cap, n;
};

struct templates {
	struct template_kind *kinds;
	size_t n_kinds, kinds_cap;
	uint32_t *kind_of;		/* of each slot */
	size_t n_slots, slots_cap;
	struct template_table by_hash, slots;
	struct template_member *members;
	size_t n_members, members_cap;
	int64_t sampled, left_out;
};

/* What is gathered of one record. */
struct record_values {
	struct templates *t;
	uint64_t hash;			/* of the template so far */
	struct template_value *v;
	struct span text[TEMPLATE_VALUES];
	uint64_t place[TEMPLATE_VALUES];	/* of each value within the kind */
	unsigned n;
};

uint64_t
template_hash(uint64_t seed, const char *p, size_t n)
{
	uint64_t h = seed ^ UINT64_C(0x9e3779b97f4a7c15) ^ n;

	for (; n >= 8; p += 8, n -= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	for (; n; p++, n--)
		h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 29;
	return h ? h : 1;
}

/* --- tables of numbers by hash */

static uint32_t *
table_find(struct template_table *t, uint64_t id)
{
	size_t i;

	if ((t->n + 1) * 2 > t->cap) {
		struct template_table old = *t;

		t->cap = old.cap ? old.cap * 2 : 1024;
		t->id = xcalloc(t->cap, sizeof *t->id);
		t->number = xcalloc(t->cap, sizeof *t->number);
		for (size_t k = 0; k < old.cap; k++)
			if (old.id[k]) {
				for (i = old.id[k] & (t->cap - 1); t->id[i]; i = (i + 1) & (t->cap - 1))
					;
				t->id[i] = old.id[k];
				t->number[i] = old.number[k];
			}
		free(old.id);
		free(old.number);
	}
	for (i = id & (t->cap - 1); t->id[i] && t->id[i] != id; i = (i + 1) & (t->cap - 1))
		;
	if (!t->id[i]) {
		t->id[i] = id;
		t->number[i] = UINT32_MAX;
		t->n++;
	}
	return &t->number[i];
}

struct templates *
templates_new(void)
{
	return xcalloc(1, sizeof(struct templates));
}

void
templates_free(struct templates *t)
{
	for (size_t i = 0; i < t->n_kinds; i++) {
		for (size_t k = 0; k < t->kinds[i].n; k++) {
			free(t->kinds[i].v[k].text);
			free(t->kinds[i].v[k].text2);
		}
		free(t->kinds[i].v);
	}
	free(t->kinds);
	free(t->kind_of);
	free(t->by_hash.id);
	free(t->by_hash.number);
	free(t->slots.id);
	free(t->slots.number);
	free(t->members);
	free(t);
}

/* --- members of objects, and names before "=" in text */

static uint64_t
path_of(uint64_t outer, struct span key)
{
	return template_hash(outer + 2, key.p, key.n);
}

static struct template_member *
member_find(const struct templates *t, uint64_t path)
{
	for (size_t i = 0; i < t->n_members; i++)
		if (t->members[i].path == path)
			return &t->members[i];
	return NULL;
}

/* --- words of text */

static bool
is_word_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == ':' ||
	    c == '@' || c == '-' || c >= 0x80;
}

static bool
is_end_byte(char c)
{
	return c == '.' || c == ':' || c == '@' || c == '-';
}

static bool
has_digit(const char *p, const char *end)
{
	for (; p < end; p++)
		if (*p >= '0' && *p <= '9')
			return true;
	return false;
}

/* What stands before the "=" at END of a text that begins at P; empty for no name. */
static struct span
name_before(const char *p, const char *end)
{
	const char *q = end;

	while (q > p && is_word_byte((unsigned char)q[-1]))
		q--;
	return (struct span){ q, (size_t)(end - q) };
}

/* Is the word at FROM, of the text that begins at TEXT, a value without a digit, as in "user=ann"? */
static bool
is_named_value(const struct templates *t, const char *text, const char *from)
{
	const struct template_member *m;
	struct span name;

	if (from == text || from[-1] != '=')
		return false;
	name = name_before(text, from - 1);
	m = name.n ? member_find(t, path_of(TEXT_NAMES, name)) : NULL;
	return m && m->varies;
}

/* The next value in the text TEXT from *P to END, or false; *P is then behind it. */
static bool
next_value(const struct templates *t, const char *text, const char **p, const char *end, struct span *out)
{
	const char *q = *p;

	while (q < end) {
		const char *from, *to, *colon;

		while (q < end && !is_word_byte((unsigned char)*q))
			q++;
		for (from = q; q < end && is_word_byte((unsigned char)*q); q++)
			;
		to = q;
		while (from < to && is_end_byte(*from))
			from++;
		while (to > from && is_end_byte(to[-1]))
			to--;
		if (from == to || (!has_digit(from, to) && !is_named_value(t, text, from)))
			continue;
		/* "id:17" is a name and a value, "12:30" is not. */
		colon = memchr(from, ':', (size_t)(to - from));
		if (colon && !has_digit(from, colon) && has_digit(colon, to))
			from = colon + 1;
		*out = (struct span){ from, (size_t)(to - from) };
		*p = q;
		return true;
	}
	return false;
}

/* --- one record */

static void
mix_into_hash(struct record_values *r, const char *p, size_t n)
{
	r->hash = template_hash(r->hash, p, n);
}

/* A value that may tie records, at PLACE of the template. */
static void
note_value(struct record_values *r, struct span value, uint64_t place)
{
	bool number = true;
	uint32_t low = 0;

	if (value.n < VALUE_MIN || value.n > VALUE_MAX || r->n == TEMPLATE_VALUES)
		return;
	for (size_t i = 0; i < value.n && number; i++) {
		const bool digit = value.p[i] >= '0' && value.p[i] <= '9';

		number = digit || memchr("-:.TZ+/ ", value.p[i], 8);
		low = digit ? low * 10 + (uint32_t)(value.p[i] - '0') : low;
	}
	r->text[r->n] = value;
	r->place[r->n] = place;
	r->v[r->n++] = (struct template_value){ 0, template_hash(1, value.p, value.n), number, low };
}

static void
read_text(struct record_values *r, struct span text, uint64_t place)
{
	const char *p = text.p, *end = text.p + (text.n < TEXT_MAX ? text.n : TEXT_MAX), *from = p;
	struct span value;

	for (unsigned i = 0; next_value(r->t, text.p, &p, end, &value); i++) {
		mix_into_hash(r, from, (size_t)(value.p - from));
		from = value.p + value.n;
		note_value(r, value, template_hash(place + 1, (const char *)&i, sizeof i));
	}
	mix_into_hash(r, from, (size_t)(end - from));
}

/* Is V letters and underscores, so that it may be the name of something? */
static bool
is_name(struct span v)
{
	if (v.n < 2 || v.n > 64)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (!((v.p[i] | 32) >= 'a' && (v.p[i] | 32) <= 'z') && v.p[i] != '_' && v.p[i] != '-' && v.p[i] != '.' && v.p[i] != '/')
			return false;
	return true;
}

static bool
is_sentence(struct span v)
{
	return v.n > 2 && memchr(v.p, ' ', v.n) != NULL;
}

static bool
is_time_member(const struct format *fmt, struct span key, int depth)
{
	return depth == 0 && (format_has_key(fmt, FIELD_TIME, key) || format_has_key(fmt, FIELD_LEVEL, key));
}

static bool
is_type(const struct templates *t, uint64_t path, struct span value)
{
	const struct template_member *m = is_name(value) ? member_find(t, path) : NULL;

	return m && !m->varies;
}

static void
read_members(struct record_values *r, const struct format *fmt, struct span text, uint64_t outer, int depth)
{
	struct scan s = { text.p, text.p + text.n };
	struct span key, value;

	while (scan_json(&s, &key, &value)) {
		const uint64_t path = path_of(outer, key);

		if (value.n == 0 || is_time_member(fmt, key, depth))
			continue;
		if (*value.p == '{' || *value.p == '[') {
			note_value(r, value, path);
			if (*value.p == '{' && depth < DEPTH)
				read_members(r, fmt, value, path, depth + 1);
		} else if (is_type(r->t, path, value)) {
			mix_into_hash(r, (const char *)&path, sizeof path);
			mix_into_hash(r, value.p, value.n);
		} else if (is_sentence(value)) {
			mix_into_hash(r, (const char *)&path, sizeof path);
			read_text(r, value, path);
		} else {
			note_value(r, value, path);
		}
	}
}

static void
sample_value(struct templates *t, uint64_t path, struct span value, bool in_text)
{
	const uint64_t hash = template_hash(1, value.p, value.n);
	struct template_member *m = member_find(t, path);
	unsigned i = 0;

	if (!m && t->n_members < MEMBERS_MAX) {
		t->members = xgrow(t->members, t->n_members, &t->members_cap, sizeof *t->members);
		m = &t->members[t->n_members++];
		*m = (struct template_member){ .path = path, .in_text = in_text };
	}
	if (!m)
		return;
	m->records++;
	while (i < m->n && m->values[i] != hash)
		i++;
	if (i == m->n && (m->n == VALUES_FEW || !is_name(value)))
		m->varies = true;
	else if (i == m->n)
		m->values[m->n++] = hash;
}

static void
sample_members(struct templates *t, const struct format *fmt, struct span text, uint64_t outer, int depth)
{
	struct scan s = { text.p, text.p + text.n };
	struct span key, value;

	while (scan_json(&s, &key, &value)) {
		const uint64_t path = path_of(outer, key);

		if (value.n == 0 || is_time_member(fmt, key, depth))
			continue;
		if (*value.p == '{') {
			if (depth < DEPTH)
				sample_members(t, fmt, value, path, depth + 1);
			continue;
		}
		sample_value(t, path, value, false);
	}
}

/* The values behind "NAME=" that have no digit. */
static void
sample_text(struct templates *t, struct span text)
{
	const char *end = text.p + (text.n < TEXT_MAX ? text.n : TEXT_MAX), *p = text.p, *q;

	while ((p = memchr(p, '=', (size_t)(end - p)))) {
		const struct span name = name_before(text.p, p);

		for (q = ++p; q < end && is_word_byte((unsigned char)*q); q++)
			;
		if (name.n && q > p && !has_digit(p, q))
			sample_value(t, path_of(TEXT_NAMES, name), (struct span){ p, (size_t)(q - p) }, true);
	}
}

void
templates_sample(struct templates *t, const struct format *fmt, struct span text)
{
	if (fmt->where != WHERE_JSON) {
		sample_text(t, text);
		return;
	}
	t->sampled++;
	sample_members(t, fmt, text, 0, 0);
}

void
templates_settle(struct templates *t)
{
	for (size_t i = 0; i < t->n_members; i++)
		t->members[i].varies |= !t->members[i].in_text && (t->members[i].n < 2 || t->members[i].records * SHARE < t->sampled);
}

/* --- a new kind: its pieces, for the rules that are made of it */

static struct template_piece *
piece_add(struct template_kind *k)
{
	k->v = xgrow(k->v, k->n, &k->cap, sizeof *k->v);
	k->v[k->n] = (struct template_piece){ .slot = UINT32_MAX };
	return &k->v[k->n++];
}

/* The slot of the value at P of the record; UINT32_MAX for none. */
static uint32_t
slot_at(const struct record_values *r, const char *p)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->text[i].p == p)
			return r->v[i].slot;
	return UINT32_MAX;
}

static void
keep_text(const struct record_values *r, struct template_kind *k, struct span text)
{
	const char *p = text.p, *end = text.p + (text.n < TEXT_MAX ? text.n : TEXT_MAX), *from = p;
	struct span value;

	while (next_value(r->t, text.p, &p, end, &value)) {
		struct template_piece *x = piece_add(k);

		x->text = xstrndup(from, (size_t)(value.p - from));
		x = piece_add(k);
		x->what = PIECE_VALUE;
		x->slot = slot_at(r, value.p);
		from = value.p + value.n;
	}
	piece_add(k)->text = xstrndup(from, (size_t)(end - from));
}

static void
keep_members(const struct record_values *r, struct template_kind *k, const struct format *fmt, struct span text, uint64_t outer, int depth)
{
	struct scan s = { text.p, text.p + text.n };
	struct span key, value;

	while (scan_json(&s, &key, &value)) {
		const uint64_t path = path_of(outer, key);
		struct template_piece *x;

		if (value.n == 0 || is_time_member(fmt, key, depth))
			continue;
		if (*value.p != '{' && *value.p != '[' && !is_type(r->t, path, value) && is_sentence(value)) {
			x = piece_add(k);
			x->what = PIECE_OPEN;
			x->text = xstrndup(key.p, key.n);
			keep_text(r, k, value);
			piece_add(k)->what = PIECE_CLOSE;
			continue;
		}
		x = piece_add(k);
		x->what = is_type(r->t, path, value) ? PIECE_MEMBER : PIECE_SLOT;
		x->text = xstrndup(key.p, key.n);
		x->slot = slot_at(r, value.p);
		/* How a value begins says how it is written. */
		x->text2 = x->what == PIECE_MEMBER ? xstrndup(value.p, value.n) : xstrndup(value.p[-1] == '"' ? "\"" : value.p, 1);
		if (*value.p == '{' && depth < DEPTH)
			keep_members(r, k, fmt, value, path, depth + 1);
	}
}

static uint32_t
kind_new(const struct record_values *r, const struct format *fmt)
{
	struct templates *t = r->t;
	const uint32_t number = (uint32_t)t->n_kinds;
	struct template_kind *k;

	t->kinds = xgrow(t->kinds, t->n_kinds, &t->kinds_cap, sizeof *t->kinds);
	k = &t->kinds[t->n_kinds++];
	*k = (struct template_kind){ .json = fmt->where == WHERE_JSON, .before_min = SIZE_MAX };
	return number;
}

static uint32_t
slot_of(struct templates *t, uint32_t kind, uint64_t place)
{
	uint32_t *number = table_find(&t->slots, template_hash(kind, (const char *)&place, sizeof place));

	if (*number == UINT32_MAX && t->n_slots < TEMPLATE_SLOTS) {
		t->kind_of = xgrow(t->kind_of, t->n_slots, &t->slots_cap, sizeof *t->kind_of);
		t->kind_of[t->n_slots] = kind;
		*number = (uint32_t)t->n_slots++;
	}
	return *number;
}

/* The pieces of K gain those of slots that its first record did not have. */
static void
kind_keep(struct record_values *r, struct template_kind *k, const struct format *fmt, struct span text)
{
	for (size_t i = 0; i < k->n; i++) {
		free(k->v[i].text);
		free(k->v[i].text2);
	}
	k->n = 0;
	k->cut = text.n > TEXT_MAX;
	if (k->json)
		keep_members(r, k, fmt, text, 0, 0);
	else
		keep_text(r, k, text);
}

unsigned
templates_read(struct templates *t, const struct format *fmt, struct span text, size_t before, struct template_value *v)
{
	struct record_values r = { .t = t, .v = v };
	uint32_t *kind, number;
	struct template_kind *k;
	size_t slots = t->n_slots;
	unsigned n = 0;

	if (fmt->where == WHERE_JSON) {
		r.hash = 7;
		read_members(&r, fmt, text, 0, 0);
	} else {
		read_text(&r, text, 0);
	}
	kind = table_find(&t->by_hash, r.hash);
	if (*kind == UINT32_MAX && t->n_kinds == TEMPLATE_KINDS) {
		t->left_out++;
		return 0;
	}
	if (*kind == UINT32_MAX)
		*kind = kind_new(&r, fmt);
	number = *kind;
	for (unsigned i = 0; i < r.n; i++)
		v[i].slot = slot_of(t, number, r.place[i]);
	k = &t->kinds[number];
	if (k->n == 0 || t->n_slots > slots)
		kind_keep(&r, k, fmt, text);
	k->before_min = before < k->before_min ? before : k->before_min;
	k->before_max = before > k->before_max ? before : k->before_max;
	for (unsigned i = 0; i < r.n; i++)
		if (v[i].slot != UINT32_MAX)
			v[n++] = v[i];
	return n;
}

int64_t
templates_left_out(const struct templates *t)
{
	return t->left_out;
}

unsigned
templates_slots(const struct templates *t)
{
	return (unsigned)t->n_slots;
}

uint32_t
templates_kind_of(const struct templates *t, uint32_t slot)
{
	return t->kind_of[slot];
}

void
templates_pattern(const struct templates *t, uint32_t slot, struct buf *out)
{
	pattern_put(&t->kinds[t->kind_of[slot]], slot, out);
}

void
templates_describe(const struct templates *t, uint32_t slot, struct buf *out)
{
	pattern_describe(&t->kinds[t->kind_of[slot]], slot, out);
}
