#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsontext.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#define EVERY(byte)	(UINT64_C(0x0101010101010101) * (byte))

/* What the grammar allows next. */
enum state {
	VALUE, VALUE_OR_END,		/* the latter behind '[' */
	NAME, NAME_OR_END,		/* the latter behind '{' */
	COMMA_OR_END,
	NOTHING,			/* the value is complete */
};

static const char not_utf8[] = "is not UTF-8", too_deep[] = "nested more than 256 deep";

/* The top bits of the result mark the zero bytes of X; bytes above a zero may be marked, too. */
static uint64_t
zero_bytes(uint64_t x)
{
	return (x - EVERY(1)) & ~x & EVERY(0x80);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

void
jsontext_begin(struct jsontext_reader *r, const char *text, size_t len)
{
	size_t bad = utf8_check(text, len);

	*r = (struct jsontext_reader){ .text = text, .p = text, .end = text + len, .state = VALUE };
	if (bad < len) {
		r->p += bad;
		r->error = not_utf8;
	} else if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		r->p += 3;	/* some editors put a byte order mark in front */
	}
}

static bool
reader_fail(struct jsontext_reader *r, const char *p, const char *error)
{
	r->p = p;
	r->error = error;
	return false;
}

int
jsontext_fail(const struct jsontext_reader *r, const char *name, struct fail *f)
{
	const char *line = r->text, *last = memrchr(r->text, '\n', (size_t)(r->end - r->text));
	_cleanup_buf_ struct buf text = BUF_INIT;
	size_t n = 1;

	if (name)
		buf_printf(&text, "%s: ", name);
	if (strcmp(r->error, not_utf8) == 0) {
		buf_printf(&text, "%s at byte %zu", r->error, (size_t)(r->p - r->text));
		return fail_set(f, EXIT_USAGE, "%s", text.s);
	}
	if (strcmp(r->error, too_deep) != 0)
		buf_puts(&text, "is not JSON: ");
	buf_puts(&text, r->error);
	for (const char *nl; (nl = memchr(line, '\n', (size_t)(r->p - line))); n++)
		line = nl + 1;
	/* in a text of one line its number says nothing */
	if (last && last + 1 < r->end)
		buf_printf(&text, " at line %zu, column", n);
	else
		buf_puts(&text, " at column");
	buf_printf(&text, " %zu", (size_t)(r->p - line) + 1);
	return fail_set(f, EXIT_USAGE, "%s", text.s);
}

