#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/jsontext.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { INDEX_MIN = 16 };	/* members from which on an object has a table of its names */

/* Bytes that are shared: a string, a name, a long number. */
struct json_text {
	size_t refs, len;
	char s[];			/* a NUL after them */
};

struct json_array {
	size_t refs, n, cap;
	struct json *v;
};

struct member {
	struct json_text *key;
	struct json value;
};

struct json_object {
	size_t refs, n, cap;
	struct member *v;
	uint32_t *slots;		/* by the hash of the name: the member plus 1, 0 for none */
	size_t n_slots;			/* a power of two; 0 while there is no table */
};

static struct json_text *
text_new(size_t len)
{
	struct json_text *t = xrealloc(NULL, sizeof *t + len + 1, 1);

	t->refs = 1;
	t->len = len;
	t->s[len] = '\0';
	return t;
}

static struct json_text *
text_of(const char *s, size_t len)
{
	struct json_text *t = text_new(len);

	memcpy(t->s, s, len);
	return t;
}

static void
text_release(struct json_text *t)
{
	if (--t->refs == 0)
		free(t);
}

static void
array_release(struct json_array *a)
{
	if (--a->refs > 0)
		return;
	for (size_t i = 0; i < a->n; i++)
		json_release(&a->v[i]);
	free(a->v);
	free(a);
}

static void
object_release(struct json_object *o)
{
	if (--o->refs > 0)
		return;
	for (size_t i = 0; i < o->n; i++) {
		text_release(o->v[i].key);
		json_release(&o->v[i].value);
	}
	free(o->v);
	free(o->slots);
	free(o);
}

static bool
has_text(struct json v)
{
	return v.kind == JSON_STRING || (v.kind == JSON_NUMBER && v.len == 0);
}

void
json_release(struct json *v)
{
	if (has_text(*v))
		text_release(v->text);
	else if (v->kind == JSON_ARRAY)
		array_release(v->array);
	else if (v->kind == JSON_OBJECT)
		object_release(v->object);
	*v = JSON_ABSENT;
}

struct json
json_copy(struct json v)
{
	if (has_text(v))
		v.text->refs++;
	else if (v.kind == JSON_ARRAY)
		v.array->refs++;
	else if (v.kind == JSON_OBJECT)
		v.object->refs++;
	return v;
}

enum json_kind
json_kind(struct json v)
{
	return (enum json_kind)v.kind;
}

bool
json_is_object(struct json v)
{
	return v.kind == JSON_OBJECT;
}

