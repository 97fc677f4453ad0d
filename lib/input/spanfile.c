#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "input/filter_command.h"
#include "input/spanfile.h"

enum { SAMPLE = 64 << 10 };

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* Is the text from P to END at the member NAME of an object? */
static bool
is_member(const char *p, const char *end, const char *name)
{
	const size_t n = strlen(name);

	if ((size_t)(end - p) < n + 2 || *p != '"' || memcmp(p + 1, name, n) != 0 || p[n + 1] != '"')
		return false;
	p = skip_blanks(p + n + 2, end);
	return p < end && *p == ':';
}

static bool
has_text(const char *p, const char *end, const char *text)
{
	return memmem(p, (size_t)(end - p), text, strlen(text)) != NULL;
}

/* Is it the first object of Zipkin's spans? */
static bool
is_zipkin(const char *p, const char *end)
{
	return has_text(p, end, "\"traceId\"") && has_text(p, end, "\"id\"") && !has_text(p, end, "\"spanId\"") &&
	    (has_text(p, end, "\"localEndpoint\"") || has_text(p, end, "\"duration\""));
}

enum spanfile_kind
spanfile_kind(const char *text, size_t n)
{
	static const char *const otlp[] = { "resourceSpans", "resourceLogs", "resource_spans", "resource_logs", "batches" };
	const char *end = text + n, *p = text;
	bool array = false;

	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	p = skip_blanks(p, end);
	while (p < end && *p == '[') {
		array = true;
		p = skip_blanks(p + 1, end);
	}
	if (p == end || *p != '{')
		return SPANFILE_NONE;
	p = skip_blanks(p + 1, end);
	for (size_t i = 0; i < sizeof otlp / sizeof *otlp; i++)
		if (is_member(p, end, otlp[i]))
			return has_text(p, end, "\"resource\"") || has_text(p, end, "cope") ? SPANFILE_OTLP : SPANFILE_NONE;
	if (!array && is_member(p, end, "data") && has_text(p, end, "\"traceID\""))
		return SPANFILE_JAEGER;
	return is_zipkin(p, end) ? SPANFILE_ZIPKIN : SPANFILE_NONE;
}

bool
spanfile_is_open(int fd, const char *format)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;

	if (format && strcmp(format, "spans") != 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return format != NULL;
	text = xrealloc(NULL, SAMPLE, 1);
	do
		n = pread(fd, text, SAMPLE, 0);
	while (n < 0 && errno == EINTR);
	return n > 0 && spanfile_kind(text, (size_t)n) != SPANFILE_NONE;
}

bool
spanfile_is(const char *path, const char *format)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (format && strcmp(format, "spans") != 0)
		return false;
	/* a FIFO is opened by its reader alone: a writer would take this for it, and lose what it writes */
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return format != NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0 && spanfile_is_open(fd, format);
}

char **
spanfile_command(const char *name)
{
	char **argv = xcalloc(3, sizeof *argv);

	argv[0] = dirs_helper("rejoin-log-spans");
	argv[1] = xstrdup(name);
	return argv;
}

int
spanfile_spool(int fd, const char *name, int *status)
{
	char **argv = spanfile_command(name);
	int r = filter_command_spool(argv, fd, status);

	xfree_strv(argv);
	return r;
}
