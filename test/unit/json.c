/*
 * JSON values and text: random documents, rules of the reader, numbers, access.
 *
 * A document is generated together with what its compact form must be, so the
 * reader and the writer are compared with the generator and not with each other.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/json_filter.h"
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

/* A document, and its compact form. */
struct doc {
	struct buf text, compact;
};

static void
doc_both(struct doc *d, const char *s)
{
	buf_puts(&d->text, s);
	buf_puts(&d->compact, s);
}

static void
doc_blanks(struct doc *d)
{
	while (dice(4) == 0)
		buf_putc(&d->text, " \t\r\n"[dice(4)]);
}

static void
doc_string(struct doc *d, bool is_name)
{
	/* as it is written, and as it is written again; a name has no NUL */
	static const struct { const char *text, *compact; } pieces[] = {
		{ "\\u0000", "\\u0000" }, { "a", "a" }, { "id", "id" }, { "0123456789abcdef", "0123456789abcdef" },
		{ "\xc3\xa4", "\xc3\xa4" }, { "\xe2\x82\xac", "\xe2\x82\xac" }, { "/", "/" }, { "'", "'" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" }, { "\xc2\x80", "\xc2\x80" }, { "\x7f", "\\u007f" },
		{ "\\n", "\\n" }, { "\\\"", "\\\"" }, { "\\\\", "\\\\" }, { "\\u0041", "A" }, { "\\u001b", "\\u001b" },
		{ "\\uD83d\\ude00", "\xf0\x9f\x98\x80" }, { "\\/", "/" }, { " ", " " }, { "\\t", "\\t" },
		{ "\\u00e4", "\xc3\xa4" }, { "\\u20AC", "\xe2\x82\xac" }, { "\\u0009", "\\t" }, { "\\u000b", "\\u000b" },
		{ "{", "{" }, { "]", "]" }, { ",", "," }, { ":", ":" }, { "\\b\\f\\r", "\\b\\f\\r" }, { "\\uffff", "\xef\xbf\xbf" },
	};

	doc_both(d, "\"");
	for (unsigned int n = dice(5); n > 0; n--) {
		size_t i = is_name + dice(sizeof pieces / sizeof *pieces - is_name);

		buf_puts(&d->text, pieces[i].text);
		buf_puts(&d->compact, pieces[i].compact);
	}
	doc_both(d, "\"");
}

static void doc_value(struct doc *d, int depth);

static void
doc_container(struct doc *d, int depth, bool is_object)
{
	unsigned int n = dice(5);

	doc_both(d, is_object ? "{" : "[");
	for (unsigned int i = 0; i < n; i++) {
		if (i > 0)
			doc_both(d, ",");
		doc_blanks(d);
		if (is_object) {
			char unique[16];

			/* names of one object differ, so that nothing wins over anything */
			snprintf(unique, sizeof unique, "\"%u", i);
			doc_both(d, unique);
			doc_both(d, "\"");
			doc_blanks(d);
			doc_both(d, ":");
		}
		doc_value(d, depth - 1);
	}
	doc_blanks(d);
	doc_both(d, is_object ? "}" : "]");
}

static void
doc_value(struct doc *d, int depth)
{
	static const char *const scalars[] = {
		"null", "true", "false", "0", "1", "-1", "42", "-0", "0.1", "1e3", "1E-7", "1.0", "0.1000",
		"123456789012345", "1000000000000000", "12345678901234567890", "1e308", "5e-324",
		"-1.7976931348623157e308", "1e400", "-1e400", "0.00", "1E+5", "3.14159265358979323846264338327950288",
	};
	unsigned int kind = dice(depth > 0 ? 8 : 4);

	doc_blanks(d);
	if (kind < 2)
		doc_both(d, scalars[dice(sizeof scalars / sizeof *scalars)]);
	else if (kind < 4)
		doc_string(d, false);
	else
		doc_container(d, depth, kind >= 6);
	doc_blanks(d);
}

static int
complain(const char *what, const char *text, const char *got)
{
	printf("json: %s\n  text: %s\n  got: %s\n", what, text, got);
	return 1;
}

/* The reader, the writer and the compact form against the generator. */
static int
check_random(void)
{
	struct doc d = { BUF_INIT, BUF_INIT };
	struct buf ours = BUF_INIT, compact = BUF_INIT;
	struct json v = JSON_ABSENT, again = JSON_ABSENT;
	struct fail f;
	int bad = 0;

	doc_value(&d, DEPTH);
	if (json_parse(NULL, d.text.s, d.text.len, &v, &f) < 0)
		bad = complain("does not parse", d.text.s, f.text);
	json_format(v, &ours);
	if (!bad && strcmp(ours.s, d.compact.s) != 0)
		bad = complain("is written otherwise", d.compact.s, ours.s);
	if (jsontext_compact(NULL, d.text.s, d.text.len, &compact, &f) < 0 || strcmp(compact.s, d.compact.s) != 0)
		bad = complain("its compact form is another", d.compact.s, compact.s);
	if (json_parse(NULL, ours.s, ours.len, &again, &f) < 0 || !json_equal(v, again))
		bad = complain("does not come back", ours.s, f.text);
	json_release(&v);
	json_release(&again);
	buf_release(&d.text);
	buf_release(&d.compact);
	buf_release(&ours);
	buf_release(&compact);
	return bad;
}

/* A document with a byte changed is refused by both readers or by none, and then they agree. */
static int
check_damaged(void)
{
	struct doc d = { BUF_INIT, BUF_INIT };
	struct buf ours = BUF_INIT, compact = BUF_INIT, twice = BUF_INIT;
	struct json v = JSON_ABSENT, again = JSON_ABSENT;
	struct fail f, g;
	int bad = 0, r, q;

	doc_value(&d, DEPTH);
	d.text.s[dice((unsigned int)d.text.len)] = "[]{},:\"\\ 1x\x80\x01"[dice(13)];
	r = json_parse("x", d.text.s, d.text.len, &v, &f);
	q = jsontext_compact("x", d.text.s, d.text.len, &compact, &g);
	if (r != q || (r < 0 && (strcmp(f.text, g.text) != 0 || compact.len != 0)))
		bad = complain("one reader refuses what the other accepts", d.text.s, r < 0 ? f.text : g.text);
	if (!bad && r == 0) {
		json_format(v, &ours);
		if (json_parse(NULL, compact.s, compact.len, &again, &f) < 0 || !json_equal(v, again))
			bad = complain("the compact form is another value", d.text.s, compact.s);
		json_format(again, &twice);
		if (strcmp(ours.s, twice.s) != 0)
			bad = complain("is not stable", ours.s, twice.s);
	}
	json_release(&v);
	json_release(&again);
	buf_release(&d.text);
	buf_release(&d.compact);
	buf_release(&ours);
	buf_release(&compact);
	buf_release(&twice);
	return bad;
}

/* The elements and members that the text is split into are those of the value. */
static int
check_split(void)
{
	struct doc d = { BUF_INIT, BUF_INIT };
	struct buf b = BUF_INIT;
	struct json v = JSON_ABSENT, list = JSON_ABSENT;
	struct jsontext_split s = JSONTEXT_SPLIT_INIT;
	struct jsontext_member m[8];
	struct fail f;
	int bad = 0, n;

	doc_both(&d, "{\"a\":[1,{\"components\":[]}],\"components\":");
	doc_container(&d, 3, false);
	doc_both(&d, ",\"b\":");
	doc_value(&d, 2);
	doc_both(&d, "}");
	json_parse(NULL, d.compact.s, d.compact.len, &v, &f);
	list = json_get(v, "components");
	if (!jsontext_split(d.compact.s, d.compact.len, "components", &s) || s.n != json_count(list))
		bad = complain("split into another number", d.compact.s, "");
	for (size_t i = 0; !bad && i < s.n; i++) {
		struct json e = json_at(list, i);
		size_t len;
		const char *p = jsontext_element(&s, i, &len);

		buf_reset(&b);
		json_format(e, &b);
		json_release(&e);
		if (len != b.len || memcmp(p, b.s, len) != 0)
			bad = complain("an element is another", d.compact.s, b.s);
	}
	n = jsontext_members(d.compact.s, d.compact.len, m, 8);
	for (int i = 0; !bad && i < n; i++) {
		char key[16];
		struct json e;

		snprintf(key, sizeof key, "%.*s", (int)m[i].key_len, m[i].key);
		e = json_get(v, key);
		buf_reset(&b);
		json_format(e, &b);
		json_release(&e);
		if (m[i].value_len != b.len || memcmp(m[i].value, b.s, b.len) != 0)
			bad = complain("a member is another", d.compact.s, b.s);
	}
	jsontext_split_release(&s);
	json_release(&v);
	json_release(&list);
	buf_release(&d.text);
	buf_release(&d.compact);
	buf_release(&b);
	return bad;
}

static int
check_refused(void)
{
	static const struct { const char *text; size_t len; const char *why; } bad[] = {
		{ "", 0, "is not JSON: no value at column 1" }, { " ", 1, "no value" },
		{ "{", 1, "unfinished value" }, { "[1,]", 4, "unexpected character at column 4" },
		{ "{\"a\":1,}", 8, "expected a name in quotes at column 8" },
		{ "1 2", 3, "more than one value" }, { "{\"a\" 1}", 7, "expected ':'" },
		{ "[1\n 2]", 6, "expected ',' or ']' at line 2, column 2" }, { "{\"a\":1 2}", 9, "expected ',' or '}'" },
		{ "\"\xff\"", 3, "is not UTF-8 at byte 1" }, { "\"\xc0\x80\"", 4, "is not UTF-8" },
		{ "\"\xed\xa0\x80\"", 5, "is not UTF-8" }, { "\"a\0b\"", 5, "control character" },
		{ "\"a\nb\"", 5, "control character" }, { "\"a\tb\"", 5, "control character" },
		{ "\"\\ud800\"", 8, "lone surrogate" }, { "\"\\ud800\\u0041\"", 14, "lone surrogate" },
		{ "\"\\udc00\"", 8, "lone surrogate" }, { "\"\\ud800\\ud800\"", 14, "lone surrogate" },
		{ "{\"a\\u0000\":1}", 13, "NUL character in a name" },
		{ "\"\\x\"", 4, "invalid escape" }, { "\"\\u12g4\"", 8, "invalid escape" }, { "\"\\", 2, "invalid escape" },
		{ "\"\\u12", 5, "invalid escape" }, { "01", 2, "leading zero" }, { "-", 1, "invalid number" },
		{ "1.", 2, "invalid number" }, { ".5", 2, "unexpected" }, { "1e", 2, "invalid number" },
		{ "+1", 2, "unexpected" }, { "nan", 3, "unexpected" }, { "NaN", 3, "unexpected" }, { "Infinity", 8, "unexpected" },
		{ "'a'", 3, "unexpected" }, { "{a:1}", 5, "in quotes" }, { "[1", 2, "unfinished value" }, { "\"", 1, "unfinished string" },
		{ "]", 1, "unexpected" }, { "tru", 3, "unexpected" }, { "{}\x1e", 3, "more than one" },
		{ "[\xef\xbb\xbf{}]", 7, "unexpected" }, { "\xc2\xa0{}", 4, "unexpected" }, { "\x1e{}", 3, "unexpected" },
		{ "\xef\xbb\xbf", 3, "no value" }, { "{} // c", 7, "more than one" },
	};
	_cleanup_buf_ struct buf deep = BUF_INIT;
	struct json v = JSON_ABSENT;
	struct fail f;
	int failed = 0;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (json_parse("x", bad[i].text, bad[i].len, &v, &f) != -EBADMSG || f.status != EXIT_USAGE ||
		    strncmp(f.text, "x: is not ", 10) != 0 || !strstr(f.text, bad[i].why))
			failed |= complain("should be refused", bad[i].text, f.text);
	for (int i = 0; i < 257; i++)
		buf_putc(&deep, '[');
	for (int i = 0; i < 257; i++)
		buf_putc(&deep, ']');
	if (json_parse("x", deep.s, deep.len, &v, &f) == 0 || !strstr(f.text, "nested more than 256 deep"))
		failed |= complain("257 deep", "", f.text);
	if (json_parse("x", deep.s + 1, deep.len - 2, &v, &f) < 0)
		failed |= complain("256 deep", "", f.text);
	json_release(&v);
	if (json_parse("x", "\xef\xbb\xbf{}", 5, &v, &f) < 0)
		failed |= complain("a byte order mark", "", f.text);
	json_release(&v);
	return failed;
}

/* Numbers: their spelling, their value as a whole one, and which are equal. */
static int
check_numbers(void)
{
	static const struct { const char *text; bool is_whole; int64_t n; } whole[] = {
		{ "0", true, 0 }, { "-0", true, 0 }, { "-7", true, -7 }, { "9007199254740992", true, 9007199254740992 },
		{ "-9007199254740992", true, -9007199254740992 }, { "9007199254740993", false, 0 },
		{ "1e3", true, 1000 }, { "1.50e1", true, 15 }, { "2.0", true, 2 }, { "20e-1", true, 2 }, { "0e99", true, 0 },
		{ "1.5", false, 0 }, { "1e36", false, 0 }, { "-1e36", false, 0 }, { "1e-1", false, 0 },
		{ "1e99999999999999999999", false, 0 }, { "1e-99999999999999999999", false, 0 }, { "\"3\"", false, 0 }, { "null", false, 0 },
	};
	static const struct { const char *a, *b; bool same; } pairs[] = {
		{ "1", "1.0", true }, { "1", "10e-1", true }, { "0", "-0.0", true }, { "0.1", "0.1000", true },
		{ "100", "1E+2", true }, { "0.01", "1e-2", true }, { "12345678901234567890", "12345678901234567891", false },
		{ "1", "-1", false }, { "1", "10", false }, { "1e400", "1e401", false }, { "0.1", "0.01", false },
	};
	static const struct { double n; const char *text; } doubles[] = {
		{ 0, "0" }, { -0.0, "0" }, { 42, "42" }, { -1, "-1" }, { 0.1, "0.1" }, { 1e15, "1000000000000000" },
		{ 0.30000000000000004, "0.30000000000000004" }, { 1e300, "1e+300" }, { NAN, "null" }, { INFINITY, "null" },
	};
	struct fail f;
	int bad = 0;

	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
		_cleanup_json_ struct json v = JSON_ABSENT;
		int64_t n = -1;

		if (json_parse(NULL, whole[i].text, strlen(whole[i].text), &v, &f) < 0 ||
		    json_get_whole(v, &n) != whole[i].is_whole || n != whole[i].n)
			bad |= complain("is whole, or is not", whole[i].text, "");
	}
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		_cleanup_json_ struct json a = JSON_ABSENT, b = JSON_ABSENT;

		if (json_parse(NULL, pairs[i].a, strlen(pairs[i].a), &a, &f) < 0 ||
		    json_parse(NULL, pairs[i].b, strlen(pairs[i].b), &b, &f) < 0 ||
		    json_equal(a, b) != pairs[i].same || json_equal(b, a) != pairs[i].same)
			bad |= complain("equal, or not", pairs[i].a, pairs[i].b);
	}
	for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
		_cleanup_json_ struct json v = json_number(doubles[i].n);
		_cleanup_buf_ struct buf b = BUF_INIT;

		json_format(v, &b);
		if (strcmp(b.s, doubles[i].text) != 0)
			bad |= complain("a double is spelled otherwise", doubles[i].text, b.s);
	}
	return bad;
}

