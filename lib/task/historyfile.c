#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "task/historyfile.h"

/* The number of the member KEY in LINE. */
static int64_t
number_in(const char *line, const char *key)
{
	const char *p = strstr(line, key);
	int64_t n = 0;

	return p && sscanf(p + strlen(key), "%" SCNd64, &n) == 1 ? n : 0;
}

bool
historyfile_is_end(const char *event)
{
	return strcmp(event, "ended") == 0 || strcmp(event, "killed") == 0 || strcmp(event, "unknown") == 0 ||
	    strcmp(event, "failed") == 0 || strcmp(event, "expired") == 0;
}

static bool
line_is_end(const char *line)
{
	const char *event = strstr(line, "\"event\":\"");
	char name[16];

	return event && sscanf(event + 9, "%15[a-z]", name) == 1 && historyfile_is_end(name);
}

int
historyfile_each(const char *path, off_t from, historyfile_fn *fn, void *cookie)
{
	FILE *file = fopen(path, "re");
	struct history_line l = { .at = from };
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int r = 0;

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	if (from > 0 && fseeko(file, from, SEEK_SET) < 0)
		r = -errno;
	while (r == 0 && (n = getline(&line, &cap, file)) > 0) {
		l.text = line;
		l.len = (size_t)n;
		l.id = number_in(line, "{\"id\":");
		l.task = number_in(line, "\"task\":");
		l.owner = (uid_t)number_in(line, "\"owner\":");
		l.is_end = line_is_end(line);
		if (line[n - 1] == '\n')
			r = fn(&l, cookie);
		l.at += (off_t)n;
	}
	if (r == 0 && ferror(file))
		r = -EIO;
	free(line);
	fclose(file);
	return r < 0 ? r : 0;
}

void
historyfile_format(struct buf *out, int64_t id, int64_t task, uid_t owner, int64_t session, const char *event,
    struct json more)
{
	char now[CLOCK_TEXT];

	buf_printf(out, "{\"id\":%jd,\"task\":%jd,\"owner\":%ju,\"session\":%jd,\"event\":\"%s\",\"time\":\"%s\"",
	    (intmax_t)id, (intmax_t)task, (uintmax_t)owner, (intmax_t)session, event, clock_now(now));
	if (json_count(more) > 0) {
		_cleanup_buf_ struct buf rest = BUF_INIT;

		json_format(more, &rest);
		buf_putc(out, ',');
		buf_add(out, rest.s + 1, rest.len - 2);
	}
	buf_putc(out, '}');
}
