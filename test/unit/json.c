/* The compact writer against libjq's own printing, and the short cuts over text against both. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/jsontext.h"

enum { ROUNDS = 4000, DEPTH = 5 };

static uint64_t seed = 88172645463325252;

/* From 0 to N - 1, the same in every run (xorshift64). */
static unsigned int
dice(unsigned int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)(seed >> 33) % n;
}

static const char *
pick(const char *const list[], size_t n)
{
	return list[dice((unsigned int)n)];
}

#define PICK(list)	pick(list, sizeof (list) / sizeof *(list))

static void
blanks(struct buf *out)
{
	while (dice(4) == 0)
		buf_putc(out, " \t\r\n"[dice(4)]);
}

static void
string(struct buf *out)
{
	static const char *const pieces[] = {
		"a", "id", "version", "0123456789abcdef", "\xc3\xa4", "\xe2\x82\xac",
		"\xf0\x9f\x98\x80", "\xc2\x80", "\x7f", "\x1f", "\n", "\\n", "\\\"", "\\\\",
		"\\u0041", "\\u0000", "\\ud83d\\ude00", "\\ud800", "/", "\\/", "'", " ", "\\t",
		"\\u001b", "{", "]", ",", ":",
	};
	unsigned int n = dice(5);

	buf_putc(out, '"');
	while (n-- > 0)
		buf_puts(out, dice(2) ? pieces[dice(4)] : PICK(pieces));
	buf_putc(out, '"');
}

static void
value(struct buf *out, int depth)
{
	static const char *const scalars[] = {
		"null", "true", "false", "0", "1", "-1", "42", "-0", "0.1", "1e3", "1E-7", "1.0",
		"123456789012345", "999999999999999", "1000000000000000", "12345678901234567890",
		"1e308", "-1.7976931348623157e308", "5e-324", "3.14159265358979", "0.30000000000000004",
		"1e15", "1e17", "1e400", "-1e400", "100000000000000000000", "1e-5", "-12.5",
	};
	static const char *const keys[] = { "\"a\"", "\"b\"", "\"id\"", "\"components\"" };
	unsigned int kind = dice(depth > 0 ? 8 : 4), n = dice(5);

	blanks(out);
	if (kind < 2) {
		buf_puts(out, PICK(scalars));
	} else if (kind < 4) {
		string(out);
	} else {
		buf_putc(out, kind < 6 ? '[' : '{');
		for (unsigned int i = 0; i < n; i++) {
			if (i > 0)
				buf_putc(out, ',');
			blanks(out);
			if (kind >= 6) {
				if (dice(3) == 0)
					buf_puts(out, PICK(keys));
				else
					string(out);
				blanks(out);
				buf_putc(out, ':');
			}
			value(out, depth - 1);
			blanks(out);
		}
		blanks(out);
		buf_putc(out, kind < 6 ? ']' : '}');
	}
	blanks(out);
}

static int
complain(const char *what, const char *text, const char *got)
{
	printf("json: %s\n  text: %s\n  got: %s\n", what, text, got);
	return 1;
}

/* What json_format() makes of V is what libjq's tojson does, and means V. */
static int
check_format(struct json_filter *same, struct json v, const char *text)
{
	_cleanup_buf_ struct buf ours = BUF_INIT;
	struct json pair = json_object(), again = JSON_ABSENT;
	struct fail f;
	int bad = 0;

	json_format(v, &ours);
	json_set(&pair, "v", json_copy(v));
	json_set(&pair, "t", json_string_n(ours.s, ours.len));
	if (json_filter_test(same, pair, &f) != 1)
		bad = complain("not as libjq prints it", text, ours.s);
	json_release(&pair);
	/* what is too big for a double is printed as the biggest */
	if (json_parse(NULL, ours.s, ours.len, &again, &f) < 0 ||
	    (!json_equal(again, v) && !strstr(text, "e400")))
		bad = complain("does not come back", text, ours.s);
	json_release(&again);
	return bad;
}

