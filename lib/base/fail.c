#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

static char next_step[256];

int
fail_set(struct fail *f, enum exit_status status, const char *fmt, ...)
{
	static const int errs[] = {
		[EXIT_OK] = 0, [EXIT_NO] = ENOENT, [EXIT_USAGE] = EBADMSG,
		[EXIT_TROUBLE] = EIO, [EXIT_TIMEOUT] = ETIMEDOUT,
		[EXIT_ABSENT] = ENXIO, [EXIT_BUSY] = EBUSY, [EXIT_DENIED] = EACCES,
	};
	va_list ap;

	f->status = status;
	f->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	return -errs[status];
}

int
fail_errno(struct fail *f, int err, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	err = abs(err);
	f->status = err == EACCES || err == EPERM ? EXIT_DENIED : EXIT_TROUBLE;
	f->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	n = strlen(f->text);
	snprintf(f->text + n, sizeof f->text - n, ": %s", strerror(err));
	return -err;
}

void
fail_hint(struct fail *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->hint, sizeof f->hint, fmt, ap);
	va_end(ap);
}

void
fail_tell(const struct fail *f, void *cookie)
{
	(void)cookie;
	if (f->status == EXIT_OK)
		diag_info("%s", f->text);
	else
		diag(0, "%s", f->text);
	if (*f->hint && (f->status != EXIT_OK || !diag_is_quiet()))
		diag_hint("%s", f->hint);
}

void
fail_set_next_step(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(next_step, sizeof next_step, fmt, ap);
	va_end(ap);
}

enum exit_status
fail_end(const struct fail *f)
{
	diag(0, "%s", f->text);
	if (*f->hint)
		diag_hint("%s", f->hint);
	else if (*next_step && f->status >= EXIT_TROUBLE && f->status <= EXIT_ABSENT)
		diag_hint("%s", next_step);
	return f->status;
}

void
fail_die(const struct fail *f)
{
	exit(fail_end(f));
}
