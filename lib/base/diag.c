#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/logsocket.h"
#include "base/utf8.h"

static const char *name = "?", *tag;
static enum diag_level level = DIAG_NORMAL;
static bool syslogged, stamped, journalled;
static int said = LOG_ERR;	/* the priority of the last message: that of its hint */

/* A descriptor opened later must not become standard error.  A stream that was closed still fails when used. */
static void
fill_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
			return;
}

/* Standard error is the journal's: systemd.exec(5), $JOURNAL_STREAM. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, own) == 0;
}

void
diag_init(char *argv[])
{
	char *slash = strrchr(argv[0], '/');

	if (slash)
		argv[0] = slash + 1;
	name = argv[0];
	fill_standard_streams();
	stamped = getenv("REJOIN_STAMP") && *getenv("REJOIN_STAMP");
	journalled = stderr_is_journal();
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

int
diag_is_quiet(void)
{
	return level == DIAG_QUIET;
}

void
diag_set_tag(const char *t)
{
	tag = t;
}

void
diag_to_syslog(void)
{
	syslogged = true;
}

/*
 * One write(2), so that lines of several processes do not mix.  A hostile name
 * must not move the cursor of the terminal it is shown on.
 */
static void
line_print(const char *label, const char *line, bool escape)
{
	char out[10240], now[CLOCK_TEXT], priority[16] = "";
	size_t n;

	/* journald takes it off: sd-daemon(3) */
	if (journalled)
		snprintf(priority, sizeof priority, "<%d>", said);
	n = (size_t)snprintf(out, 1024, "%s%s%s%s: ", priority, stamped ? clock_now(now) : "", stamped ? " " : "", label);

	n = n < 1024 ? n : 1023;
	for (size_t left = strlen(line), len; left && n < sizeof out - 9; line += len, left -= len) {
		char tame[UTF8_ESCAPED] = "";

		len = *line == '\n' || (escape && *line != '\t') ? utf8_escape(line, left, tame) : 1;
		n += (size_t)sprintf(out + n, "%.*s", *tame ? UTF8_ESCAPED : (int)len, *tame ? tame : line);
	}
	out[n++] = '\n';
	fwrite(out, 1, n, stderr);
}

static void
to_log(int priority, const char *line)
{
	logsocket_send(LOG_DAEMON | priority, tag ? tag : name, line);
}

PRINTF(4, 0) static void
vdiag(int priority, bool shown, int err, const char *fmt, va_list ap)
{
	char line[2048];
	int n;

	if (!shown && !(syslogged && logsocket_open()))
		return;
	n = vsnprintf(line, sizeof line, fmt, ap);
	if (n >= 0 && (size_t)n < sizeof line && err)
		snprintf(line + n, sizeof line - (size_t)n, ": %s", strerror(abs(err)));
	said = priority;
	if (shown) {
		fflush(stdout);
		line_print(name, line, isatty(STDERR_FILENO));
	}
	if (syslogged)
		to_log(priority, line);
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
diag_hint(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	line_print("hint", line, isatty(STDERR_FILENO));
	if (syslogged) {
		char hint[2064];

		snprintf(hint, sizeof hint, "hint: %s", line);
		to_log(said, hint);
	}
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
diag_journal(const char *fmt, ...)
{
	const bool was = syslogged;
	va_list ap;

	if (!was)
		diag_to_syslog();
	va_start(ap, fmt);
	vdiag(LOG_INFO, level >= DIAG_VERBOSE, 0, fmt, ap);
	va_end(ap);
	syslogged = was;
}

void
diag_log(const char *text, bool verbose, void *cookie)
{
	(void)cookie;
	if (verbose)
		diag_note("%s", text);
	else
		diag_info("%s", text);
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

/* May a write(2) have failed with ERR? */
static bool
is_write_error(int err)
{
	return err == ENOSPC || err == EDQUOT || err == EFBIG || err == EIO || err == EPIPE || err == EBADF;
}

void
finish(enum exit_status status)
{
	/* where an earlier write has failed, its reason is known only as long as errno has not changed */
	if (!is_write_error(errno))
		errno = 0;
	if (fflush(stdout) == EOF || ferror(stdout))
		die(EXIT_TROUBLE, errno, "write error");
	exit(status);
}