/* The 16 bits of the four hexadecimal digits at P; -1 where they are none. */
static int
hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const char c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* Behind the escape whose backslash is at P, and the character it stands for; NULL with ERROR where it is wrong. */
static const char *
escape_read(const char *p, const char *end, uint32_t *c, const char **error)
{
	static const char letters[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int high, low;

	*error = "invalid escape";
	if (end - p < 2)
		return NULL;
	at = p[1] ? strchr(letters, p[1]) : NULL;
	if (at) {
		*c = (unsigned char)meaning[at - letters];
		return p + 2;
	}
	high = p[1] == 'u' ? hex4(p + 2, end) : -1;
	if (high < 0)
		return NULL;
	*c = (uint32_t)high;
	if (high < 0xd800 || high > 0xdfff)
		return p + 6;
	*error = "lone surrogate";
	if (high > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return NULL;
	low = hex4(p + 8, end);
	if (low < 0xdc00 || low > 0xdfff)
		return NULL;
	*c = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
	return p + 12;
}

/* The first byte from P on that is not an ordinary part of a string: quote, backslash, control or DEL. */
static const char *
skip_plain(const char *p, const char *end)
{
	uint64_t eight;

	for (; end - p >= 8; p += 8) {
		memcpy(&eight, p, 8);
		if (zero_bytes(eight & EVERY(0xe0)) | zero_bytes(eight ^ EVERY(0x7f)) |
		    zero_bytes(eight ^ EVERY('"')) | zero_bytes(eight ^ EVERY('\\')))
			break;
	}
	while (p < end && (unsigned char)*p >= 0x20 && *p != 0x7f && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The string whose first quote is at R->P. */
static bool
read_string(struct jsontext_reader *r, struct jsontext_token *t)
{
	const char *p = r->p + 1, *next, *error;
	uint32_t c;

	t->p = p;
	t->plain = true;
	for (;;) {
		p = skip_plain(p, r->end);
		if (p == r->end)
			return reader_fail(r, p, "unfinished string");
		if (*p == '"')
			break;
		t->plain = false;
		if (*p == '\\') {
			next = escape_read(p, r->end, &c, &error);
			if (!next)
				return reader_fail(r, p, error);
			if (c == 0 && t->kind == JSONTEXT_KEY)
				return reader_fail(r, p, "NUL character in a name");
			p = next;
		} else if (*p == 0x7f) {
			p++;
		} else {
			return reader_fail(r, p, "control character in a string");
		}
	}
	t->n = (size_t)(p - t->p);
	r->p = p + 1;
	return true;
}

static bool
read_number(struct jsontext_reader *r, struct jsontext_token *t)
{
	const char *p = r->p, *end = r->end;

	t->kind = JSONTEXT_NUMBER;
	t->p = p;
	p += *p == '-';
	if (!is_digit(p, end))
		return reader_fail(r, r->p, "invalid number");
	if (*p == '0' && is_digit(p + 1, end))
		return reader_fail(r, r->p, "number with a leading zero");
	while (is_digit(p, end))
		p++;
	if (p < end && *p == '.') {
		if (!is_digit(++p, end))
			return reader_fail(r, r->p, "invalid number");
		while (is_digit(p, end))
			p++;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		if (!is_digit(p, end))
			return reader_fail(r, r->p, "invalid number");
		while (is_digit(p, end))
			p++;
	}
	t->n = (size_t)(p - t->p);
	r->p = p;
	return true;
}

static bool
read_word(struct jsontext_reader *r, struct jsontext_token *t)
{
	static const struct { const char *text; enum jsontext_kind kind; } words[] = {
		{ "true", JSONTEXT_TRUE }, { "false", JSONTEXT_FALSE }, { "null", JSONTEXT_NULL },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i].text);

		if ((size_t)(r->end - r->p) >= n && memcmp(r->p, words[i].text, n) == 0) {
			t->kind = words[i].kind;
			r->p += n;
			return true;
		}
	}
	return reader_fail(r, r->p, "unexpected character");
}

static bool
open_value(struct jsontext_reader *r, struct jsontext_token *t, bool is_object)
{
	if (r->depth == JSONTEXT_DEPTH_MAX)
		return reader_fail(r, r->p, too_deep);
	r->is_object[r->depth++] = is_object;
	r->state = is_object ? NAME_OR_END : VALUE_OR_END;
	t->kind = is_object ? JSONTEXT_OBJECT : JSONTEXT_ARRAY;
	r->p++;
	return true;
}

static bool
close_value(struct jsontext_reader *r, struct jsontext_token *t)
{
	const bool is_object = r->is_object[--r->depth];

	t->kind = is_object ? JSONTEXT_OBJECT_END : JSONTEXT_ARRAY_END;
	r->state = r->depth ? COMMA_OR_END : NOTHING;
	r->p++;
	return true;
}

static bool
read_value(struct jsontext_reader *r, struct jsontext_token *t)
{
	const char c = *r->p;

	if (c == '{' || c == '[')
		return open_value(r, t, c == '{');
	r->state = r->depth ? COMMA_OR_END : NOTHING;
	if (c == '"') {
		t->kind = JSONTEXT_STRING;
		return read_string(r, t);
	}
	return c == '-' || (c >= '0' && c <= '9') ? read_number(r, t) : read_word(r, t);
}

static void
skip_blanks(struct jsontext_reader *r)
{
	while (r->p < r->end && is_blank(*r->p))
		r->p++;
}

static bool
read_name(struct jsontext_reader *r, struct jsontext_token *t)
{
	if (*r->p != '"')
		return reader_fail(r, r->p, "expected a name in quotes");
	t->kind = JSONTEXT_KEY;
	if (!read_string(r, t))
		return false;
	skip_blanks(r);
	if (r->p == r->end || *r->p != ':')
		return reader_fail(r, r->p, "expected ':'");
	r->p++;
	r->state = VALUE;
	return true;
}

bool
jsontext_next(struct jsontext_reader *r, struct jsontext_token *t)
{
	bool closes, is_object;

	if (r->error)
		return false;
	skip_blanks(r);
	if (r->state == COMMA_OR_END && r->p < r->end && *r->p == ',') {
		r->p++;
		r->state = r->is_object[r->depth - 1] ? NAME : VALUE;
		skip_blanks(r);
	}
	t->kind = JSONTEXT_END;
	if (r->p == r->end)
		return r->state == NOTHING ? true :
		    reader_fail(r, r->p, r->depth == 0 ? "no value" : "unfinished value");
	is_object = r->depth && r->is_object[r->depth - 1];
	closes = r->depth && *r->p == (is_object ? '}' : ']');
	switch (r->state) {
	case VALUE_OR_END:
		return closes ? close_value(r, t) : read_value(r, t);
	case VALUE:
		return read_value(r, t);
	case NAME_OR_END:
		return closes ? close_value(r, t) : read_name(r, t);
	case NAME:
		return read_name(r, t);
	case COMMA_OR_END:
		return closes ? close_value(r, t) :
		    reader_fail(r, r->p, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
	default:
		return reader_fail(r, r->p, "more than one value");
	}
}

/* C, not a surrogate, as UTF-8. */
static void
add_utf8(struct buf *out, uint32_t c)
{
	char s[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		s[i] = (char)(0x80 | (c & 0x3f));
	s[0] = (char)(n == 1 ? c : (0xf00U >> n & 0xff) | c);
	buf_add(out, s, n);
}

void
jsontext_unescape(const char *p, size_t n, struct buf *out)
{
	const char *end = p + n, *error;
	uint32_t c;

	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));

		buf_add(out, p, (size_t)((slash ? slash : end) - p));
		if (!slash || !(p = escape_read(slash, end, &c, &error)))
			return;
		add_utf8(out, c);
	}
}

/* The escape of C at W, as jq writes it; returns what is behind it: at most 6 bytes. */
static char *
write_escape(unsigned char c, char *w)
{
	static const char letters[] = "btn?fr", digits[] = "0123456789abcdef";	/* of 8 to 13 */

	*w++ = '\\';
	if (c == '"' || c == '\\') {
		*w++ = (char)c;
	} else if (c >= 8 && c <= 13 && c != '\v') {
		*w++ = letters[c - 8];
	} else {
		w = mempcpy(w, "u00", 3);
		*w++ = digits[c >> 4];
		*w++ = digits[c & 15];
	}
	return w;
}

void
jsontext_quote(const char *s, size_t n, struct buf *out)
{
	const char *end = s + n, *p;
	char escape[6];

	buf_reserve(out, n + 2);
	buf_putc(out, '"');
	while ((p = skip_plain(s, end)) < end) {
		buf_add(out, s, (size_t)(p - s));
		buf_add(out, escape, (size_t)(write_escape((unsigned char)*p, escape) - escape));
		s = p + 1;
	}
	buf_add(out, s, (size_t)(end - s));
	buf_putc(out, '"');
}

static void
add_escaped(const struct jsontext_token *t, struct buf *out)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT;

	jsontext_unescape(t->p, t->n, &bytes);
	jsontext_quote(bytes.s, bytes.len, out);
}

