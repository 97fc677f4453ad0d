#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/journal.h"
#include "base/xalloc.h"
#include "task/forgotten.h"
#include "task/taskhistory.h"

struct taskhistory {
	char *path;
	struct journal *journal;
	struct hlc *clock;
	int64_t last;
	int64_t *ended;		/* ids of the tasks whose end is in it */
	size_t n, cap;
	struct forgotten *forgotten;
	bool is_noted;		/* the ends in the file before this one are in FORGOTTEN */
};

typedef int taskhistory_line_fn(const char *line, size_t len, void *cookie);

/* Each line of PATH to FN, until it returns other than 0. */
static int
each_line(const char *path, taskhistory_line_fn *fn, void *cookie)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int r = 0;

	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (n = getline(&line, &cap, file)) > 0)
		if (line[n - 1] == '\n')
			r = fn(line, (size_t)n, cookie);
	if (r == 0 && ferror(file))
		r = -EIO;
	free(line);
	fclose(file);
	return r;
}

/* The number of the member KEY in LINE, which taskhistory_add() wrote: the keys are in its order. */
static int64_t
number_in(const char *line, const char *key)
{
	const char *p = strstr(line, key);
	int64_t n = 0;

	return p && sscanf(p + strlen(key), "%" SCNd64, &n) == 1 ? n : 0;
}

static bool
is_end(const char *event)
{
	return strcmp(event, "ended") == 0 || strcmp(event, "killed") == 0 || strcmp(event, "unknown") == 0 ||
	    strcmp(event, "failed") == 0 || strcmp(event, "expired") == 0;
}

static void
remember_end(struct taskhistory *h, int64_t task)
{
	h->ended = xgrow(h->ended, h->n, &h->cap, sizeof *h->ended);
	h->ended[h->n++] = task;
}

/* Is LINE an event that ends a task? */
static bool
line_is_end(const char *line)
{
	const char *event = strstr(line, "\"event\":\"");
	char name[16];

	return event && sscanf(event + 9, "%15[a-z]", name) == 1 && is_end(name);
}

static int
remember_line(const char *line, size_t len, void *cookie)
{
	struct taskhistory *h = cookie;
	int64_t id = number_in(line, "{\"id\":");

	(void)len;
	if (id > h->last)
		h->last = id;
	if (line_is_end(line))
		remember_end(h, number_in(line, "\"task\":"));
	return 0;
}

static int
forget_line(const char *line, size_t len, void *cookie)
{
	struct taskhistory *h = cookie;

	(void)len;
	if (line_is_end(line))
		forgotten_add(h->forgotten, (uid_t)number_in(line, "\"owner\":"), number_in(line, "\"task\":"),
		    number_in(line, "{\"id\":"));
	return 0;
}

/* To be called before the file before this one is replaced. */
static int
forget_before(struct taskhistory *h)
{
	_cleanup_free_ char *before = xasprintf("%s.1", h->path);
	int r = h->is_noted ? 0 : each_line(before, forget_line, h);

	if (r < 0)
		return r;
	h->is_noted = true;
	return forgotten_save(h->forgotten);
}

struct taskhistory *
taskhistory_open(const char *path, size_t max, struct hlc *clock, struct fail *f)
{
	_cleanup_free_ char *before = xasprintf("%s.1", path);
	_cleanup_free_ char *forgotten = xasprintf("%s.forgotten", path);
	struct taskhistory *h = xcalloc(1, sizeof *h);
	int r;

	*h = (struct taskhistory){ .path = xstrdup(path), .clock = clock };
	h->forgotten = forgotten_open(forgotten, f);
	if (!h->forgotten) {
		taskhistory_close(h);
		return NULL;
	}
	h->journal = journal_open(path, max / 2);
	r = h->journal ? each_line(before, remember_line, h) : -errno;
	if (r == 0)
		r = each_line(path, remember_line, h);
	if (r < 0) {
		taskhistory_close(h);
		fail_errno(f, r, "%s", path);
		return NULL;
	}
	hlc_see(clock, h->last);
	return h;
}

void
taskhistory_close(struct taskhistory *h)
{
	if (!h)
		return;
	journal_close(h->journal);
	forgotten_close(h->forgotten);
	free(h->ended);
	free(h->path);
	free(h);
}

/* Written by hand, so that the members that are searched for stand first and in this order. */
static void
format_record(struct buf *b, int64_t id, int64_t task, uid_t owner, int64_t session, const char *event,
    struct json more)
{
	char now[CLOCK_TEXT];

	buf_printf(b, "{\"id\":%jd,\"task\":%jd,\"owner\":%ju,\"session\":%jd,\"event\":\"%s\",\"time\":\"%s\"",
	    (intmax_t)id, (intmax_t)task, (uintmax_t)owner, (intmax_t)session, event, clock_now(now));
	if (json_count(more) > 0) {
		_cleanup_buf_ struct buf rest = BUF_INIT;

		json_format(more, &rest);
		buf_putc(b, ',');
		buf_add(b, rest.s + 1, rest.len - 2);
	}
	buf_putc(b, '}');
}

int
taskhistory_add(struct taskhistory *h, int64_t task, uid_t owner, int64_t session, const char *event, struct json more)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int64_t id = hlc_next(h->clock, clock_wall_ms());
	bool rotates;
	int r;

	format_record(&b, id, task, owner, session, event, more);
	rotates = journal_will_rotate(h->journal, b.len);
	r = rotates ? forget_before(h) : 0;
	if (r == 0)
		r = journal_add(h->journal, b.s, b.len);
	if (rotates && !journal_will_rotate(h->journal, b.len))
		h->is_noted = false;	/* the file before is another one now */
	if (r < 0)
		return r;
	h->last = id;
	if (is_end(event))
		remember_end(h, task);
	return 0;
}

int
taskhistory_sync(struct taskhistory *h)
{
	return journal_sync(h->journal);
}

bool
taskhistory_has_end(const struct taskhistory *h, int64_t task)
{
	for (size_t i = h->n; i > 0; i--)
		if (h->ended[i - 1] == task)
			return true;
	return false;
}

bool
taskhistory_may_have_dropped(const struct taskhistory *h, uid_t owner, int64_t task)
{
	return forgotten_has(h->forgotten, owner, task);
}

int64_t
taskhistory_last(const struct taskhistory *h)
{
	return h->last;
}

struct taskhistory_query {
	int64_t after, owner;
	size_t max;
	struct buf *out;
};

static int
select_line(const char *line, size_t len, void *cookie)
{
	struct taskhistory_query *q = cookie;

	if (number_in(line, "{\"id\":") <= q->after ||
	    (q->owner >= 0 && number_in(line, "\"owner\":") != q->owner))
		return 0;
	if (q->out->len + len > q->max)
		return 1;
	buf_add(q->out, line, len);
	return 0;
}

int
taskhistory_read(struct taskhistory *h, int64_t after, int64_t owner, size_t max, struct buf *out)
{
	_cleanup_free_ char *before = xasprintf("%s.1", h->path);
	struct taskhistory_query q = { after, owner, max, out };
	int r = taskhistory_sync(h);	/* what is read here may be lost nowhere afterwards */

	if (r == 0)
		r = each_line(before, select_line, &q);
	if (r == 0)
		r = each_line(h->path, select_line, &q);
	return r < 0 ? r : 0;
}