/* Where the short cut says yes, it says what the long way does. */
static int
check_compact(struct json v, const char *text, size_t len)
{
	_cleanup_buf_ struct buf compact = BUF_INIT, ours = BUF_INIT;
	struct jsontext_member m[8];
	int n;

	if (!jsontext_compact(text, len, &compact))
		return compact.len == 0 ? 0 : complain("left something behind", text, compact.s);
	json_format(v, &ours);
	if (*compact.s != '{')
		return 0;
	n = jsontext_members(compact.s, compact.len, m, 8);
	if (n < 0)
		return 0;
	if (strcmp(compact.s, ours.s) != 0)
		return complain("compact is something else", text, compact.s);
	if ((size_t)n != json_count(v))
		return complain("not as many members", text, compact.s);
	for (int i = 0; i < n; i++) {
		char key[128];
		_cleanup_buf_ struct buf b = BUF_INIT;
		_cleanup_json_ struct json member = JSON_ABSENT;

		snprintf(key, sizeof key, "%.*s", (int)m[i].key_len, m[i].key);
		member = json_get(v, key);
		json_format(member, &b);
		if (b.len != m[i].value_len || memcmp(b.s, m[i].value, b.len) != 0)
			return complain("a member is something else", text, key);
	}
	return 0;
}

/* If TEXT can be split and all elements are right, then the whole is, and the same. */
static int
check_split(const char *text, size_t len)
{
	struct jsontext_split s;
	_cleanup_json_ struct json v = JSON_ABSENT, list = JSON_ABSENT;
	struct fail f;
	bool right = json_parse(NULL, text, len, &v, &f) == 0, elements_right = true;
	int bad = 0;

	if (jsontext_check(NULL, text, len, &f) < 0 || !jsontext_split(text, len, "components", &s))
		return 0;
	list = json_get(v, "components");
	if (right && (json_kind(list) != JSON_ARRAY || json_count(list) != s.n))
		bad = complain("split into another number", text, "");
	for (size_t i = 0; !bad && i < s.n; i++) {
		struct json e = JSON_ABSENT, want = json_at(list, i);
		size_t n;
		const char *p = jsontext_element(&s, i, &n);

		if (json_parse_checked(NULL, p, n, &e, &f) < 0) {
			elements_right = false;
		} else if (right && !json_equal(e, want)) {
			bad = complain("an element is something else", text, p);
		}
		json_release(&e);
		json_release(&want);
	}
	if (!bad && right != elements_right)
		bad = complain("the elements are right and the whole is not, or else", text, "");
	jsontext_split_release(&s);
	return bad;
}

static int
check_random(struct json_filter *same)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct json v = JSON_ABSENT;
	struct fail f;
	int bad;

	value(&text, DEPTH);
	if (json_parse(NULL, text.s, text.len, &v, &f) < 0)
		/* libjq's releases do not agree on these */
		return strstr(f.text, "surrogate") || strstr(f.text, "control characters") ? 0 :
		    complain("does not parse", text.s, f.text);
	bad = check_format(same, v, text.s) | check_compact(v, text.s, text.len);
	json_release(&v);
	return bad;
}

static int
check_random_split(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	unsigned int n = dice(6);
	int bad;

	blanks(&text);
	buf_puts(&text, dice(4) ? "{" : "{\"a\":[1,{\"components\":[]}],");
	blanks(&text);
	buf_puts(&text, "\"components\"");
	blanks(&text);
	buf_putc(&text, ':');
	blanks(&text);
	buf_putc(&text, '[');
	for (unsigned int i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(&text, ',');
		value(&text, 3);
	}
	blanks(&text);
	buf_puts(&text, dice(4) ? "]}" : dice(2) ? "],\"b\":2}" : "],\"\\u0063omponents\":[3]}");
	blanks(&text);
	bad = check_split(text.s, text.len);
	/* now with a byte changed */
	text.s[dice((unsigned int)text.len)] = "[]{},:\"\\ 1x"[dice(11)];
	return bad | check_split(text.s, text.len);
}