/* The last of two members with one name wins, at the place of the first, however many there are. */
static int
check_duplicates(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT, got = BUF_INIT, want = BUF_INIT;
	_cleanup_json_ struct json v = JSON_ABSENT;
	struct fail f;

	for (int turn = 0; turn < 2; turn++)
		for (int i = 0; i < 1000; i++)
			buf_printf(&text, "%s\"k%d\":%d", turn + i ? "," : "{", i, i + turn);
	buf_puts(&text, ",\"\\u006b5\":\"five\"}");
	for (int i = 0; i < 1000; i++)
		buf_printf(&want, i == 5 ? "%s\"k%d\":\"five\"" : "%s\"k%d\":%d", i ? "," : "{", i, i + 1);
	buf_putc(&want, '}');
	if (json_parse(NULL, text.s, text.len, &v, &f) < 0)
		return complain("does not parse", text.s, f.text);
	json_format(v, &got);
	return strcmp(got.s, want.s) == 0 ? 0 : complain("another one wins", want.s, got.s);
}

/* What one reference changes, another does not see. */
static int
check_sharing(void)
{
	static const char text[] = "{\"a\":[1,2],\"b\":{\"c\":\"x\"}}";
	_cleanup_json_ struct json v = JSON_ABSENT, w = JSON_ABSENT, a = JSON_ABSENT, taken = JSON_ABSENT;
	_cleanup_buf_ struct buf got = BUF_INIT;
	struct fail f;

	json_parse(NULL, text, strlen(text), &v, &f);
	w = json_copy(v);
	a = json_get(v, "a");
	json_append(&a, json_number(3));
	taken = json_take_at(&a, 0);
	json_set(&w, "a", json_copy(a));
	json_remove(&w, "b");
	json_set_text(&w, "d", NULL);
	for (struct json_iter it = json_begin(w); json_next(&it); )
		json_set(&w, "e", json_string("\xffy"));
	json_format(v, &got);
	buf_putc(&got, ' ');
	json_format(w, &got);
	buf_putc(&got, ' ');
	json_format(taken, &got);
	return strcmp(got.s, "{\"a\":[1,2],\"b\":{\"c\":\"x\"}} {\"a\":[null,2,3],\"d\":null,\"e\":\"\xef\xbf\xbdy\"} 1") == 0 ? 0 :
	    complain("values are not apart", text, got.s);
}