const char *
json_kind_name(struct json v)
{
	static const char *const names[] = {
		[JSON_NONE] = "nothing", [JSON_NULL] = "null", [JSON_FALSE] = "false",
		[JSON_TRUE] = "true", [JSON_NUMBER] = "a number", [JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
	};

	return names[v.kind];
}

struct json
json_null(void)
{
	return (struct json){ .kind = JSON_NULL };
}

struct json
json_bool(bool yes)
{
	return (struct json){ .kind = yes ? JSON_TRUE : JSON_FALSE };
}

struct json
json_number_text(const char *spelling, size_t len)
{
	struct json v = { .kind = JSON_NUMBER };

	if (len <= sizeof v.digits) {
		v.len = (uint32_t)len;
		memcpy(v.digits, spelling, len);
	} else {
		v.text = text_of(spelling, len);
	}
	return v;
}

struct json
json_number(double n)
{
	char text[32];
	int len = 0;

	if (!isfinite(n))
		return json_null();
	if (n == floor(n) && fabs(n) < 1e17)
		len = snprintf(text, sizeof text, "%.0f", n == 0 ? 0.0 : n);
	for (int digits = 15; len == 0 || (digits <= 17 && strtod(text, NULL) != n); digits++)
		len = snprintf(text, sizeof text, "%.*g", digits, n);
	return json_number_text(text, (size_t)len);
}

struct json
json_string(const char *s)
{
	return json_string_n(s, strlen(s));
}

struct json
json_string_n(const char *s, size_t len)
{
	struct json v = { .kind = JSON_STRING };
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t good = utf8_check(s, len);

	if (good == len) {
		v.text = text_of(s, len);
		return v;
	}
	for (; good < len; good = utf8_check(s, len)) {
		buf_add(&b, s, good);
		buf_puts(&b, "\xef\xbf\xbd");
		s += good + 1;
		len -= good + 1;
	}
	buf_add(&b, s, len);
	v.text = text_of(b.s, b.len);
	return v;
}

struct json
json_array(void)
{
	struct json v = { .kind = JSON_ARRAY, .array = xcalloc(1, sizeof *v.array) };

	v.array->refs = 1;
	return v;
}

struct json
json_object(void)
{
	struct json v = { .kind = JSON_OBJECT, .object = xcalloc(1, sizeof *v.object) };

	v.object->refs = 1;
	return v;
}

const char *
json_get_string(struct json v)
{
	return v.kind == JSON_STRING ? v.text->s : NULL;
}

size_t
json_string_len(struct json v)
{
	return v.kind == JSON_STRING ? v.text->len : 0;
}

void
json_get_spelling(struct json v, struct buf *out)
{
	if (v.kind == JSON_NUMBER)
		buf_add(out, v.len ? v.digits : v.text->s, v.len ? v.len : v.text->len);
}

double
json_get_number(struct json v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_get_spelling(v, &b);
	return strtod(b.s, NULL);
}

/* A number as its significant digits D and an exponent: 0.d1d2d3... * 10^E; no digits for 0. */
struct decimal {
	struct buf d;
	int64_t e;
	bool negative;
};

/* The exponent of a spelling, which may have any number of digits. */
static int64_t
read_exponent(const char *p)
{
	const int64_t most = INT64_MAX / 16;
	const bool negative = *p == '-';
	int64_t e = 0;

	for (p += *p == '-' || *p == '+'; *p; p++)
		e = e > most / 10 ? most : e * 10 + (*p - '0');
	return negative ? -e : e;
}

static struct decimal
decimal_of(struct json v)
{
	struct decimal x = { .d = BUF_INIT };
	_cleanup_buf_ struct buf text = BUF_INIT;
	bool behind_point = false;
	const char *p;

	json_get_spelling(v, &text);
	x.negative = *text.s == '-';
	for (p = text.s + x.negative; *p && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			behind_point = true;
			continue;
		}
		if (x.d.len || *p != '0')
			buf_putc(&x.d, *p);
		x.e += behind_point ? (x.d.len ? 0 : -1) : (x.d.len ? 1 : 0);
	}
	if (*p)
		x.e += read_exponent(p + 1);
	while (x.d.len && x.d.s[x.d.len - 1] == '0')
		x.d.s[--x.d.len] = '\0';
	if (x.d.len == 0) {
		x.e = 0;
		x.negative = false;
	}
	return x;
}

static bool
number_equal(struct json a, struct json b)
{
	struct decimal x = decimal_of(a), y = decimal_of(b);
	bool same = x.negative == y.negative && x.e == y.e && strcmp(x.d.s, y.d.s) == 0;

	buf_release(&x.d);
	buf_release(&y.d);
	return same;
}

bool
json_get_whole(struct json v, int64_t *out)
{
	const int64_t most = INT64_C(1) << 53;
	struct decimal x = decimal_of(v);
	bool whole = v.kind == JSON_NUMBER && x.e >= (int64_t)x.d.len && x.e <= 16;

	*out = 0;
	for (int64_t i = 0; whole && i < x.e; i++)
		*out = *out * 10 + (i < (int64_t)x.d.len ? x.d.s[i] - '0' : 0);
	if (!whole || *out > most) {
		whole = false;
		*out = 0;
	}
	if (x.negative)
		*out = -*out;
	buf_release(&x.d);
	return whole;
}

size_t
json_count(struct json v)
{
	return v.kind == JSON_ARRAY ? v.array->n : v.kind == JSON_OBJECT ? v.object->n : 0;
}

struct json
json_at(struct json array, size_t i)
{
	return i < json_count(array) && array.kind == JSON_ARRAY ? json_copy(array.array->v[i]) : JSON_ABSENT;
}

static size_t
key_hash(const char *key, size_t len)
{
	return (size_t)hash_bytes(0x6a736f6e, key, len);
}