static int
check_refused(void)
{
	static const struct { const char *text; size_t len; } bad[] = {
		{ "", 0 }, { " ", 1 }, { "{", 1 }, { "[1,]", 4 }, { "{\"a\":1,}", 8 }, { "1 2", 3 },
		{ "\"\xff\"", 3 }, { "\"\xc0\x80\"", 4 }, { "\"\xed\xa0\x80\"", 5 }, { "\"a\0b\"", 5 },
		{ "'a'", 3 }, { "{a:1}", 5 }, { "[1", 2 }, { "\"", 1 }, { "\"\\", 2 }, { "]", 1 },
		{ "tru", 3 }, { "{}\x1e", 3 }, { "[\xef\xbb\xbf{}]", 7 },
		{ "\xc2\xa0{}", 4 }, { "\x1e{}", 3 }, { "\xef\xbb\xbf", 3 },
	};
	_cleanup_buf_ struct buf deep = BUF_INIT;
	struct json v = JSON_ABSENT;
	struct fail f;
	int failed = 0;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (json_parse("x", bad[i].text, bad[i].len, &v, &f) != -EBADMSG ||
		    f.status != EXIT_USAGE || strncmp(f.text, "x: ", 3) != 0)
			failed |= complain("should be refused", bad[i].text, f.text);
	for (int i = 0; i < 257; i++)
		buf_putc(&deep, '[');
	for (int i = 0; i < 257; i++)
		buf_putc(&deep, ']');
	if (json_parse("x", deep.s, deep.len, &v, &f) == 0 || !strstr(f.text, "nested"))
		failed |= complain("257 deep", "", f.text);
	if (json_parse("x", deep.s + 1, deep.len - 2, &v, &f) < 0)
		failed |= complain("256 deep", "", f.text);
	json_release(&v);
	return failed;
}

/* What is whole, and what only looks like a number of ours. */
static int
check_whole(void)
{
	static const struct { const char *text; bool is_whole; int64_t n; } table[] = {
		{ "0", true, 0 }, { "-7", true, -7 }, { "9007199254740992", true, 9007199254740992 },
		{ "1.5", false, 0 }, { "1e36", false, 0 }, { "-1e36", false, 0 },
		{ "\"3\"", false, 0 }, { "null", false, 0 },
	};
	struct fail f;
	int bad = 0;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		_cleanup_json_ struct json v = JSON_ABSENT;
		int64_t n = -1;

		if (json_parse(NULL, table[i].text, strlen(table[i].text), &v, &f) < 0 ||
		    json_get_whole(v, &n) != table[i].is_whole || n != table[i].n)
			bad |= complain("whole", table[i].text, "is taken for another");
	}
	return bad;
}

static int
check_access(void)
{
	static const char text[] = "{\"a\":\"x\",\"b\":[1,2,3],\"c\":{\"d\":null},\"a\":\"y\"}";
	_cleanup_json_ struct json v = JSON_ABSENT, b = JSON_ABSENT, taken = JSON_ABSENT;
	struct fail f;
	int n = 0, bad = 0;

	if (json_parse(NULL, text, strlen(text), &v, &f) < 0)
		return complain("does not parse", text, f.text);
	if (strcmp(json_get_text(v, "a"), "y") != 0 || json_get_text(v, "b") || json_get_text(v, "z"))
		bad = complain("json_get_text", text, "");
	for (struct json_iter it = json_begin(v); json_next(&it); )
		n++;
	b = json_get(v, "b");
	for (struct json_iter it = json_begin(b); json_next(&it); )
		n += 100;
	if (n != 3 || json_count(v) != 3 || json_count(b) != 3)
		bad = complain("json_next", text, "");
	taken = json_take_at(&b, 1);
	if (json_get_number(taken) != 2 || json_count(b) != 3)
		bad = complain("json_take_at", text, "");
	if (json_filter_new(".[", &f) || f.status != EXIT_USAGE || !f.text[0])
		bad = complain("a filter that is none", ".[", f.text);
	return bad;
}

int
main(void)
{
	struct fail f;
	struct json_filter *same = json_filter_new("(.v | tojson) == .t", &f);
	int bad = same ? 0 : complain("filter", "", f.text);

	for (int i = 0; same && !bad && i < ROUNDS; i++)
		bad = check_random(same) | check_random_split();
	json_filter_free(same);
	return bad | check_refused() | check_whole() | check_access();
}
