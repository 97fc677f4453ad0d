#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/procstat.h"

enum { FIELD_STATE = 3, FIELD_START = 22 };

/* "PID (NAME) STATE PARENT GROUP SESSION ..."; NAME may hold blanks and brackets. */
static int
parse_stat(const char *text, struct procstat *s)
{
	const char *name = strchr(text, '('), *end = strrchr(text, ')'), *p = end;
	int parent, session;

	if (!name || !end || end < name || sscanf(end, ") %c %d %*d %d", &s->state, &parent, &session) != 3)
		return -ESRCH;
	snprintf(s->command, sizeof s->command, "%.*s", (int)(end - name - 1), name + 1);
	s->parent = parent;
	s->session = session;
	for (int field = FIELD_STATE - 1; p && field < FIELD_START; field++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, "%" SCNu64, &s->start) == 1 ? 0 : -ESRCH;
}

int
procstat_read(pid_t pid, struct procstat *s)
{
	char path[32], text[1024];
	ssize_t len;

	*s = (struct procstat){ .state = '\0' };
	snprintf(path, sizeof path, "/proc/%jd/stat", (intmax_t)pid);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	len = io_read(fd, text, sizeof text - 1);
	if (len < 0)
		return (int)len;
	text[len] = '\0';
	return parse_stat(text, s);
}

int
procstat_read_alive(pid_t pid, struct procstat *s)
{
	const int r = procstat_read(pid, s);

	return r == 0 && (s->state == 'Z' || s->state == 'X') ? -ESRCH : r;
}
