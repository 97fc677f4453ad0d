#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/idmap.h"
#include "causal/unmet.h"

/* A value of IDS: the number of the first place, from 1 on, and how many needs there were. */
enum { COUNT_BITS = 32 };

struct unmet_place {
	struct relation relation;
	uint32_t next;			/* of the same id, or free; 0: the last */
};

struct unmet {
	struct idmap ids;
	struct unmet_place *v;
	size_t n, cap, limit;
	uint32_t free;
};

static bool
is_any(uint64_t id, uint64_t value, void *cookie)
{
	(void)id;
	(void)cookie;
	return value != 0;
}

struct unmet *
unmet_new(size_t limit)
{
	struct unmet *u = xcalloc(1, sizeof *u);

	u->ids.keep = is_any;
	u->limit = limit / sizeof *u->v < UINT32_MAX ? limit / sizeof *u->v : UINT32_MAX - 1;
	return u;
}

void
unmet_free(struct unmet *u)
{
	if (!u)
		return;
	idmap_release(&u->ids);
	free(u->v);
	free(u);
}

/* The number of a place for R; 0 for none. */
static uint32_t
place_new(struct unmet *u, const struct relation *r, uint32_t next)
{
	uint32_t i = u->free;

	if (i) {
		u->free = u->v[i - 1].next;
	} else if (u->n < u->limit) {
		u->v = xgrow(u->v, u->n, &u->cap, sizeof *u->v);
		i = (uint32_t)++u->n;
	} else {
		return 0;
	}
	u->v[i - 1] = (struct unmet_place){ *r, next };
	return i;
}

void
unmet_add(struct unmet *u, uint64_t id, const struct relation *r)
{
	uint64_t *slot = idmap_put(&u->ids, id);
	const uint32_t first = (uint32_t)(*slot >> COUNT_BITS), place = place_new(u, r, first), count = (uint32_t)*slot;

	*slot = (uint64_t)(place ? place : first) << COUNT_BITS | (count == UINT32_MAX ? count : count + 1);
}

bool
unmet_has(const struct unmet *u, uint64_t id)
{
	const uint64_t *slot = u->ids.n ? idmap_find(&u->ids, id) : NULL;

	return slot && *slot;
}

/* The places from FIRST on, the oldest first, into OUT. */
static void
take_places(struct unmet *u, uint32_t first, struct relations *out)
{
	const size_t from = out->n;

	for (uint32_t i = first, next; i; i = next) {
		next = u->v[i - 1].next;
		relation_add(out, &u->v[i - 1].relation);
		u->v[i - 1].next = u->free;
		u->free = i;
	}
	for (size_t a = from, b = out->n; a + 1 < b; a++) {
		const struct relation x = out->v[a];

		out->v[a] = out->v[--b];
		out->v[b] = x;
	}
}

int64_t
unmet_take(struct unmet *u, uint64_t id, struct relations *out)
{
	uint64_t *slot = u->ids.n ? idmap_find(&u->ids, id) : NULL, value = slot ? *slot : 0;

	if (!value)
		return 0;
	*slot = 0;
	take_places(u, (uint32_t)(value >> COUNT_BITS), out);
	return (uint32_t)value;
}
