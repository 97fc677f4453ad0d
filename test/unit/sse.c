/* base/sse and log/wire: the same, in whatever pieces it comes. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sse.h"
#include "input/protocol.h"

static int
add(const struct sse_event *e, void *cookie)
{
	struct buf *out = cookie;

	buf_printf(out, "%s|%s%s|", e->name, e->id, e->own_id ? "!" : "");
	buf_add(out, e->data, e->len);
	buf_puts(out, e->cut ? "...;" : ";");
	return 0;
}

static const struct { const char *text, *want; int retry; } cases[] = {
	{ "data: a\n\n", "message||a;", -1 },
	{ "data: a\r\n\r\ndata: b\r\rdata: c\n\n", "message||a;message||b;message||c;", -1 },
	{ "\xef\xbb\xbf" "data: a\n\n", "message||a;", -1 },
	{ "\xef\xbb" "data: a\n\n", "", -1 },
	{ "data: a\ndata\ndata:  b\n\n", "message||a\n\n b;", -1 },
	{ "data\n\n", "message||;", -1 },
	{ "event: x\n\ndata:y\n\n", "message||y;", -1 },
	{ "event: x\ndata:y\n\ndata:z\n\n", "x||y;message||z;", -1 },
	{ "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "message|1!|a;message|1|b;message|!|c;", -1 },
	{ ": hello\n:\n\nretry: 250\n\nretry: x\nretry: -1\n\n", "", 250 },
	{ "data: not ended\n", "", -1 },
	{ "unknown: x\ndata : x\nDATA: x\n\n", "", -1 },
	{ "data: 0123456789012345678901234567890123456789\n\n", "message||01234567890123456789012345...;", -1 },
	{ "data: 01234567890123456789\ndata: 01234567890123456789\n\n",
	    "message||01234567890123456789\n01234567890...;", -1 },
};

static void
check(size_t i, size_t step)
{
	_cleanup_buf_ struct buf got = BUF_INIT;
	const size_t n = strlen(cases[i].text);
	struct sse s;

	sse_init(&s, 32, add, &got);
	for (size_t at = 0; at < n; at += step)
		assert(sse_feed(&s, cases[i].text + at, n - at < step ? n - at : step) == 0);
	if (strcmp(got.s, cases[i].want) != 0 || s.retry_ms != cases[i].retry) {
		printf("sse %zu by %zu: got '%s' (%jd), want '%s'\n", i, step, got.s, (intmax_t)s.retry_ms,
		    cases[i].want);
		exit(1);
	}
	sse_release(&s);
}

static void
wire_add_event(const char *id, const char *text, size_t n, void *cookie)
{
	buf_printf(cookie, "E%s=", id);
	buf_add(cookie, text, n);
	buf_putc(cookie, ';');
}

static void
wire_add_gap(const char *why, void *cookie)
{
	buf_printf(cookie, "G%s;", why);
}

static void
wire_add_tell(const struct fail *f, void *cookie)
{
	buf_printf(cookie, "T%d %s;", f->status, f->text);
}

static void
check_wire(size_t step)
{
	_cleanup_buf_ struct buf text = BUF_INIT, in = BUF_INIT, got = BUF_INIT;
	const struct protocol_ops ops = { wire_add_event, wire_add_gap, wire_add_tell, &got };
	struct fail f;

	protocol_event(&text, "i d", "two\nlines", 9);
	protocol_gap(&text, "why\nnot");
	fail_set(&f, EXIT_BUSY, "held");
	protocol_tell(&text, &f);
	protocol_event(&text, "", "", 0);
	for (size_t at = 0; at < text.len; at += step) {
		buf_add(&in, text.s + at, text.len - at < step ? text.len - at : step);
		assert(protocol_parse(&in, &ops) == 0);
	}
	if (in.len || strcmp(got.s, "Ei d=two\nlines;Gwhy not;T6 held;E=;") != 0) {
		printf("wire by %zu: '%s'\n", step, got.s);
		exit(1);
	}
}

int
main(void)
{
	static const char *const bad[] = { "event x \n", "event 1 \nab\n", "tell 9 x\n", "what\n", "gap\n", "tell 1\n" };
	_cleanup_buf_ struct buf out = BUF_INIT;
	const struct protocol_ops ops = { wire_add_event, wire_add_gap, wire_add_tell, &out };

	for (size_t step = 1; step < 60; step++) {
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			check(i, step);
		check_wire(step);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		_cleanup_buf_ struct buf in = BUF_INIT;

		buf_puts(&in, bad[i]);
		if (protocol_parse(&in, &ops) == 0) {
			printf("wire takes '%s'\n", bad[i]);
			return 1;
		}
	}
	return 0;
}