static int
check_access(void)
{
	static const char text[] = "{\"a\":\"x\",\"b\":[1,2,3],\"c\":{\"d\":null},\"a\":\"yes\",\"n\":7,\"f\":7.5,\"0\":\"a\\u0000b\"}";
	char copy[4] = "old";
	_cleanup_json_ struct json v = JSON_ABSENT, b = JSON_ABSENT, taken = JSON_ABSENT;
	struct fail f;
	int n = 0, bad = 0;

	if (json_parse(NULL, text, strlen(text), &v, &f) < 0)
		return complain("does not parse", text, f.text);
	if (strcmp(json_get_text(v, "a"), "yes") != 0 || json_get_text(v, "b") || json_get_text(v, "z"))
		bad = complain("json_get_text", text, "");
	json_copy_text(v, "a", copy, 4);
	if (strcmp(copy, "yes") != 0)
		bad = complain("json_copy_text", text, copy);
	for (const char *const *key = (const char *const[]){ "a", "b", "z", "0", NULL }; *key; key++) {
		strcpy(copy, "old");
		json_copy_text(v, *key, copy, 3);
		if (copy[0])
			bad = complain("json_copy_text of what is none, or does not fit", *key, copy);
	}
	if (json_get_whole_or(v, "n", -1) != 7 || json_get_whole_or(v, "f", -1) != -1 || json_get_whole_or(v, "z", 5) != 5 ||
	    json_get_whole_or(JSON_ABSENT, "n", 6) != 6)
		bad = complain("json_get_whole_or", text, "");
	for (struct json_iter it = json_begin(v); json_next(&it); )
		n++;
	b = json_get(v, "b");
	for (struct json_iter it = json_begin(b); json_next(&it); )
		n += 100;
	if (n != 6 || json_count(v) != 6 || json_count(b) != 3)
		bad = complain("json_next", text, "");
	taken = json_take_at(&b, 1);
	if (json_get_number(taken) != 2 || json_count(b) != 3)
		bad = complain("json_take_at", text, "");
	json_wipe(v, "a");
	/* what is left is no text any more */
	if (json_get_text(v, "a"))
		bad = complain("json_wipe", text, "");
	return bad;
}

