/* What is written: escapes beside libjq's, records of any length as JSON, buffers. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "../merging.h"
#include "log/sources.h"
#include "output/escape.h"

static uint32_t seed = 1;

static unsigned
below(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (unsigned)((uint64_t)(seed >> 4) * n >> 28);
}

/* Text of N bytes or a few more, mostly plain, with what has to be escaped and characters of 2 to 4 bytes. */
static void
add_random(struct buf *b, size_t n)
{
	static const char *const odd[] = { "\"", "\\", "\n", "\r", "\t", "\b", "\f", "\x01", "\x1f", "\x7f", "é", "€", "😀", "\xc2\x80",
	    "\xe2\x80\xa8" };

	for (size_t end = b->len + n; b->len < end;) {
		if (below(12))
			buf_putc(b, (char)(' ' + below(0x5f)));
		else
			buf_puts(b, odd[below(sizeof odd / sizeof *odd)]);
	}
}

static void
escapes_as_libjq_does(void)
{
	for (int i = 0; i < 3000; i++) {
		_cleanup_buf_ struct buf text = BUF_INIT, want = BUF_INIT;
		_cleanup_json_ struct json v = JSON_ABSENT;
		_cleanup_free_ char *out = NULL;
		size_t len;

		add_random(&text, below(70));
		if (below(8) == 0)
			buf_add(&text, "\0", 1);
		v = json_string_n(text.s, text.len);
		json_format(v, &want);
		out = xrealloc(NULL, ESCAPE_ROOM(text.len), 1);
		assert(escape_json(out, text.s, text.len, &len) == text.len);
		assert(len + 2 == want.len && memcmp(out, want.s + 1, len) == 0);
	}
}

static void
stops_at_what_is_not_utf8(void)
{
	static const char *const bad[] = { "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc0\x80", "\xed\xa0\x80", "\x80" };

	for (int i = 0; i < 2000; i++) {
		_cleanup_buf_ struct buf text = BUF_INIT;
		_cleanup_free_ char *out = NULL;
		size_t len;

		add_random(&text, below(40));
		buf_puts(&text, bad[below(sizeof bad / sizeof *bad)]);
		if (below(2))
			add_random(&text, below(40));
		out = xrealloc(NULL, ESCAPE_ROOM(text.len), 1);
		assert(escape_json(out, text.s, text.len, &len) == utf8_check(text.s, text.len));
	}
}

static void
knows_a_torn_end(void)
{
	static const struct { const char *text; size_t torn; } cases[] = {
		{ "", 0 }, { "abc", 0 }, { "é", 0 }, { "\xc3", 1 }, { "a\xe2\x82", 2 }, { "a\xe2", 1 }, { "€", 0 }, { "\xf0\x9f\x98", 3 },
		{ "😀", 0 }, { "\x80\x80\x80\x80", 0 }, { "\xc3\x80\x80", 0 }, { "\xff", 1 }, { "\n", 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert(escape_torn(cases[i].text, strlen(cases[i].text)) == cases[i].torn);
}

static void
base64_can_be_joined(void)
{
	char whole[64], parts[64];
	size_t n = escape_base64(whole, "any carnal pleas\xff", 17), at;

	assert(n == ESCAPE_BASE64_ROOM(17) && memcmp(whole, "YW55IGNhcm5hbCBwbGVhc/8=", n) == 0);
	at = escape_base64(parts, "any carn", 6);
	at += escape_base64(parts + at, "rnal pleas\xff", 11);
	assert(at == n && memcmp(whole, parts, n) == 0);
}

/* The bytes that TEXT is the base64 of, added to OUT. */
static void
add_decoded(struct buf *out, const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; *text; text += 4) {
		uint32_t v = 0;
		unsigned n = 3;

		for (int i = 0; i < 4; i++) {
			const char *d = strchr(digits, text[i]);

			n -= text[i] == '=';
			v = v << 6 | (text[i] == '=' ? 0 : (uint32_t)(d - digits));
		}
		for (unsigned i = 0; i < n; i++)
			buf_putc(out, (char)(v >> (16 - 8 * i)));
	}
}

/* The records of a file that holds TEXT, as JSON: its N lines, parsed. */
static void
as_json(const char *dir, const struct buf *text, struct json *lines, size_t n)
{
	_cleanup_free_ char *path = xasprintf("%s/a.log", dir);
	struct render_style style = { .json = true };
	struct source_specs specs = { .v = NULL };
	struct formats formats = { NULL, 0 };
	struct causal_count count;
	struct rules none = { NULL, 0 };
	struct merging m = { .rules = &none, .buffer = SIZE_MAX };
	struct sources all;
	struct render out;
	struct fail f;
	const char *p;

	assert(file_write(path, text->s, text->len) == 0);
	assert(source_specs_add(&specs, path, &f) == 0);
	source_specs_finish(&specs);
	assert(sources_open(&all, &(struct sources_wanted){ &specs, &formats, NULL, NULL }, &f) == 0 && all.n == 1);
	render_init(&out, -1, &style);
	merging_run(all.v, all.n, &m, &out, &count);
	assert((size_t)count.records == n);
	p = out.w.buf;
	for (size_t i = 0; i < n; i++) {
		const char *nl = memchr(p, '\n', (size_t)(out.w.buf + out.w.len - p));

		assert(nl && json_parse("line", p, (size_t)(nl - p), &lines[i], &f) == 0);
		p = nl + 1;
	}
	assert(p == out.w.buf + out.w.len);
	sources_close(&all, NULL, NULL);
	render_release(&out);
	source_specs_release(&specs);
}

/* What "text" and "text_b64" hold together is the record, whatever its length and wherever it is no UTF-8. */
static void
holds_the_record(const char *dir)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 4000, 16384, 16385, 70000, 1 << 20, (1 << 20) + 1, (3 << 20) + 5, 5 << 20 };

	for (unsigned i = 0; i < 4 * sizeof sizes / sizeof *sizes; i++) {
		const char *stamp = "2026-11-21T20:16:00.123456Z ", *t, *b64;
		struct json line[2] = { JSON_ABSENT, JSON_ABSENT };
		_cleanup_buf_ struct buf text = BUF_INIT, got = BUF_INIT;
		size_t n = sizes[i / 4], at, end;
		bool valid = i % 4 == 0 || n == 0;

		buf_puts(&text, stamp);
		for (at = text.len; text.len < at + n;)
			buf_puts(&text, below(30) ? "plain text, " : "€\t\"\\");
		text.len = at + n;
		while (utf8_check(text.s, text.len) < text.len)
			text.s[utf8_check(text.s, text.len)] = 'x';
		if (!valid)
			text.s[i % 4 == 1 ? at : i % 4 == 2 ? at + n / 2 : text.len - 1] = (char)0xff;
		end = text.len;
		buf_putc(&text, '\n');
		buf_puts(&text, "2026-11-21T20:16:01Z next\n");
		as_json(dir, &text, line, 2);
		t = json_get_text(line[0], "text");
		b64 = json_get_text(line[0], "text_b64");
		assert(t || b64);
		assert(valid ? t && !b64 : b64 != NULL);
		if (t)
			buf_puts(&got, t);
		if (b64)
			add_decoded(&got, b64);
		assert(got.len == end && memcmp(got.s, text.s, end) == 0);
		assert(strcmp(json_get_text(line[0], "time"), "2026-11-21T20:16:00.123456Z") == 0);
		assert(strcmp(json_get_text(line[1], "text"), "2026-11-21T20:16:01Z next") == 0);
		json_release(&line[0]);
		json_release(&line[1]);
	}
}