/* A new table of the names of O, with room for twice as many. */
static void
object_index(struct json_object *o)
{
	free(o->slots);
	for (o->n_slots = 64; o->n_slots < 4 * o->n; )
		o->n_slots *= 2;
	o->slots = xcalloc(o->n_slots, sizeof *o->slots);
	for (size_t i = 0; i < o->n; i++) {
		size_t k = key_hash(o->v[i].key->s, o->v[i].key->len) & (o->n_slots - 1);

		while (o->slots[k])
			k = (k + 1) & (o->n_slots - 1);
		o->slots[k] = (uint32_t)i + 1;
	}
}

static bool
is_key(const struct json_text *t, const char *key, size_t len)
{
	return t->len == len && memcmp(t->s, key, len) == 0;
}

static struct member *
object_find(struct json_object *o, const char *key, size_t len)
{
	if (o->n < INDEX_MIN) {
		for (size_t i = 0; i < o->n; i++)
			if (is_key(o->v[i].key, key, len))
				return &o->v[i];
		return NULL;
	}
	if (o->n_slots < 2 * o->n)
		object_index(o);
	for (size_t k = key_hash(key, len) & (o->n_slots - 1); o->slots[k]; k = (k + 1) & (o->n_slots - 1))
		if (is_key(o->v[o->slots[k] - 1].key, key, len))
			return &o->v[o->slots[k] - 1];
	return NULL;
}

/* Take KEY and VALUE for a member that is not there yet. */
static void
object_add(struct json_object *o, struct json_text *key, struct json value)
{
	o->v = xgrow(o->v, o->n, &o->cap, sizeof *o->v);
	o->v[o->n++] = (struct member){ key, value };
	if (o->n_slots) {
		size_t k = key_hash(key->s, key->len) & (o->n_slots - 1);

		while (o->slots[k])
			k = (k + 1) & (o->n_slots - 1);
		o->slots[k] = (uint32_t)o->n;
	}
}

/* Take KEY and VALUE; an earlier value of that name is replaced. */
static void
object_put(struct json_object *o, struct json_text *key, struct json value)
{
	struct member *m = object_find(o, key->s, key->len);

	if (!m) {
		object_add(o, key, value);
		return;
	}
	text_release(key);
	json_release(&m->value);
	m->value = value;
}

/* The object of V, which gets a copy of its own where others share it. */
static struct json_object *
object_own(struct json *v)
{
	struct json_object *o = v->object;
	struct json copy;

	if (o->refs == 1)
		return o;
	copy = json_object();
	copy.object->v = xrealloc(NULL, o->n, sizeof *o->v);
	copy.object->n = copy.object->cap = o->n;
	for (size_t i = 0; i < o->n; i++) {
		copy.object->v[i] = o->v[i];
		o->v[i].key->refs++;
		json_copy(o->v[i].value);
	}
	o->refs--;
	*v = copy;
	return copy.object;
}

static struct json_array *
array_own(struct json *v)
{
	struct json_array *a = v->array;
	struct json copy;

	if (a->refs == 1)
		return a;
	copy = json_array();
	copy.array->v = xrealloc(NULL, a->n, sizeof *a->v);
	copy.array->n = copy.array->cap = a->n;
	for (size_t i = 0; i < a->n; i++)
		copy.array->v[i] = json_copy(a->v[i]);
	a->refs--;
	*v = copy;
	return copy.array;
}

struct json
json_get(struct json object, const char *key)
{
	struct member *m = json_is_object(object) ? object_find(object.object, key, strlen(key)) : NULL;

	return m ? json_copy(m->value) : JSON_ABSENT;
}

struct json
json_take_at(struct json *array, size_t i)
{
	struct json v = JSON_ABSENT;

	if (array->kind == JSON_ARRAY && i < array->array->n) {
		struct json_array *a = array_own(array);

		v = a->v[i];
		a->v[i] = json_null();
	}
	return v;
}

int64_t
json_get_whole_or(struct json object, const char *key, int64_t otherwise)
{
	_cleanup_json_ struct json v = json_get(object, key);
	int64_t n;

	return json_get_whole(v, &n) ? n : otherwise;
}

int64_t
json_get_positive(struct json object, const char *key)
{
	const int64_t n = json_get_whole_or(object, key, 0);

	return n > 0 ? n : 0;
}

