#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "task/forgotten.h"

enum { FILE_MAX = 64 << 20 };

struct forgotten_id {
	uid_t owner;
	int64_t id;
};

struct forgotten {
	struct forgotten_id *floors;	/* one an owner */
	size_t n_floors, floors_cap;
	struct forgotten_id *ahead;	/* each over the floor of its owner */
	size_t n_ahead, ahead_cap;
};

static int64_t
floor_of(const struct forgotten *g, uid_t owner)
{
	for (size_t i = 0; i < g->n_floors; i++)
		if (g->floors[i].owner == owner)
			return g->floors[i].id;
	return 0;
}

static void
set_floor(struct forgotten *g, uid_t owner, int64_t id)
{
	size_t i = 0;

	while (i < g->n_floors && g->floors[i].owner != owner)
		i++;
	if (i == g->n_floors) {
		g->floors = xgrow(g->floors, g->n_floors, &g->floors_cap, sizeof *g->floors);
		g->n_floors++;
	}
	g->floors[i] = (struct forgotten_id){ owner, id };
	for (i = 0; i < g->n_ahead; )
		if (g->ahead[i].owner == owner && g->ahead[i].id <= id)
			g->ahead[i] = g->ahead[--g->n_ahead];
		else
			i++;
}

static void
add_ahead(struct forgotten *g, uid_t owner, int64_t id)
{
	g->ahead = xgrow(g->ahead, g->n_ahead, &g->ahead_cap, sizeof *g->ahead);
	g->ahead[g->n_ahead++] = (struct forgotten_id){ owner, id };
}

static bool
has_room_ahead(const struct forgotten *g, uid_t owner)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_ahead; i++)
		n += g->ahead[i].owner == owner;
	return n < FORGOTTEN_AHEAD;
}

static int
parse_line(struct forgotten *g, const char *line)
{
	uintmax_t owner;
	int64_t id;
	int end = 0;

	if (sscanf(line, "{\"owner\":%ju,\"floor\":%" SCNd64 "}%n", &owner, &id, &end) == 2 && line[end] == '\n' && end)
		set_floor(g, (uid_t)owner, id);
	else if (sscanf(line, "{\"owner\":%ju,\"ahead\":%" SCNd64 "}%n", &owner, &id, &end) == 2 && line[end] == '\n' && end)
		add_ahead(g, (uid_t)owner, id);
	else
		return -EINVAL;
	return 0;
}

struct forgotten *
forgotten_open(const char *path, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct forgotten *g = xcalloc(1, sizeof *g);
	int r = file_load(path, FILE_NOFOLLOW, FILE_MAX, &b, f);

	if (r == -ENOENT)
		return g;
	for (const char *line = b.s; r == 0 && line < b.s + b.len; ) {
		const char *nl = strchr(line, '\n');

		if (!nl || parse_line(g, line) < 0)
			r = fail_set(f, EXIT_TROUBLE, "%s: is damaged: which tasks have run is not known", path);
		else
			line = nl + 1;
	}
	if (r == 0)
		return g;
	forgotten_close(g);
	return NULL;
}

void
forgotten_close(struct forgotten *g)
{
	if (!g)
		return;
	free(g->floors);
	free(g->ahead);
	free(g);
}

void
forgotten_add(struct forgotten *g, uid_t owner, int64_t task, int64_t now)
{
	if (forgotten_has(g, owner, task))
		return;
	if (task <= now || !has_room_ahead(g, owner))
		set_floor(g, owner, task);
	else
		add_ahead(g, owner, task);
}

void
forgotten_format(const struct forgotten *g, struct buf *out)
{
	for (size_t i = 0; i < g->n_floors; i++)
		buf_printf(out, "{\"owner\":%ju,\"floor\":%jd}\n", (uintmax_t)g->floors[i].owner, (intmax_t)g->floors[i].id);
	for (size_t i = 0; i < g->n_ahead; i++)
		buf_printf(out, "{\"owner\":%ju,\"ahead\":%jd}\n", (uintmax_t)g->ahead[i].owner, (intmax_t)g->ahead[i].id);
}

bool
forgotten_has(const struct forgotten *g, uid_t owner, int64_t task)
{
	if (task <= floor_of(g, owner))
		return true;
	for (size_t i = 0; i < g->n_ahead; i++)
		if (g->ahead[i].owner == owner && g->ahead[i].id == task)
			return true;
	return false;
}
