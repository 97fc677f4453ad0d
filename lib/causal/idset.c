#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/idset.h"

enum { CAP_MIN = 1 << 6 };

static uint64_t *
slot(const struct idset *s, uint64_t id)
{
	size_t i = id & (s->cap - 1);

	while (s->v[i] && s->v[i] != id)
		i = (i + 1) & (s->cap - 1);
	return &s->v[i];
}

bool
idset_has(const struct idset *s, uint64_t id)
{
	return s->n && *slot(s, id) == id;
}

static void
grow(struct idset *s)
{
	struct idset old = *s;

	s->cap = old.cap ? old.cap * 2 : CAP_MIN;
	s->v = xcalloc(s->cap, sizeof *s->v);
	for (size_t i = 0; i < old.cap; i++)
		if (old.v[i])
			*slot(s, old.v[i]) = old.v[i];
	free(old.v);
}

bool
idset_add(struct idset *s, uint64_t id)
{
	uint64_t *p;

	if (s->n * 4 >= s->cap * 3)
		grow(s);
	p = slot(s, id);
	if (*p)
		return false;
	*p = id;
	s->n++;
	return true;
}

void
idset_release(struct idset *s)
{
	free(s->v);
	*s = (struct idset){ NULL, 0, 0 };
}
