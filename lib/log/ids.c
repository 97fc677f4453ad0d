#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/xalloc.h"
#include "log/ids.h"

enum { CAP_MIN = 1 << 6, HUGE_PAGE = 2 << 20 };

/* Places are looked at in no order, so in large tables most would need a page of their own looked up. */
static struct ids_entry *
table_new(size_t cap)
{
	size_t bytes = cap * sizeof(struct ids_entry);
	void *p;

	if (bytes < 2 * HUGE_PAGE || !(p = aligned_alloc(HUGE_PAGE, bytes)))
		return xcalloc(cap, sizeof(struct ids_entry));
	/* Where there are none, it works as well. */
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	return memset(p, 0, bytes);
}

void
ids_release(struct ids *t)
{
	free(t->v);
	t->v = NULL;
	t->cap = t->n = 0;
}

static struct ids_entry *
slot(const struct ids *t, uint64_t id)
{
	size_t i = id & (t->cap - 1);

	while (t->v[i].id && t->v[i].id != id)
		i = (i + 1) & (t->cap - 1);
	return &t->v[i];
}

uint64_t *
ids_find(const struct ids *t, uint64_t id)
{
	struct ids_entry *e;

	if (t->cap == 0)
		return NULL;
	e = slot(t, id);
	return e->id ? &e->value : NULL;
}

/* A new table with what is worth keeping; a larger one where that is half of it. */
static void
rebuild(struct ids *t, bool shrink)
{
	struct ids old = *t;
	size_t kept = 0;

	for (size_t i = 0; i < old.cap; i++) {
		if (old.v[i].id && old.keep && !old.keep(old.v[i].id, old.v[i].value, old.cookie))
			old.v[i].id = 0;
		kept += old.v[i].id != 0;
	}
	t->cap = old.cap && !shrink ? old.cap : old.cap_min ? old.cap_min : CAP_MIN;
	while (kept * 2 >= t->cap)
		t->cap *= 2;
	t->v = table_new(t->cap);
	t->n = kept;
	for (size_t i = 0; i < old.cap; i++)
		if (old.v[i].id)
			*slot(t, old.v[i].id) = old.v[i];
	free(old.v);
}

void
ids_shrink(struct ids *t)
{
	rebuild(t, true);
}

uint64_t *
ids_put(struct ids *t, uint64_t id)
{
	struct ids_entry *e;

	if (t->n * 4 >= t->cap * 3)
		rebuild(t, false);
	e = slot(t, id);
	if (!e->id) {
		*e = (struct ids_entry){ id, 0 };
		t->n++;
	}
	return &e->value;
}

void
ids_clear(struct ids *t)
{
	if (t->n)
		memset(t->v, 0, t->cap * sizeof *t->v);
	t->n = 0;
}

void
ids_copy(struct ids *out, const struct ids *t)
{
	*out = (struct ids){ .cap = CAP_MIN, .n = t->n };
	while (out->n * 4 >= out->cap * 3)
		out->cap *= 2;
	out->v = table_new(out->cap);
	for (size_t i = 0; i < t->cap; i++)
		if (t->v[i].id)
			*slot(out, t->v[i].id) = t->v[i];
}
