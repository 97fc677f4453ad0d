#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/xalloc.h"

enum { CACHE_LINE = 64 };

static void *
check_alloc(void *p)
{
	if (!p)
		die(EXIT_TROUBLE, 0, "out of memory");
	return p;
}

void *
xrealloc(void *p, size_t n, size_t size)
{
	return check_alloc(reallocarray(p, n ? n : 1, size));
}

void *
xcalloc(size_t n, size_t size)
{
	return check_alloc(calloc(n ? n : 1, size));
}

void *
xcalloc_apart(size_t n, size_t size)
{
	size_t bytes = ((n ? n : 1) * size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;

	return memset(check_alloc(aligned_alloc(CACHE_LINE, bytes)), 0, bytes);
}

char *
xstrdup(const char *s)
{
	return check_alloc(strdup(s));
}

char *
xstrndup(const char *s, size_t n)
{
	char *p = xrealloc(NULL, n + 1, 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
xvasprintf(const char *fmt, va_list ap)
{
	char *s = NULL;

	return check_alloc(vasprintf(&s, fmt, ap) < 0 ? NULL : s);
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}

char *
xconcat(const char *first, ...)
{
	size_t len = 0;
	char *s, *end;
	va_list ap, again;

	va_start(ap, first);
	va_copy(again, ap);
	for (const char *part = first; part; part = va_arg(ap, const char *))
		len += strlen(part);
	va_end(ap);
	s = end = xrealloc(NULL, len + 1, 1);
	for (const char *part = first; part; part = va_arg(again, const char *))
		end = stpcpy(end, part);
	va_end(again);
	return s;
}

void *
xgrow(void *p, size_t n, size_t *cap, size_t size)
{
	if (p && n < *cap)
		return p;
	*cap = n < 8 ? 8 : n + n / 2;
	return xrealloc(p, *cap, size);
}

void
xfree_strv(char **v)
{
	for (char **p = v; p && *p; p++)
		free(*p);
	free(v);
}
