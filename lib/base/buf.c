#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"

char buf_empty[1];

void
buf_release(struct buf *b)
{
	if (b->cap)
		free(b->s);
	*b = (struct buf)BUF_MAX(b->max);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->cap)
		b->s[0] = '\0';
}

char *
buf_steal(struct buf *b)
{
	char *s = b->cap ? b->s : xstrdup("");

	*b = (struct buf)BUF_MAX(b->max);
	return s;
}

int
buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap;

	if (b->max && (n > b->max || b->len > b->max - n))
		return -EMSGSIZE;
	if (b->cap - b->len > n && b->cap)
		return 0;
	while (cap <= b->len + n)
		cap = cap ? cap * 2 : 64;
	b->s = xrealloc(b->cap ? b->s : NULL, cap, 1);
	b->cap = cap;
	b->s[b->len] = '\0';
	return 0;
}

int
buf_add(struct buf *b, const void *p, size_t n)
{
	int r = buf_reserve(b, n);

	if (r < 0)
		return r;
	if (n)
		memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
	return 0;
}

int
buf_puts(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_putc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n, r;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	r = n < 0 ? -EINVAL : buf_reserve(b, (size_t)n);
	if (r == 0) {
		vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	return r;
}