static void
keeps_the_resolution_of_times(const char *dir)
{
	static const struct { const char *text, *time; } cases[] = {
		{ "2026-11-21T20:16:00Z a\n", "2026-11-21T20:16:00.000000Z" },
		{ "2026-11-21T20:16:00.5Z a\n", "2026-11-21T20:16:00.500000Z" },
		{ "2026-11-21T20:16:00.123456789Z a\n", "2026-11-21T20:16:00.123456789Z" },
		{ "2026-11-21T20:16:00.1234567Z a\n", "2026-11-21T20:16:00.123456700Z" },
		{ "1969-12-31T23:59:59.999999Z a\n", "1969-12-31T23:59:59.999999Z" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		_cleanup_buf_ struct buf text = BUF_INIT;
		struct json line = JSON_ABSENT;
		const char *got;

		buf_puts(&text, cases[i].text);
		as_json(dir, &text, &line, 1);
		got = json_get_text(line, "time");
		if (!got || strcmp(got, cases[i].time) != 0)
			fprintf(stderr, "%s: %s\n", cases[i].text, got ? got : "(none)");
		assert(got && strcmp(got, cases[i].time) == 0);
		json_release(&line);
	}
}

/* What is put is what arrives, copied or written in place. */
static void
writes_all_in_order(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/out", dir);
	_cleanup_buf_ struct buf want = BUF_INIT, got = BUF_MAX(64 << 20);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct writer w;
	struct fail f;

	assert(fd >= 0);
	writer_init(&w, fd, 0);
	for (int i = 0; i < 300; i++) {
		size_t n = below(10) ? below(3000) : below(3 * WRITER_IN_PLACE), from = want.len;

		add_random(&want, n);
		writer_put(&w, want.s + from, want.len - from);
	}
	writer_flush(&w);
	assert(w.error == 0);
	assert(file_load(path, 0, 64 << 20, &got, &f) == 0);
	assert(got.len == want.len && memcmp(got.s, want.s, want.len) == 0);
	writer_release(&w);
	close(fd);
}

static void
keeps_the_first_error(void)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	_cleanup_free_ char *big = xcalloc(1, 2 * WRITER_IN_PLACE);
	struct writer w;

	assert(fd >= 0);
	writer_init(&w, fd, 0);
	writer_puts(&w, "a");
	assert(w.error == 0);
	writer_put(&w, big, 2 * WRITER_IN_PLACE);
	assert(w.error == -ENOSPC);
	writer_puts(&w, "b");
	writer_flush(&w);
	assert(w.error == -ENOSPC && w.len == 0);
	writer_release(&w);
	close(fd);
}

int
main(void)
{
	char dir[] = "/tmp/rejoin-output.XXXXXX";

	assert(mkdtemp(dir));
	escapes_as_libjq_does();
	stops_at_what_is_not_utf8();
	knows_a_torn_end();
	base64_can_be_joined();
	holds_the_record(dir);
	keeps_the_resolution_of_times(dir);
	writes_all_in_order(dir);
	keeps_the_first_error();
	return file_remove_tree(dir) < 0;
}