/* A program sees doubles; the value it is asked about keeps its digits. */
static int
check_filter(void)
{
	static const char text[] = "{\"n\":12345678901234567890,\"s\":\"a\\u0000\",\"l\":[true,null,{\"x\":0.1000}]}";
	struct json_filter *p;
	_cleanup_json_ struct json v = JSON_ABSENT, out = JSON_ABSENT;
	_cleanup_buf_ struct buf got = BUF_INIT;
	struct fail f;
	int bad = 0;

	if (json_filter_new(".[", &f) || f.status != EXIT_USAGE || !f.text[0])
		bad = complain("a filter that is none", ".[", f.text);
	json_parse(NULL, text, strlen(text), &v, &f);
	p = json_filter_new(".n == 12345678901234567890 and (.s | length) == 2 and .l[2].x == 0.1", &f);
	if (json_filter_test(p, v, &f) != 1)
		bad = complain("the program is false", text, f.text);
	json_filter_free(p);
	p = json_filter_new("[.l, 1.5, 3]", &f);
	if (json_filter_first(p, v, &out, &f) < 0)
		bad = complain("no output", text, f.text);
	json_format(out, &got);
	json_release(&out);
	buf_putc(&got, ' ');
	json_format(v, &got);
	json_filter_free(p);
	if (strcmp(got.s, "[[true,null,{\"x\":0.1}],1.5,3] {\"n\":12345678901234567890,\"s\":\"a\\u0000\","
	    "\"l\":[true,null,{\"x\":0.1000}]}") != 0)
		bad = complain("output", text, got.s);
	p = json_filter_new("error(\"no\")", &f);
	if (json_filter_first(p, v, &out, &f) == 0 || json_filter_test(p, v, &f) >= 0)
		bad = complain("a program that fails", text, f.text);
	json_filter_free(p);
	p = json_filter_new("empty", &f);
	if (json_filter_first(p, v, &out, &f) < 0 || json_kind(out) != JSON_NONE || json_filter_test(p, v, &f) != 0)
		bad = complain("a program without output", text, f.text);
	json_filter_free(p);
	return bad;
}

int
main(void)
{
	int bad = 0;

	for (int i = 0; !bad && i < ROUNDS; i++)
		bad = check_random() | check_damaged() | check_split();
	return bad | check_refused() | check_numbers() | check_duplicates() | check_sharing() | check_access() | check_filter();
}
