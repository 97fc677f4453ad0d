#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/io.h"
#include "component/records.h"

struct source {
	const char *text;
	size_t len, at, piece;
	int fds[2];
	struct loop *loop;
	struct records *records;
	struct buf *out;
};

/* The next piece, or the end. */
static void
supply(struct source *s)
{
	size_t n = s->len - s->at < s->piece ? s->len - s->at : s->piece;

	if (n == 0)
		io_closep(&s->fds[1]);
	else if (io_write_all(s->fds[1], s->text + s->at, n) < 0)
		exit(1);
	s->at += n;
}

static void
taken(void *cookie)
{
	struct source *s = cookie;
	struct json v;
	struct fail f;
	int e;

	while ((e = records_next(s->records, &v, &f)) != 0) {
		if (e > 0) {
			buf_printf(s->out, "[%s]", json_get_text(v, "id"));
			json_release(&v);
		} else {
			buf_printf(s->out, "{%s}", f.text);
		}
	}
	if (records_is_at_end(s->records))
		loop_stop(s->loop, 0);
	else
		supply(s);
}

/* Every record's id, every bad line's message, in one text. */
static void
all(const char *text, size_t len, size_t piece, struct buf *out)
{
	struct source s = { text, len, 0, piece, { -1, -1 }, loop_new(), NULL, out };

	if (pipe(s.fds) < 0)
		exit(1);
	s.records = records_open(s.loop, s.fds[0], taken, &s);
	records_watch(s.records, true);
	supply(&s);
	loop_run(s.loop);
	records_close(s.records);
	loop_free(s.loop);
	io_closep(&s.fds[0]);
	io_closep(&s.fds[1]);
}

int
main(void)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "", "" },
		{ "\n\r\n  \n", "" },
		{ "{\"id\":\"a\"}\n{\"id\":\"b\"}\n", "[a][b]" },
		{ "{\"id\":\"a\"}\r\n{\"id\":\"b\"}", "[a][b]" },
		{ "{\"id\":\"a\"}\nnonsense\n\n{\"id\":\"c\"}\n{\"id\":5}\n",
		    "[a]{line 2: is not JSON: unexpected character at column 1}[c]"
		    "{line 5: id is a number, not a string}" },
		{ "[]\n", "{line 1: is an array, not an object}" },
		{ "{\"id\":\"a\"", "{line 1: is not JSON: unfinished value at column 10}" },
	};
	struct buf big = BUF_INIT;
	int bad = 0;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t piece = 1; piece < 100; piece = piece * 3 + 1) {
			struct buf got = BUF_INIT;

			all(cases[i].text, strlen(cases[i].text), piece, &got);
			if (strcmp(got.s, cases[i].want) != 0) {
				printf("records: %s: got %s, want %s\n", cases[i].text, got.s,
				    cases[i].want);
				bad = 1;
			}
			buf_release(&got);
		}
	/* a line that is too long is one bad line, whatever it is read in */
	buf_puts(&big, "{\"id\":\"a\"}\n\"");
	for (int i = 0; i < 3 * FILE_DATA_MAX / 16; i++)
		buf_puts(&big, "0123456789abcdef");
	buf_puts(&big, "\"\n{\"id\":\"b\"}\n");
	struct buf got = BUF_INIT;
	all(big.s, big.len, 65536, &got);
	if (strcmp(got.s, "[a]{line 2: longer than 1048576 bytes}[b]") != 0) {
		printf("records: long line: got %s\n", got.s);
		bad = 1;
	}
	buf_release(&got);
	buf_release(&big);
	return bad;
}
