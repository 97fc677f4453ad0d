#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bloom.h"
#include "base/xalloc.h"
#include "causal/index.h"

enum { CAP_MIN = 1 << 12, HUGE_PAGE = 2 << 20 };

struct index {
	struct index_entry *v;		/* open addressing, linear probing */
	size_t cap, n;			/* CAP is a power of two */
	int64_t remember_ns, limit_ns;
	bool (*keep)(uint64_t id, void *cookie);
	void *cookie;
	struct bloom forgotten;
};

static struct index_entry *
table_new(size_t cap)
{
	size_t bytes = cap * sizeof(struct index_entry);
	void *p;

	if (bytes < 2 * HUGE_PAGE || !(p = aligned_alloc(HUGE_PAGE, bytes)))
		return xcalloc(cap, sizeof(struct index_entry));
	/* Entries are looked up in no order, and small pages would need as many translations. */
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	return memset(p, 0, bytes);
}

struct index *
index_new(int64_t remember_ns)
{
	struct index *x = xcalloc(1, sizeof *x);

	x->cap = CAP_MIN;
	x->v = table_new(x->cap);
	x->remember_ns = remember_ns;
	x->limit_ns = INT64_MIN;
	return x;
}

void
index_free(struct index *x)
{
	if (!x)
		return;
	free(x->v);
	bloom_release(&x->forgotten);
	free(x);
}

static struct index_entry *
slot(const struct index *x, uint64_t id)
{
	size_t i = id & (x->cap - 1);

	while (x->v[i].id && x->v[i].id != id)
		i = (i + 1) & (x->cap - 1);
	return &x->v[i];
}

struct index_entry *
index_find(const struct index *x, uint64_t id)
{
	struct index_entry *e = slot(x, id);

	return e->id ? e : NULL;
}

static bool
is_kept(struct index *x, const struct index_entry *e)
{
	if (e->state != INDEX_SENT)
		return e->state != INDEX_NONE;
	if (e->t >= x->limit_ns || (x->keep && x->keep(e->id, x->cookie)))
		return true;
	bloom_add(&x->forgotten, e->id);
	return false;
}

/* A new table with what is remembered; a larger one where that is half of the old one. */
static void
rebuild(struct index *x)
{
	struct index_entry *old = x->v;
	size_t cap = x->cap, kept = 0;

	for (size_t i = 0; i < cap; i++) {
		if (old[i].id && !is_kept(x, &old[i]))
			old[i].id = 0;
		kept += old[i].id != 0;
	}
	while (kept * 2 >= x->cap)
		x->cap *= 2;
	x->v = table_new(x->cap);
	x->n = kept;
	for (size_t i = 0; i < cap; i++)
		if (old[i].id)
			*slot(x, old[i].id) = old[i];
	free(old);
}

struct index_entry *
index_put(struct index *x, uint64_t id)
{
	struct index_entry *e = slot(x, id);

	if (e->id)
		return e;
	if (x->n * 4 >= x->cap * 3) {
		rebuild(x);
		e = slot(x, id);
	}
	*e = (struct index_entry){ .id = id };
	x->n++;
	return e;
}

bool
index_is_sent(const struct index *x, const struct index_entry *e, int64_t ns)
{
	return e->state == INDEX_SENT && (x->remember_ns == INT64_MAX || e->t >= ns - x->remember_ns);
}

void
index_prefetch(const struct index *x, uint64_t id)
{
	__builtin_prefetch(&x->v[id & (x->cap - 1)]);
}

void
index_forget(struct index *x, struct index_entry *e)
{
	bloom_add(&x->forgotten, e->id);
	e->state = INDEX_NONE;
}

bool
index_is_forgotten(const struct index *x, uint64_t id)
{
	return bloom_has(&x->forgotten, id);
}

void
index_passed(struct index *x, int64_t ns)
{
	x->limit_ns = ns;
}

void
index_keep(struct index *x, bool (*keep)(uint64_t id, void *cookie), void *cookie)
{
	x->keep = keep;
	x->cookie = cookie;
}
