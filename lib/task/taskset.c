#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "task/taskset.h"

/* The place of ID, or where it would be. */
static size_t
place_of(const struct taskset *s, int64_t id)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->items[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
taskset_free(struct taskset *s)
{
	for (size_t i = 0; i < s->n; i++)
		taskrecord_free(s->items[i]);
	free(s->items);
	*s = (struct taskset){ NULL, 0, 0 };
}

void
taskset_insert(struct taskset *s, struct taskrecord *t)
{
	const size_t at = place_of(s, t->id);

	s->items = xgrow(s->items, s->n, &s->cap, sizeof *s->items);
	memmove(s->items + at + 1, s->items + at, (s->n - at) * sizeof *s->items);
	s->items[at] = t;
	s->n++;
}

void
taskset_remove(struct taskset *s, struct taskrecord *t)
{
	const size_t at = place_of(s, t->id);

	memmove(s->items + at, s->items + at + 1, (s->n - at - 1) * sizeof *s->items);
	s->n--;
	taskrecord_free(t);
}

struct taskrecord *
taskset_find(const struct taskset *s, int64_t id)
{
	const size_t at = place_of(s, id);

	return at < s->n && s->items[at]->id == id ? s->items[at] : NULL;
}

size_t
taskset_count(const struct taskset *s, enum taskrecord_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->items[i]->state == state;
	return n;
}