const char *
json_get_text(struct json object, const char *key)
{
	struct member *m = json_is_object(object) ? object_find(object.object, key, strlen(key)) : NULL;

	/* one that holds a NUL would be another text than it is */
	return m && m->value.kind == JSON_STRING && strlen(m->value.text->s) == m->value.text->len ?
	    m->value.text->s : NULL;
}

void
json_copy_text(struct json object, const char *key, char *out, size_t n)
{
	const char *s = json_get_text(object, key);

	out[0] = '\0';
	if (s && strlen(s) < n)
		strcpy(out, s);
}

void
json_wipe(struct json object, const char *key)
{
	struct member *m = json_is_object(object) ? object_find(object.object, key, strlen(key)) : NULL;

	if (m && m->value.kind == JSON_STRING)
		explicit_bzero(m->value.text->s, m->value.text->len);
}

void
json_append(struct json *array, struct json value)
{
	struct json_array *a = array_own(array);

	a->v = xgrow(a->v, a->n, &a->cap, sizeof *a->v);
	a->v[a->n++] = value;
}

void
json_set(struct json *object, const char *key, struct json value)
{
	struct json_object *o = object_own(object);
	struct member *m = object_find(o, key, strlen(key));

	if (!m) {
		object_add(o, text_of(key, strlen(key)), value);
		return;
	}
	json_release(&m->value);
	m->value = value;
}

void
json_set_text(struct json *object, const char *key, const char *text)
{
	json_set(object, key, text ? json_string(text) : json_null());
}

void
json_remove(struct json *object, const char *key)
{
	struct json_object *o;
	struct member *m;

	if (!json_is_object(*object) || !object_find(object->object, key, strlen(key)))
		return;
	o = object_own(object);
	m = object_find(o, key, strlen(key));
	text_release(m->key);
	json_release(&m->value);
	memmove(m, m + 1, (size_t)(o->v + o->n - (m + 1)) * sizeof *m);
	o->n--;
	free(o->slots);		/* the others have moved */
	o->slots = NULL;
	o->n_slots = 0;
}

static bool
array_equal(const struct json_array *a, const struct json_array *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->n != b->n || !json_equal(a->v[i], b->v[i]))
			return false;
	return a->n == b->n;
}

static bool
object_equal(const struct json_object *a, struct json_object *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct member *m = object_find(b, a->v[i].key->s, a->v[i].key->len);

		if (!m || !json_equal(a->v[i].value, m->value))
			return false;
	}
	return true;
}

bool
json_equal(struct json a, struct json b)
{
	if (a.kind != b.kind)
		return false;
	switch (a.kind) {
	case JSON_NUMBER:
		return number_equal(a, b);
	case JSON_STRING:
		return is_key(a.text, b.text->s, b.text->len);
	case JSON_ARRAY:
		return a.array == b.array || array_equal(a.array, b.array);
	case JSON_OBJECT:
		return a.object == b.object || object_equal(a.object, b.object);
	default:
		return true;
	}
}

struct json_iter
json_begin(struct json object)
{
	return (struct json_iter){ .object = json_copy(object) };
}

void
json_end(struct json_iter *it)
{
	json_release(&it->object);
	it->value = JSON_ABSENT;
	it->key = NULL;
}

bool
json_next(struct json_iter *it)
{
	if (!json_is_object(it->object) || it->at == it->object.object->n) {
		json_end(it);
		return false;
	}
	it->key = it->object.object->v[it->at].key->s;
	it->value = it->object.object->v[it->at++].value;
	return true;
}

static struct json_text *
token_text(const struct jsontext_token *t)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (t->plain)
		return text_of(t->p, t->n);
	jsontext_unescape(t->p, t->n, &b);
	return text_of(b.s, b.len);
}

static struct json
token_value(const struct jsontext_token *t)
{
	switch (t->kind) {
	case JSONTEXT_NULL:
		return json_null();
	case JSONTEXT_FALSE:
	case JSONTEXT_TRUE:
		return json_bool(t->kind == JSONTEXT_TRUE);
	case JSONTEXT_NUMBER:
		return json_number_text(t->p, t->n);
	case JSONTEXT_STRING:
		return (struct json){ .kind = JSON_STRING, .text = token_text(t) };
	case JSONTEXT_ARRAY:
		return json_array();
	default:
		return json_object();
	}
}