/* The token T in its compact form, and the colon behind a name. */
static void
add_token(const struct jsontext_token *t, struct buf *out)
{
	static const char *const words[] = {
		[JSONTEXT_NULL] = "null", [JSONTEXT_FALSE] = "false", [JSONTEXT_TRUE] = "true",
		[JSONTEXT_ARRAY] = "[", [JSONTEXT_ARRAY_END] = "]",
		[JSONTEXT_OBJECT] = "{", [JSONTEXT_OBJECT_END] = "}",
	};
	char *w;

	if (t->kind != JSONTEXT_NUMBER && t->kind != JSONTEXT_STRING && t->kind != JSONTEXT_KEY) {
		buf_puts(out, words[t->kind]);
		return;
	}
	if (t->kind != JSONTEXT_NUMBER && !t->plain) {
		add_escaped(t, out);
		if (t->kind == JSONTEXT_KEY)
			buf_putc(out, ':');
		return;
	}
	buf_reserve(out, t->n + 4);
	w = out->s + out->len;
	if (t->kind != JSONTEXT_NUMBER)
		*w++ = '"';
	w = mempcpy(w, t->p, t->n);
	if (t->kind != JSONTEXT_NUMBER)
		*w++ = '"';
	if (t->kind == JSONTEXT_KEY)
		*w++ = ':';
	*w = '\0';
	out->len = (size_t)(w - out->s);
}

int
jsontext_compact(const char *name, const char *text, size_t len, struct buf *out, struct fail *f)
{
	const size_t before = out->len;
	struct jsontext_reader r;
	struct jsontext_token t;
	bool again = false;	/* a comma is wanted before what begins next */

	jsontext_begin(&r, text, len);
	buf_reserve(out, len + 1);
	while (jsontext_next(&r, &t)) {
		const bool closes = t.kind == JSONTEXT_ARRAY_END || t.kind == JSONTEXT_OBJECT_END;

		if (t.kind == JSONTEXT_END)
			return 0;
		if (again && !closes)
			buf_putc(out, ',');
		add_token(&t, out);
		again = t.kind != JSONTEXT_ARRAY && t.kind != JSONTEXT_OBJECT && t.kind != JSONTEXT_KEY;
	}
	out->len = before;
	out->s[before] = '\0';
	return jsontext_fail(&r, name, f);
}

