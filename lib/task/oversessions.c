#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "task/oversessions.h"

enum { FILE_MAX = 64 << 20, RUN_ALL = -1 };

static const uid_t owner_all = (uid_t)-1;

struct floor {
	uid_t owner;
	int64_t run, id;
};

struct oversessions {
	char *path;
	struct floor *items;
	size_t n, cap;
	bool is_changed;	/* since it was saved */
};

static struct floor *
floor_of(const struct oversessions *o, uid_t owner, int64_t run)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->items[i].owner == owner && o->items[i].run == run)
			return &o->items[i];
	return NULL;
}

static void
raise_floor(struct oversessions *o, uid_t owner, int64_t run, int64_t id)
{
	struct floor *i = floor_of(o, owner, run);

	if (!i) {
		o->items = xgrow(o->items, o->n, &o->cap, sizeof *o->items);
		i = &o->items[o->n++];
		*i = (struct floor){ owner, run, 0 };
	}
	if (id > i->id)
		i->id = id;
}

/* Of as many controllers of OWNER as are kept, the lowest one goes. */
static void
bound_runs(struct oversessions *o, uid_t owner)
{
	size_t n = 0, lowest = o->n;
	int64_t id;

	for (size_t i = 0; i < o->n; i++) {
		if (o->items[i].owner != owner || o->items[i].run == RUN_ALL)
			continue;
		n++;
		if (lowest == o->n || o->items[i].id < o->items[lowest].id)
			lowest = i;
	}
	if (n <= OVERSESSIONS_RUNS)
		return;
	id = o->items[lowest].id;
	o->items[lowest] = o->items[--o->n];
	raise_floor(o, owner, RUN_ALL, id);
}

static int
parse_line(struct oversessions *o, const char *line)
{
	uintmax_t owner;
	int64_t run, id;
	int end = 0;

	if (sscanf(line, "{\"owner\":%ju,\"run\":%" SCNd64 ",\"floor\":%" SCNd64 "}%n", &owner, &run, &id, &end) != 3 ||
	    !end || line[end] != '\n')
		return -EINVAL;
	raise_floor(o, (uid_t)owner, run, id);
	return 0;
}

static void
parse_lines(struct oversessions *o, const struct buf *b, int64_t now)
{
	const char *line = b->s, *nl;

	while (line < b->s + b->len && (nl = memchr(line, '\n', (size_t)(b->s + b->len - line))) && parse_line(o, line) == 0)
		line = nl + 1;
	if (line < b->s + b->len || b->len == 0) {	/* it is damaged */
		raise_floor(o, owner_all, RUN_ALL, now);
		o->is_changed = true;
	}
}

struct oversessions *
oversessions_open(const char *path, int64_t now, struct fail *f)
{
	struct oversessions *o = xcalloc(1, sizeof *o);
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = file_load(path, FILE_NOFOLLOW, FILE_MAX, &b, f);

	o->path = xstrdup(path);
	if (r < 0 && r != -ENOENT) {
		oversessions_close(o);
		return NULL;
	}
	if (r == 0)
		parse_lines(o, &b, now);
	return o;
}

void
oversessions_close(struct oversessions *o)
{
	if (!o)
		return;
	free(o->items);
	free(o->path);
	free(o);
}

void
oversessions_add(struct oversessions *o, uid_t owner, int64_t run, int64_t id)
{
	if (id <= oversessions_floor(o, owner, run))
		return;
	raise_floor(o, owner, run, id);
	bound_runs(o, owner);
	o->is_changed = true;
}

int
oversessions_save(struct oversessions *o)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	if (!o->is_changed)
		return 0;
	for (size_t i = 0; i < o->n; i++)
		buf_printf(&b, "{\"owner\":%ju,\"run\":%jd,\"floor\":%jd}\n", (uintmax_t)o->items[i].owner,
		    (intmax_t)o->items[i].run, (intmax_t)o->items[i].id);
	r = file_replace(o->path, b.s, b.len, 0600, 0);
	o->is_changed = r < 0;
	return r;
}

int64_t
oversessions_floor(const struct oversessions *o, uid_t owner, int64_t run)
{
	const struct floor *const floors[] = {
		floor_of(o, owner, run), floor_of(o, owner, RUN_ALL), floor_of(o, owner_all, RUN_ALL),
	};
	int64_t id = 0;

	for (size_t i = 0; i < sizeof floors / sizeof *floors; i++)
		if (floors[i] && floors[i]->id > id)
			id = floors[i]->id;
	return id;
}
