#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/idmap.h"

enum { CAP_MIN = 1 << 6 };

void
idmap_release(struct idmap *t)
{
	free(t->v);
	t->v = NULL;
	t->cap = t->n = 0;
}

static struct idmap_entry *
slot(const struct idmap *t, uint64_t id)
{
	size_t i = id & (t->cap - 1);

	while (t->v[i].id && t->v[i].id != id)
		i = (i + 1) & (t->cap - 1);
	return &t->v[i];
}

uint64_t *
idmap_find(const struct idmap *t, uint64_t id)
{
	struct idmap_entry *e;

	if (t->cap == 0)
		return NULL;
	e = slot(t, id);
	return e->id ? &e->value : NULL;
}

/* A new table with what is worth keeping; a larger one where that is half of it. */
static void
rebuild(struct idmap *t)
{
	struct idmap old = *t;
	size_t kept = 0;

	for (size_t i = 0; i < old.cap; i++) {
		if (old.v[i].id && old.keep && !old.keep(old.v[i].id, old.v[i].value, old.cookie))
			old.v[i].id = 0;
		kept += old.v[i].id != 0;
	}
	t->cap = old.cap ? old.cap : CAP_MIN;
	while (kept * 2 >= t->cap)
		t->cap *= 2;
	t->v = xcalloc(t->cap, sizeof *t->v);
	t->n = kept;
	for (size_t i = 0; i < old.cap; i++)
		if (old.v[i].id)
			*slot(t, old.v[i].id) = old.v[i];
	free(old.v);
}

uint64_t *
idmap_put(struct idmap *t, uint64_t id)
{
	struct idmap_entry *e;

	if (t->n * 4 >= t->cap * 3)
		rebuild(t);
	e = slot(t, id);
	if (!e->id) {
		*e = (struct idmap_entry){ id, 0 };
		t->n++;
	}
	return &e->value;
}