/* In a text that is known to be JSON: the quote that ends the string whose first byte is at P. */
static const char *
end_of_string(const char *p, const char *end)
{
	for (;;) {
		p = skip_plain(p, end);
		if (p >= end || *p == '"')
			return p;
		p += *p == '\\' ? 2 : 1;
	}
}

/* Behind the value at P, which is in the compact form. */
static const char *
end_of_value(const char *p, const char *end)
{
	int depth = 0;

	if (*p == '"')
		return end_of_string(p + 1, end) + 1;
	for (; p < end; p++) {
		if (*p == '"')
			p = end_of_string(p + 1, end);
		else if (*p == '{' || *p == '[')
			depth++;
		else if (depth == 0 && (*p == ',' || *p == '}' || *p == ']'))
			return p;
		else if ((*p == '}' || *p == ']') && --depth == 0)
			return p + 1;
	}
	return end;
}

static void
add_start(struct jsontext_split *s, const char *p)
{
	s->starts = xgrow(s->starts, s->n, &s->cap, sizeof *s->starts);
	s->starts[s->n++] = (uint32_t)(p - s->text);
}

/* Where the elements of the array at P are; returns what is behind it. */
static const char *
split_array(const char *p, const char *end, struct jsontext_split *s)
{
	if (*++p == ']') {
		add_start(s, p);
		return p + 1;
	}
	for (add_start(s, p); p < end && *p != ']'; p++) {
		p = end_of_value(p, end);
		add_start(s, p + 1);
		if (*p == ']')
			break;
	}
	return p + 1;
}

bool
jsontext_split(const char *text, size_t len, const char *key, struct jsontext_split *s)
{
	const char *p = text + 1, *end = text + len;
	const size_t key_len = strlen(key);
	bool found = false;

	*s = (struct jsontext_split){ .text = text };
	while (len && *text == '{' && p < end && *p == '"') {
		const char *close = end_of_string(p + 1, end), *value = close + 2;
		bool is_key = (size_t)(close - p) - 1 == key_len && memcmp(p + 1, key, key_len) == 0;

		if (is_key && (found || *value != '['))
			goto refuse;
		found |= is_key;
		p = (is_key ? split_array(value, end, s) : end_of_value(value, end)) + 1;
	}
	if (found) {
		s->n--;		/* the last start is that of the end */
		return true;
	}
refuse:
	jsontext_split_release(s);
	return false;
}

void
jsontext_split_release(struct jsontext_split *s)
{
	free(s->starts);
	*s = (struct jsontext_split)JSONTEXT_SPLIT_INIT;
}

/* Is there no name twice among the N members of M, nor in the objects that they are? */
static bool
are_distinct(const struct jsontext_member m[], int n)
{
	enum { NESTED_MAX = 16 };
	struct jsontext_member nested[NESTED_MAX];

	for (int i = 0; i < n; i++) {
		for (int k = 0; k < i; k++)
			if (m[i].key_len == m[k].key_len &&
			    memcmp(m[i].key, m[k].key, m[i].key_len) == 0)
				return false;
		if (*m[i].value == '[' && memchr(m[i].value, '{', m[i].value_len))
			return false;
		if (*m[i].value == '{' &&
		    jsontext_members(m[i].value, m[i].value_len, nested, NESTED_MAX) < 0)
			return false;
	}
	return true;
}

int
jsontext_members(const char *text, size_t len, struct jsontext_member m[], int max)
{
	const char *p = text + 1, *end = text + len;
	int n = 0;

	while (p < end && *p == '"') {
		const char *close = end_of_string(p + 1, end), *value = close + 2;
		const char *behind = end_of_value(value, end);

		if (n == max || memchr(p + 1, '\\', (size_t)(close - p) - 1))
			return -EOPNOTSUPP;
		m[n++] = (struct jsontext_member){ .key = p + 1, .key_len = (size_t)(close - p) - 1,
		    .value = value, .value_len = (size_t)(behind - value) };
		p = behind + 1;
	}
	return are_distinct(m, n) ? n : -EOPNOTSUPP;
}
