#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "input/protocol.h"

enum { LENGTH_MAX = 1 << 24, LINE_MAX_BYTES = 1 << 20 };

/* TEXT as one line. */
static void
add_line(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_putc(out, *text == '\n' ? ' ' : *text);
	buf_putc(out, '\n');
}

void
protocol_event(struct buf *out, const char *id, const char *text, size_t n)
{
	buf_printf(out, "event %zu ", n);
	add_line(out, id);
	buf_add(out, text, n);
	buf_putc(out, '\n');
}

void
protocol_gap(struct buf *out, const char *why)
{
	buf_puts(out, "gap ");
	add_line(out, why);
}

void
protocol_tell(struct buf *out, const struct fail *f)
{
	buf_printf(out, "tell %d ", f->status);
	add_line(out, f->text);
}

/* The number that REST begins with, and what follows its blank. */
static int
number(char **rest, int64_t max, int64_t *n)
{
	char *word = strsep(rest, " ");

	return *rest && num_parse(word, 0, max, n) == 0 ? 0 : -EBADMSG;
}

/* One message at P: its bytes, 0 where it is not whole, or -EBADMSG. */
static ssize_t
take_line(const char *p, size_t n, const struct protocol_ops *ops)
{
	const char *nl = memchr(p, '\n', n);
	_cleanup_free_ char *line = nl ? xstrndup(p, (size_t)(nl - p)) : NULL;
	char *rest = line, *word;
	size_t head = nl ? (size_t)(nl - p) + 1 : 0;
	struct fail f;
	int64_t len;

	if (!nl)
		return n > LINE_MAX_BYTES ? -EBADMSG : 0;
	word = strsep(&rest, " ");
	if (!rest || strlen(line) + 1 + strlen(rest) > head)
		return -EBADMSG;
	if (strcmp(word, "gap") == 0) {
		ops->gap(rest, ops->cookie);
		return (ssize_t)head;
	}
	if (strcmp(word, "tell") == 0) {
		if (number(&rest, EXIT_DENIED, &len) < 0)
			return -EBADMSG;
		fail_set(&f, (enum exit_status)len, "%s", rest);
		ops->tell(&f, ops->cookie);
		return (ssize_t)head;
	}
	if (strcmp(word, "event") != 0 || number(&rest, LENGTH_MAX, &len) < 0)
		return -EBADMSG;
	if (n - head < (size_t)len + 1)
		return 0;
	if (p[head + (size_t)len] != '\n')
		return -EBADMSG;
	ops->event(rest, p + head, (size_t)len, ops->cookie);
	return (ssize_t)(head + (size_t)len + 1);
}

int
protocol_parse(struct buf *in, const struct protocol_ops *ops)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < in->len && (n = take_line(in->s + done, in->len - done, ops)) > 0)
		done += (size_t)n;
	if (done) {
		memmove(in->s, in->s + done, in->len - done);
		in->len -= done;
		in->s[in->len] = '\0';
	}
	return n < 0 ? (int)n : 0;
}
