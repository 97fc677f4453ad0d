#include <stdlib.h>

#include "base/xalloc.h"
#include "log/tally.h"

enum { CAP_MIN = 1 << 6, BITS = 3, MANY = (1 << BITS) - 1 };

/* ID without the bits of the number, and not 0 without them. */
static uint64_t
key_of(uint64_t id)
{
	id &= ~(uint64_t)MANY;
	return id ? id : MANY + 1;
}

static uint64_t *
slot(const struct tally *t, uint64_t key)
{
	size_t i = (key >> BITS) & (t->cap - 1);

	while (t->v[i] && (t->v[i] & ~(uint64_t)MANY) != key)
		i = (i + 1) & (t->cap - 1);
	return &t->v[i];
}

/* A larger table, where those that are not counted any more are not enough to go. */
static void
rebuild(struct tally *t)
{
	struct tally old = *t;

	t->n = 0;
	for (size_t i = 0; i < old.cap; i++)
		t->n += (old.v[i] & MANY) != 0;
	t->cap = !old.cap ? CAP_MIN : t->n * 2 >= old.cap ? old.cap * 2 : old.cap;
	t->v = xcalloc(t->cap, sizeof *t->v);
	for (size_t i = 0; i < old.cap; i++)
		if (old.v[i] & MANY)
			*slot(t, old.v[i] & ~(uint64_t)MANY) = old.v[i];
	free(old.v);
}

void
tally_add(struct tally *t, uint64_t id)
{
	uint64_t key = key_of(id), *p;

	if (t->n * 4 >= t->cap * 3)
		rebuild(t);
	p = slot(t, key);
	t->n += *p == 0;
	*p |= key;
	if ((*p & MANY) < MANY)
		++*p;
	if ((*p & MANY) == MANY)
		++*ids_put(&t->many, key);
}

bool
tally_has(const struct tally *t, uint64_t id)
{
	return t->n && (*slot(t, key_of(id)) & MANY);
}

uint64_t
tally_take(struct tally *t, uint64_t id)
{
	uint64_t key = key_of(id), *p = t->n ? slot(t, key) : NULL, *many, n;

	if (!p || !(*p & MANY))
		return 0;
	n = *p & MANY;
	if (n == MANY) {
		many = ids_put(&t->many, key);
		n += *many - 1;
		*many = 0;
	}
	*p = key;
	return n;
}

void
tally_release(struct tally *t)
{
	free(t->v);
	ids_release(&t->many);
	*t = (struct tally){ .v = NULL };
}
