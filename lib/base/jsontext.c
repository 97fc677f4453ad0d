#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsontext.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#define EVERY(byte)	(UINT64_C(0x0101010101010101) * (byte))

/* Its top bits tell which bytes of X are zero; bytes above a zero may be told, too. */
static uint64_t
zeros(uint64_t x)
{
	return (x - EVERY(1)) & ~x & EVERY(0x80);
}

/* The quote that ends the string whose first byte is at P; END where there is none. */
static const char *
end_of_string(const char *p, const char *end)
{
	for (;;) {
		uint64_t eight;

		while (end - p >= 8) {
			memcpy(&eight, p, 8);
			if (zeros(eight ^ EVERY('"')) | zeros(eight ^ EVERY('\\')))
				break;
			p += 8;
		}
		while (p < end && *p != '"' && *p != '\\')
			p++;
		if (p >= end || *p == '"')
			return p;
		if (end - p < 2)
			return end;
		p += 2;
	}
}

/* The length of a byte order mark, which some editors put in front. */
static size_t
bom(const char *text, size_t len)
{
	return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/*
 * libjq replaces invalid UTF-8 in silence, its limit on nesting differs from
 * release to release, and between values it passes over a byte order mark and
 * starts anew at a record separator: all this is checked before it sees the text.
 */
int
jsontext_check(const char *name, const char *text, size_t len, struct fail *f)
{
	enum { OPENS = 1, CLOSES, QUOTES, STRANGE };
	static const unsigned char class[256] = {
		[0 ... 8] = STRANGE, [0xb ... 0xc] = STRANGE, [0xe ... 0x1f] = STRANGE,
		[0x7f ... 0xff] = STRANGE,
		['['] = OPENS, ['{'] = OPENS, [']'] = CLOSES, ['}'] = CLOSES, ['"'] = QUOTES,
	};
	const char *sep = name ? ": " : "", *end = text + len;
	size_t bad = utf8_check(text, len);
	int depth = 0;

	name = name ? name : "";
	if (bad < len)
		return fail_set(f, EXIT_USAGE, "%s%sis not UTF-8 at byte %zu", name, sep, bad);
	if (memchr(text, '\0', len))
		return fail_set(f, EXIT_USAGE, "%s%shas a NUL byte", name, sep);
	for (const char *p = text + bom(text, len); p < end; p++) {
		unsigned char c = class[(unsigned char)*p];

		if (c == STRANGE)
			return fail_set(f, EXIT_USAGE, "%s%sis not JSON: byte %zu is not a part of any",
			    name, sep, (size_t)(p - text));
		if (c == CLOSES)
			depth--;
		else if (c == OPENS && ++depth > JSONTEXT_DEPTH_MAX)
			return fail_set(f, EXIT_USAGE, "%s%snested more than %d deep", name, sep,
			    JSONTEXT_DEPTH_MAX);
		else if (c == QUOTES)
			p = end_of_string(p + 1, end);
	}
	return 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
add_start(struct jsontext_split *s, size_t at)
{
	s->starts = xgrow(s->starts, s->n, &s->cap, sizeof *s->starts);
	s->starts[s->n++] = (uint32_t)at;
}

/*
 * Where the elements are: the array whose bracket follows the string KEY on the
 * first level.  False where there is none, or where a name on that level could
 * be KEY in another way (twice, or with an escape).
 */
static bool
find_elements(const char *text, size_t len, const char *key, struct jsontext_split *s)
{
	const char *end = text + len;
	const size_t key_len = strlen(key);
	bool is_key = false, inside = false, found = false;
	int depth = 0;

	for (const char *p = text; p < end; p++)
		switch (*p) {
		case '"': {
			const char *close = end_of_string(p + 1, end);
			const size_t n = (size_t)(close - p) - 1;

			if (depth == 1) {
				if (memchr(p + 1, '\\', n))
					return false;
				is_key = n == key_len && memcmp(p + 1, key, n) == 0;
				if (is_key && found)
					return false;
			}
			p = close;
			break;
		}
		case '[':
			if (++depth == 2 && is_key) {
				inside = found = true;
				add_start(s, (size_t)(p + 1 - text));
			}
			break;
		case '{':
			depth++;
			break;
		case ',':
			if (depth == 1)
				is_key = false;
			else if (depth == 2 && inside)
				add_start(s, (size_t)(p + 1 - text));
			break;
		case ']':
		case '}':
			if (depth-- == 2 && inside) {
				add_start(s, (size_t)(p + 1 - text));
				inside = is_key = false;
			}
			break;
		}
	return found && !inside;
}

static bool
is_blank_element(const struct jsontext_split *s, size_t i)
{
	size_t len;
	const char *p = jsontext_element(s, i, &len);

	while (len > 0 && is_blank(*p)) {
		p++;
		len--;
	}
	return len == 0;
}

/*
 * The elements are known to have commas between them; so they are there where
 * none is blank, and the rest is right where it is with an empty array.
 */
static bool
is_right(const char *key, struct jsontext_split *s)
{
	_cleanup_buf_ struct buf rest = BUF_INIT;
	_cleanup_json_ struct json v = JSON_ABSENT, list = JSON_ABSENT;
	struct fail f;

	if (s->n == 1 && is_blank_element(s, 0))
		s->n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (is_blank_element(s, i))
			return false;
	buf_add(&rest, s->text, s->starts[0]);
	buf_add(&rest, s->text + s->end - 1, s->len - s->end + 1);
	if (json_parse_checked(NULL, rest.s, rest.len, &v, &f) < 0)
		return false;
	list = json_get(v, key);
	return json_kind(list) == JSON_ARRAY && json_count(list) == 0;
}

bool
jsontext_split(const char *text, size_t len, const char *key, struct jsontext_split *s)
{
	*s = (struct jsontext_split){ .text = text, .len = len };
	if (find_elements(text, len, key, s)) {
		s->end = s->starts[--s->n];	/* the last start is behind the array */
		if (is_right(key, s))
			return true;
	}
	jsontext_split_release(s);
	return false;
}

void
jsontext_split_release(struct jsontext_split *s)
{
	free(s->starts);
	*s = (struct jsontext_split)JSONTEXT_SPLIT_INIT;
}

/* Behind the string whose quote is at P, or NULL where it is not printed as it stands. */
static const char *
plain_string(const char *p, const char *end)
{
	uint64_t eight;

	for (p++; end - p >= 8; p += 8) {
		memcpy(&eight, p, 8);
		/* a quote, or what may need an escape: that is looked at byte by byte */
		if (zeros(eight & EVERY(0xe0)) | zeros(eight ^ EVERY(0x7f)) |
		    zeros(eight ^ EVERY('"')) | zeros(eight ^ EVERY('\\')))
			break;
	}
	for (; p < end && *p != '"'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
			return NULL;
	return p < end ? p + 1 : NULL;
}

/* Behind true, false, null or a whole number of at most 15 digits at P; NULL for anything else. */
static const char *
plain_token(const char *p, const char *end)
{
	static const char *const words[] = { "true", "false", "null" };
	const bool is_negative = *p == '-';
	const char *begin;

	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if (*p == words[i][0] && (size_t)(end - p) >= n && memcmp(p, words[i], n) == 0)
			return p + n;
	}
	p += is_negative;
	for (begin = p; p < end && *p >= '0' && *p <= '9'; p++)
		;
	if (p == begin || p - begin > 15 || (*begin == '0' && (p - begin > 1 || is_negative)))
		return NULL;
	return p == end || strchr(",]} \t\r\n", *p) ? p : NULL;
}

bool
jsontext_compact(const char *text, size_t len, struct buf *out)
{
	static const bool stands[256] = {
		['{'] = true, ['}'] = true, ['['] = true, [']'] = true, [':'] = true, [','] = true,
	};
	const char *p = text, *end = text + len;
	char *w;

	if (buf_reserve(out, len) < 0)
		return false;
	w = out->s + out->len;
	while (p < end) {
		const char *next;

		if (stands[(unsigned char)*p]) {
			*w++ = *p++;
			continue;
		}
		if (is_blank(*p)) {
			p++;
			continue;
		}
		next = *p == '"' ? plain_string(p, end) : plain_token(p, end);
		if (!next) {
			out->s[out->len] = '\0';
			return false;
		}
		w = mempcpy(w, p, (size_t)(next - p));
		p = next;
	}
	*w = '\0';
	out->len = (size_t)(w - out->s);
	return true;
}

/* Behind the value at P. */
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
		const char *behind = value < end ? end_of_value(value, end) : end;

		if (n == max || value >= end)
			return -EOPNOTSUPP;
		m[n++] = (struct jsontext_member){ .key = p + 1, .key_len = (size_t)(close - p) - 1,
		    .value = value, .value_len = (size_t)(behind - value) };
		p = behind + 1;
	}
	return are_distinct(m, n) ? n : -EOPNOTSUPP;
}
