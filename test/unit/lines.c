#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/reason.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/lines.h"
#include "base/xalloc.h"

/* The lines of N bytes of TEXT, written in pieces of STEP, a "|" after each. */
static void
read_all(const char *text, size_t n, size_t step, struct buf *out)
{
	_cleanup_free_ struct lines *l = xcalloc(1, sizeof *l);
	const char *line;
	ssize_t got = 1;
	size_t len, at = 0;
	int fds[2];

	assert(pipe(fds) == 0);
	while (got > 0) {
		size_t take = n - at < step ? n - at : step;

		if (at < n)
			assert(io_write_all(fds[1], text + at, take) == 0);
		else
			close(fds[1]);
		at += take;
		got = lines_read(l, fds[0]);
		assert(got >= 0);
		while (lines_next(l, &line, &len)) {
			buf_add(out, line, len < 50 ? len : 50);
			buf_putc(out, '|');
		}
	}
	close(fds[0]);
}

static void
check(const char *text, size_t n, const char *want)
{
	for (size_t step = 1; step <= 60000; step = step * 7 + 1) {
		_cleanup_buf_ struct buf b = BUF_INIT;

		if (n > 1000 && step < 1000)
			continue;
		read_all(text, n, step, &b);
		if (strcmp(b.s, want) != 0) {
			printf("lines: by %zu: got '%s', want '%s'\n", step, b.s, want);
			exit(1);
		}
	}
}

static const struct {
	const char *line, *reason;
} reasons[] = {
	{ "", "" }, { "plain words", "plain words" }, { "a\tb\033[2J\x7f", "a?b?[2J?" },
	{ "{\"id\":\"cam\"}", "cam" }, { " { \"id\" : \"cam\" } ", "cam" },
	{ "{\"was\":{\"id\":\"no\"},\"list\":[{\"id\":\"no\"}],\"id\":\"yes\"}", "yes" },
	{ "{\"name\":\"id\",\"id\":\"yes\"}", "yes" }, { "{\"a\":\"\\\"id\\\":\\\"no\",\"id\":\"y\"}", "y" },
	{ "{\"id\":7}", "{\"id\":7}" }, { "{\"id\":\"open", "{\"id\":\"open" }, { "{", "{" },
	{ "\xc3\xa4\xff", "\xc3\xa4?" },
};

int
main(void)
{
	char *big = malloc(200010), reason[REASON_MAX + 1];

	check("", 0, "");
	check("one\n\nthree\n", 11, "one||three|");
	check("one\ntwo", 7, "one|two|");
	check("\n", 1, "|");
	/* of a line too long for it only the beginning is handed out, and the next one whole */
	memset(big, 'x', 200000);
	memcpy(big + 200000, "\nafter\n", 7);
	check(big, 200007, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|after|");
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		reason_of_line(reasons[i].line, strlen(reasons[i].line), reason);
		if (strcmp(reason, reasons[i].reason) != 0) {
			printf("reason of '%s' is '%s'\n", reasons[i].line, reason);
			return 1;
		}
	}
	/* cut at the end of a character */
	for (int i = 0; i < 300; i += 2)
		memcpy(big + i, "\xc3\xa4", 2);
	reason_clean(big, 300, reason);
	assert(strlen(reason) == REASON_MAX);
	reason_clean(big + 1, 299, reason);
	assert(strlen(reason) == REASON_MAX || strlen(reason) == REASON_MAX - 1);
	reason_clean("x", 1, reason);
	memmove(big + 1, big, 300);
	*big = 'x';
	reason_clean(big, 301, reason);
	assert(strlen(reason) == REASON_MAX - 1);
	free(big);
	return 0;
}
