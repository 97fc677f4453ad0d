#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "task/refusal.h"

int
refusal_set(struct refusal *r, int status, const char *name, const char *fmt, ...)
{
	va_list ap;

	r->status = status;
	r->name = name;
	r->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof r->text, fmt, ap);
	va_end(ap);
	return -1;
}

int
refusal_hint(struct refusal *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->hint, sizeof r->hint, fmt, ap);
	va_end(ap);
	return -1;
}

int
refusal_errno(struct refusal *r, int err, const char *what)
{
	const int e = err < 0 ? -err : err;

	if (e == ENOSPC || e == EDQUOT || e == EFBIG)
		return refusal_set(r, 507, "full", "%s: %s", what, strerror(e));
	return refusal_set(r, 500, "trouble", "%s: %s", what, strerror(e));
}
