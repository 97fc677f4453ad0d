#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "component/records.h"

struct records {
	struct loop *loop;
	int fd;
	loop_fn *wake;
	void *cookie;
	bool is_watching;
	struct buf text;	/* read; not yet returned from AT on */
	size_t at;
	size_t seen;		/* bytes from there in which there is no end of line */
	int64_t line;
	int error;		/* of reading, to be reported once */
	bool ended;		/* nothing more can be read */
	bool skipping;		/* the rest of a line that was too long */
};

struct records *
records_open(struct loop *l, int fd, loop_fn *wake, void *cookie)
{
	struct records *r = xcalloc(1, sizeof *r);

	*r = (struct records){ .loop = l, .fd = fd, .wake = wake, .cookie = cookie,
	    .text = BUF_INIT };
	return r;
}

void
records_close(struct records *r)
{
	if (!r)
		return;
	records_watch(r, false);
	buf_release(&r->text);
	free(r);
}

static void
on_readable(int fd, short events, void *cookie)
{
	struct records *r = cookie;
	ssize_t n;

	(void)events;
	if (r->at > 0) {
		memmove(r->text.s, r->text.s + r->at, r->text.len - r->at + 1);
		r->text.len -= r->at;
		r->at = 0;
	}
	n = io_read_buf(fd, &r->text);
	if (n == -EAGAIN)
		return;
	r->ended = n <= 0;
	r->error = n < 0 ? (int)-n : 0;
	r->wake(r->cookie);
}

void
records_watch(struct records *r, bool yes)
{
	if (yes && !r->is_watching)
		loop_watch(r->loop, r->fd, POLLIN, on_readable, r);
	else if (!yes && r->is_watching)
		loop_unwatch(r->loop, r->fd);
	r->is_watching = yes;
}

static bool
is_blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r", s[i]))
			return false;
	return true;
}

static int
record_parse(struct records *r, const char *s, size_t len, struct json *out, struct fail *f)
{
	char where[40];
	struct json v = JSON_ABSENT;
	int e;

	snprintf(where, sizeof where, "line %jd", (intmax_t)r->line);
	e = json_parse(where, s, len, &v, f);
	if (e == 0)
		e = component_check(v, where, f);
	if (e < 0) {
		json_release(&v);
		return e;
	}
	*out = v;
	return 1;
}

int
records_next(struct records *r, struct json *out, struct fail *f)
{
	while (r->at < r->text.len) {
		char *s = r->text.s + r->at;
		size_t rest = r->text.len - r->at;
		char *end = memchr(s + r->seen, '\n', rest - r->seen);
		size_t len = end ? (size_t)(end - s) : rest;
		bool skipped = r->skipping;

		if (!end && !r->ended && len <= FILE_DATA_MAX) {
			r->seen = rest;
			return 0;
		}
		r->skipping = !end;	/* also at the end, where it does not matter */
		r->seen = 0;
		r->at += len + (end != NULL);
		if (skipped)
			continue;
		r->line++;
		if (len > FILE_DATA_MAX)
			return fail_set(f, EXIT_USAGE, "line %jd: longer than %d bytes",
			    (intmax_t)r->line, FILE_DATA_MAX);
		if (!is_blank(s, len))
			return record_parse(r, s, len, out, f);
	}
	if (r->error) {
		int e = r->error;

		r->error = 0;
		return fail_errno(f, e, "after line %jd", (intmax_t)r->line);
	}
	return 0;
}

bool
records_is_at_end(const struct records *r)
{
	return r->ended && !r->error && r->at == r->text.len;
}
