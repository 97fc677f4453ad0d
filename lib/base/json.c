#include <errno.h>
#include <jq.h>
#include <jv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/jsontext.h"
#include "base/utf8.h"
#include "base/xalloc.h"

_Static_assert(sizeof(jv) == sizeof(struct json), "a jv is two words");
_Static_assert(JV_KIND_INVALID == 0, "JSON_ABSENT is an invalid jv");

static struct json
wrap(jv v)
{
	struct json j;

	memcpy(&j, &v, sizeof j);
	return j;
}

static jv
unwrap(struct json j)
{
	jv v;

	memcpy(&v, &j, sizeof v);
	return v;
}

/* libjq consumes its arguments; this gives it a reference of its own. */
static jv
lend(struct json j)
{
	return jv_copy(unwrap(j));
}

void
json_release(struct json *v)
{
	jv_free(unwrap(*v));
	*v = JSON_ABSENT;
}

struct json
json_copy(struct json v)
{
	return wrap(lend(v));
}

enum json_kind
json_kind(struct json v)
{
	switch (jv_get_kind(unwrap(v))) {
	case JV_KIND_NULL:
		return JSON_NULL;
	case JV_KIND_FALSE:
		return JSON_FALSE;
	case JV_KIND_TRUE:
		return JSON_TRUE;
	case JV_KIND_NUMBER:
		return JSON_NUMBER;
	case JV_KIND_STRING:
		return JSON_STRING;
	case JV_KIND_ARRAY:
		return JSON_ARRAY;
	case JV_KIND_OBJECT:
		return JSON_OBJECT;
	default:
		return JSON_NONE;
	}
}

bool
json_is_object(struct json v)
{
	return json_kind(v) == JSON_OBJECT;
}

