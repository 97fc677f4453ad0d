#include <stdarg.h>
#include <stdlib.h>

#include "base/logger.h"
#include "base/xalloc.h"

static void __attribute__((format(printf, 3, 0)))
logger_format(const struct logger *l, bool verbose, const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = xvasprintf(fmt, ap);

	l->fn(text, verbose, l->cookie);
}

void
logger_info(const struct logger *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	logger_format(l, false, fmt, ap);
	va_end(ap);
}

void
logger_note(const struct logger *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	logger_format(l, true, fmt, ap);
	va_end(ap);
}