/* The values that are open while a text is read, the outermost first. */
struct building {
	struct json open[JSONTEXT_DEPTH_MAX];
	struct json_text *key[JSONTEXT_DEPTH_MAX];	/* of the member that comes next in each; or NULL */
	int depth;
	struct json done;
};

/* V, which is taken, is complete: it goes into the value around it. */
static void
build_put(struct building *b, struct json v)
{
	struct json *in = b->depth ? &b->open[b->depth - 1] : NULL;

	if (!in) {
		b->done = v;
	} else if (in->kind == JSON_ARRAY) {
		json_append(in, v);
	} else {
		object_put(in->object, b->key[b->depth - 1], v);
		b->key[b->depth - 1] = NULL;
	}
}

static void
build_token(struct building *b, const struct jsontext_token *t)
{
	switch (t->kind) {
	case JSONTEXT_KEY:
		b->key[b->depth - 1] = token_text(t);
		break;
	case JSONTEXT_ARRAY:
	case JSONTEXT_OBJECT:
		b->key[b->depth] = NULL;
		b->open[b->depth++] = token_value(t);
		break;
	case JSONTEXT_ARRAY_END:
	case JSONTEXT_OBJECT_END:
		b->depth--;
		build_put(b, b->open[b->depth]);
		break;
	default:
		build_put(b, token_value(t));
	}
}

int
json_parse(const char *name, const char *text, size_t len, struct json *out, struct fail *f)
{
	struct jsontext_reader r;
	struct jsontext_token t;
	struct building b;

	b.depth = 0;
	b.done = JSON_ABSENT;
	jsontext_begin(&r, text, len);
	while (jsontext_next(&r, &t)) {
		if (t.kind == JSONTEXT_END) {
			*out = b.done;
			return 0;
		}
		build_token(&b, &t);
	}
	while (b.depth > 0) {
		json_release(&b.open[--b.depth]);
		if (b.key[b.depth])
			text_release(b.key[b.depth]);
	}
	json_release(&b.done);
	return jsontext_fail(&r, name, f);
}

int
json_load(const char *path, int file_flags, size_t max, struct json *out, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = file_load(path, file_flags, max, &b, f);

	return r < 0 ? r : json_parse(path, b.s, b.len, out, f);
}

static void
format_array(const struct json_array *a, struct buf *out)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < a->n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		json_format(a->v[i], out);
	}
	buf_putc(out, ']');
}

static void
format_object(const struct json_object *o, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < o->n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		jsontext_quote(o->v[i].key->s, o->v[i].key->len, out);
		buf_putc(out, ':');
		json_format(o->v[i].value, out);
	}
	buf_putc(out, '}');
}

void
json_format(struct json v, struct buf *out)
{
	static const char *const words[] = {
		[JSON_NONE] = "null", [JSON_NULL] = "null", [JSON_FALSE] = "false", [JSON_TRUE] = "true",
	};

	switch (v.kind) {
	case JSON_NUMBER:
		json_get_spelling(v, out);
		break;
	case JSON_STRING:
		jsontext_quote(v.text->s, v.text->len, out);
		break;
	case JSON_ARRAY:
		format_array(v.array, out);
		break;
	case JSON_OBJECT:
		format_object(v.object, out);
		break;
	default:
		buf_puts(out, words[v.kind]);
	}
}

void
json_print(struct json v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_format(v, &b);
	buf_putc(&b, '\n');
	json_sanitize(STDOUT_FILENO, &b);
	fwrite(b.s, 1, b.len, stdout);
}

void
json_sanitize(int fd, struct buf *text)
{
	struct buf tame = BUF_INIT;

	if (text->len == 0 || !isatty(fd))
		return;
	for (size_t i = 0, n; i < text->len; i += n) {
		char escaped[UTF8_ESCAPED];

		/* Of one byte there is none but the newline after a value. */
		n = utf8_escape(text->s + i, text->len - i, escaped);
		if (n > 1 && *escaped)
			buf_puts(&tame, escaped);
		else
			buf_add(&tame, text->s + i, n);
	}
	tame.max = text->max;
	buf_release(text);
	*text = tame;
}