const char *
json_kind_name(struct json v)
{
	static const char *const names[] = {
		[JSON_NONE] = "nothing", [JSON_NULL] = "null", [JSON_FALSE] = "false",
		[JSON_TRUE] = "true", [JSON_NUMBER] = "a number", [JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
	};

	return names[json_kind(v)];
}

bool
json_equal(struct json a, struct json b)
{
	return jv_equal(lend(a), lend(b));
}

/* One value and nothing after it; jv_parse_sized() would quote the whole text in its message. */
static jv
parse_one(const char *text, size_t len)
{
	struct jv_parser *p = jv_parser_new(0);
	jv v, more;

	jv_parser_set_buf(p, text, (int)len, 0);
	v = jv_parser_next(p);
	if (jv_is_valid(v)) {
		more = jv_parser_next(p);
		if (jv_is_valid(more) || jv_invalid_has_msg(jv_copy(more))) {
			jv_free(v);
			v = jv_is_valid(more) ?
			    jv_invalid_with_msg(jv_string("more than one value")) : jv_copy(more);
		}
		jv_free(more);
	}
	jv_parser_free(p);
	return v;
}

int
json_parse_checked(const char *name, const char *text, size_t len, struct json *out,
    struct fail *f)
{
	const char *sep = name ? ": " : "";
	jv v, msg;
	int r;

	name = name ? name : "";
	if (len > INT32_MAX / 2)
		return fail_set(f, EXIT_USAGE, "%s%stoo long", name, sep);
	v = parse_one(text, len);
	if (jv_is_valid(v)) {
		*out = wrap(v);
		return 0;
	}
	msg = jv_invalid_get_msg(v);
	r = fail_set(f, EXIT_USAGE, "%s%sis not JSON: %.200s", name, sep,
	    jv_get_kind(msg) == JV_KIND_STRING ? jv_string_value(msg) : "no value");
	jv_free(msg);
	return r;
}

int
json_parse(const char *name, const char *text, size_t len, struct json *out, struct fail *f)
{
	int r = jsontext_check(name, text, len, f);

	return r < 0 ? r : json_parse_checked(name, text, len, out, f);
}

int
json_load(const char *path, int file_flags, size_t max, struct json *out, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = file_load(path, file_flags, max, &b, f);

	return r < 0 ? r : json_parse(path, b.s, b.len, out, f);
}

struct json
json_null(void)
{
	return wrap(jv_null());
}

struct json
json_bool(bool yes)
{
	return wrap(jv_bool(yes));
}

struct json
json_number(double n)
{
	return wrap(jv_number(n));
}

struct json
json_string(const char *s)
{
	return wrap(jv_string(s));
}

struct json
json_string_n(const char *s, size_t len)
{
	return wrap(jv_string_sized(s, (int)len));
}

struct json
json_array(void)
{
	return wrap(jv_array());
}

struct json
json_object(void)
{
	return wrap(jv_object());
}

const char *
json_get_string(struct json v)
{
	return json_kind(v) == JSON_STRING ? jv_string_value(unwrap(v)) : NULL;
}

size_t
json_string_len(struct json v)
{
	return json_kind(v) == JSON_STRING ? (size_t)jv_string_length_bytes(lend(v)) : 0;
}

double
json_get_number(struct json v)
{
	return json_kind(v) == JSON_NUMBER ? jv_number_value(unwrap(v)) : 0;
}

bool
json_get_whole(struct json v, int64_t *out)
{
	const double most = 9007199254740992;	/* 2^53 */
	double d = json_get_number(v);

	*out = 0;
	if (json_kind(v) != JSON_NUMBER || !(d >= -most && d <= most) || d != (double)(int64_t)d)
		return false;	/* NaN, too */
	*out = (int64_t)d;
	return true;
}

size_t
json_count(struct json v)
{
	switch (json_kind(v)) {
	case JSON_ARRAY:
		return (size_t)jv_array_length(lend(v));
	case JSON_OBJECT:
		return (size_t)jv_object_length(lend(v));
	default:
		return 0;
	}
}

struct json
json_at(struct json array, size_t i)
{
	return json_kind(array) == JSON_ARRAY ? wrap(jv_array_get(lend(array), (int)i)) : JSON_ABSENT;
}

struct json
json_take_at(struct json *array, size_t i)
{
	struct json v = json_at(*array, i);

	*array = wrap(jv_array_set(unwrap(*array), (int)i, jv_null()));
	return v;
}

/* A missing member is an invalid jv without a message, which owns nothing. */
struct json
json_get(struct json object, const char *key)
{
	return json_is_object(object) ? wrap(jv_object_get(lend(object), jv_string(key)))
	    : JSON_ABSENT;
}

const char *
json_get_text(struct json object, const char *key)
{
	struct json v = json_get(object, key);
	const char *s = json_get_string(v);

	json_release(&v);	/* OBJECT still holds it */
	return s;
}

void
json_wipe(struct json object, const char *key)
{
	const char *s = json_get_text(object, key);

	if (s)
		explicit_bzero((void *)(uintptr_t)s, strlen(s));
}

void
json_append(struct json *array, struct json value)
{
	*array = wrap(jv_array_append(unwrap(*array), unwrap(value)));
}

void
json_set(struct json *object, const char *key, struct json value)
{
	*object = wrap(jv_object_set(unwrap(*object), jv_string(key), unwrap(value)));
}

void
json_set_text(struct json *object, const char *key, const char *text)
{
	json_set(object, key, text ? json_string(text) : json_null());
}

void
json_remove(struct json *object, const char *key)
{
	*object = wrap(jv_object_delete(unwrap(*object), jv_string(key)));
}

struct json_iter
json_begin(struct json object)
{
	return (struct json_iter){ .object = json_copy(object), .at = -1 };
}

void
json_end(struct json_iter *it)
{
	json_release(&it->object);
	json_release(&it->value);
	json_release(&it->key_value);
}

bool
json_next(struct json_iter *it)
{
	jv o = unwrap(it->object);

	if (it->at >= 0) {
		jv_free(unwrap(it->value));
		jv_free(unwrap(it->key_value));
		it->value = it->key_value = JSON_ABSENT;
		it->at = jv_object_iter_next(o, it->at);
	} else if (json_kind(it->object) == JSON_OBJECT) {
		it->at = jv_object_iter(o);
	}
	if (it->at < 0 || !jv_object_iter_valid(o, it->at)) {
		json_end(it);
		return false;
	}
	it->key_value = wrap(jv_object_iter_key(o, it->at));
	it->value = wrap(jv_object_iter_value(o, it->at));
	it->key = jv_string_value(unwrap(it->key_value));
	return true;
}

/* Which bytes cannot stand for themselves. */
static const bool is_special[256] = {
	[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true, [0x7f] = true,
};

/* C as libjq's own printing has it, at W; returns what is behind it: at most 6 bytes. */
static char *
format_special(unsigned char c, char *w)
{
	static const char names[] = "btn?fr", digits[] = "0123456789abcdef";	/* of 8 to 13 */

	*w++ = '\\';
	if (c == '"' || c == '\\') {
		*w++ = (char)c;
	} else if (c >= 8 && c <= 13 && c != '\v') {
		*w++ = names[c - 8];
	} else {
		*w++ = 'u';
		*w++ = '0';
		*w++ = '0';
		*w++ = digits[c >> 4];
		*w++ = digits[c & 15];
	}
	return w;
}

/* The string V, which is taken: its owner still holds its bytes.  BEFORE is a byte, or 0 for none. */
static void
format_string(jv v, char before, char after, struct buf *out)
{
	const char *s = jv_string_value(v);
	const size_t len = (size_t)jv_string_length_bytes(v);
	size_t n_special = 0;
	char *w;

	for (size_t i = 0; i < len; i++)
		n_special += is_special[(unsigned char)s[i]];
	if (buf_reserve(out, len + 5 * n_special + 4) < 0)
		return;
	w = out->s + out->len;
	if (before)
		*w++ = before;
	*w++ = '"';
	if (n_special == 0)
		w = mempcpy(w, s, len);
	else
		for (const char *end = s + len; s < end; s++)
			if (!is_special[(unsigned char)*s])
				*w++ = *s;
			else
				w = format_special((unsigned char)*s, w);
	*w++ = '"';
	if (after)
		*w++ = after;
	*w = '\0';
	out->len = (size_t)(w - out->s);
}

/* Whole numbers are most of them, and quick; libjq knows how to print the rest. */
static void
format_number(jv v, struct buf *out)
{
	double n = jv_number_value(v);

	if (n == floor(n) && fabs(n) < 1e15 && (n != 0 || !signbit(n))) {
		buf_printf(out, "%lld", (long long)n);
	} else {
		jv s = jv_dump_string(jv_number(n), 0);

		buf_puts(out, jv_string_value(s));
		jv_free(s);
	}
}

static void format(jv v, struct buf *out);

static void
format_array(jv v, struct buf *out)
{
	int n = jv_array_length(jv_copy(v));

	buf_putc(out, '[');
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		format(jv_array_get(jv_copy(v), i), out);
	}
	buf_putc(out, ']');
}

static void
format_object(jv v, struct buf *out)
{
	char before = '{';
	int i = jv_object_iter(v);

	for (; jv_object_iter_valid(v, i); i = jv_object_iter_next(v, i)) {
		format_string(jv_object_iter_key(v, i), before, ':', out);
		format(jv_object_iter_value(v, i), out);
		before = ',';
	}
	buf_puts(out, before == '{' ? "{}" : "}");
}

/* V is taken, and its owner still holds it: so one reference is always left. */
static void
format(jv v, struct buf *out)
{
	switch (jv_get_kind(v)) {
	case JV_KIND_FALSE:
		buf_puts(out, "false");
		return;
	case JV_KIND_TRUE:
		buf_puts(out, "true");
		return;
	case JV_KIND_NUMBER:
		format_number(v, out);
		return;
	case JV_KIND_STRING:
		format_string(v, 0, 0, out);
		return;
	case JV_KIND_ARRAY:
		format_array(v, out);
		break;
	case JV_KIND_OBJECT:
		format_object(v, out);
		break;
	default:
		buf_puts(out, "null");
		break;
	}
	jv_free(v);
}

void
json_format(struct json j, struct buf *out)
{
	format(lend(j), out);
}

void
json_print(struct json v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_format(v, &b);
	buf_putc(&b, '\n');
	json_tame(STDOUT_FILENO, &b);
	fwrite(b.s, 1, b.len, stdout);
}

void
json_tame(int fd, struct buf *text)
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

struct json_filter {
	jq_state *jq;
	struct fail *fail;
};

static void
filter_message(void *cookie, jv msg)
{
	struct json_filter *p = cookie;

	if (p->fail && !p->fail->text[0] && jv_get_kind(msg) == JV_KIND_STRING)
		fail_set(p->fail, EXIT_USAGE, "%s", jv_string_value(msg));
	jv_free(msg);
}

struct json_filter *
json_filter_new(const char *program, struct fail *f)
{
	struct json_filter *p = xcalloc(1, sizeof *p);

	p->jq = jq_init();
	if (!p->jq)
		die(EXIT_TROUBLE, 0, "out of memory");
	p->fail = f;
	f->text[0] = f->hint[0] = '\0';
	jq_set_error_cb(p->jq, filter_message, p);
	if (jq_compile(p->jq, program)) {
		p->fail = NULL;
		return p;
	}
	f->text[strcspn(f->text, "\n")] = '\0';
	f->status = EXIT_USAGE;
	json_filter_free(p);
	errno = EINVAL;
	return NULL;
}

void
json_filter_free(struct json_filter *p)
{
	if (!p)
		return;
	jq_teardown(&p->jq);
	free(p);
}

int
json_filter_first(struct json_filter *p, struct json v, struct json *out, struct fail *f)
{
	int r = 0;

	jq_start(p->jq, lend(v), 0);
	*out = wrap(jq_next(p->jq));
	if (json_kind(*out) == JSON_NONE && jv_invalid_has_msg(lend(*out))) {
		jv msg = jv_invalid_get_msg(lend(*out));

		r = fail_set(f, EXIT_USAGE, "%s", jv_get_kind(msg) == JV_KIND_STRING ?
		    jv_string_value(msg) : "the filter failed");
		jv_free(msg);
		json_release(out);
	}
	return r;
}

int
json_filter_test(struct json_filter *p, struct json v, struct fail *f)
{
	struct json out;
	int r = json_filter_first(p, v, &out, f);

	if (r == 0)
		r = json_kind(out) > JSON_FALSE;
	json_release(&out);
	return r;
}
