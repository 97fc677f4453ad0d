#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "task/releases.h"

enum { RELEASES_FILE_MAX = 16 << 20 };

void
releases_free(struct releases *r)
{
	free(r->items);
	*r = (struct releases){ NULL, 0, 0 };
}

struct release
releases_find(const struct releases *r, uid_t owner)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].owner == owner)
			return r->items[i];
	return (struct release){ .owner = owner };
}

struct release *
releases_of(struct releases *r, uid_t owner)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].owner == owner)
			return &r->items[i];
	r->items = xgrow(r->items, r->n, &r->cap, sizeof *r->items);
	r->items[r->n] = (struct release){ .owner = owner };
	return &r->items[r->n++];
}

void
releases_copy(struct releases *to, const struct releases *from)
{
	*to = (struct releases){ NULL, 0, 0 };
	for (size_t i = 0; i < from->n; i++)
		*releases_of(to, from->items[i].owner) = from->items[i];
}

int64_t
releases_dropped(const struct releases *r, int64_t owner)
{
	int64_t last = 0;

	for (size_t i = 0; i < r->n; i++)
		if ((owner < 0 || (int64_t)r->items[i].owner == owner) && r->items[i].dropped > last)
			last = r->items[i].dropped;
	return last;
}

void
releases_load(struct releases *r, const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct fail f;

	if (file_load(path, FILE_NOFOLLOW, RELEASES_FILE_MAX, &b, &f) < 0)
		return;
	for (const char *line = b.s, *nl; (nl = strchr(line, '\n')); line = nl + 1) {
		uintmax_t owner;
		int64_t released, dropped;
		struct release *i;

		if (sscanf(line, "{\"owner\":%ju,\"released\":%" SCNd64 ",\"dropped\":%" SCNd64 "}", &owner, &released,
		    &dropped) != 3)
			continue;
		i = releases_of(r, (uid_t)owner);
		i->released = released;
		i->dropped = dropped;
	}
}

void
releases_format(const struct releases *r, struct buf *out)
{
	for (size_t i = 0; i < r->n; i++)
		buf_printf(out, "{\"owner\":%ju,\"released\":%jd,\"dropped\":%jd}\n", (uintmax_t)r->items[i].owner,
		    (intmax_t)r->items[i].released, (intmax_t)r->items[i].dropped);
}
