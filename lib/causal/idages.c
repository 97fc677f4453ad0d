#include "causal/idages.h"

void
idages_release(struct idages *a)
{
	idmap_release(&a->first);
	idmap_release(&a->recent);
	idmap_release(&a->before);
}

uint64_t *
idages_find(const struct idages *a, uint64_t id)
{
	uint64_t *v = idmap_find(&a->recent, id);

	if (!v)
		v = idmap_find(&a->before, id);
	return v ? v : idmap_find(&a->first, id);
}

/* The recent generation is full. */
static void
generation_end(struct idages *a)
{
	for (size_t i = 0; a->forget && i < a->before.cap; i++)
		if (a->before.v[i].id)
			a->forget(a->before.v[i].value, a->cookie);
	idmap_release(&a->before);
	a->before = a->recent;
	a->recent = (struct idmap){ .keep = a->keep, .cookie = a->cookie };
}

uint64_t *
idages_put(struct idages *a, uint64_t id)
{
	uint64_t *v = idages_find(a, id);

	if (v)
		return v;
	if (a->keep_first && a->first.n < IDAGES_IDS)
		return idmap_put(&a->first, id);
	if (a->recent.n >= IDAGES_IDS)
		generation_end(a);
	a->recent.keep = a->keep;
	a->recent.cookie = a->cookie;
	return idmap_put(&a->recent, id);
}
