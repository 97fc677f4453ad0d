#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/diag.h"

static const char *name = "?", *tag;
static enum diag_level level = DIAG_NORMAL;
static bool syslogged;

void
diag_init(char *argv[])
{
	char *slash = strrchr(argv[0], '/');

	if (slash)
		argv[0] = slash + 1;
	name = argv[0];
}

const char *
diag_name(void)
{
	return name;
}

void
diag_set_level(enum diag_level l)
{
	level = l;
}

void
diag_set_tag(const char *t)
{
	tag = t;
}

void
diag_to_syslog(void)
{
	openlog(tag ? tag : name, LOG_PID, LOG_DAEMON);
	syslogged = true;
}

/* A hostile name must not move the cursor of the terminal it is shown on. */
static void
print(const char *s, bool escape)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (escape && (c < 0x20 || c == 0x7f) && c != '\t')
			fprintf(stderr, "\\x%02x", c);
		else
			putc(c, stderr);
	}
}

PRINTF(4, 0) static void
vdiag(int priority, bool shown, int err, const char *fmt, va_list ap)
{
	char line[2048];
	int n = vsnprintf(line, sizeof line, fmt, ap);

	if (n >= 0 && (size_t)n < sizeof line && err)
		snprintf(line + n, sizeof line - (size_t)n, ": %s", strerror(abs(err)));
	if (shown) {
		fflush(stdout);
		fprintf(stderr, "%s: ", name);
		print(line, isatty(STDERR_FILENO));
		putc('\n', stderr);
	}
	if (syslogged)
		syslog(priority, "%s", line);
}

void
diag(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdiag(LOG_ERR, true, err, fmt, ap);
	va_end(ap);
}

void
diag_info(const char *fmt, ...)
{
	va_list ap;

	if (level < DIAG_NORMAL)
		return;
	va_start(ap, fmt);
	vdiag(LOG_INFO, true, 0, fmt, ap);
	va_end(ap);
}

void
diag_note(const char *fmt, ...)
{
	va_list ap;

	if (level < DIAG_VERBOSE && !syslogged)
		return;
	va_start(ap, fmt);
	vdiag(LOG_INFO, level >= DIAG_VERBOSE, 0, fmt, ap);
	va_end(ap);
}

void
die(enum exit_status status, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdiag(LOG_ERR, true, err, fmt, ap);
	va_end(ap);
	exit(status);
}

void
finish(enum exit_status status)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		die(EXIT_TROUBLE, errno, "write error");
	exit(status);
}
