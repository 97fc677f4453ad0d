#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "task/historyends.h"

void
historyends_free(struct historyends *e)
{
	free(e->items);
	*e = (struct historyends){ NULL, 0, 0 };
}

/* The place of TASK, or where it would be; most often that is the end. */
static size_t
place_of(const struct historyends *e, int64_t task)
{
	size_t lo = 0, hi = e->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (e->items[mid].task < task)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
historyends_add(struct historyends *e, const struct historyend *end)
{
	const size_t at = place_of(e, end->task);

	if (at < e->n && e->items[at].task == end->task) {
		e->items[at] = *end;
		return;
	}
	e->items = xgrow(e->items, e->n, &e->cap, sizeof *e->items);
	memmove(e->items + at + 1, e->items + at, (e->n - at) * sizeof *e->items);
	e->items[at] = *end;
	e->n++;
}

const struct historyend *
historyends_find(const struct historyends *e, int64_t task)
{
	const size_t at = place_of(e, task);

	return at < e->n && e->items[at].task == task ? &e->items[at] : NULL;
}

void
historyends_remove(struct historyends *e, bool (*fn)(const struct historyend *end, void *cookie), void *cookie)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		if (!fn(&e->items[i], cookie))
			e->items[n++] = e->items[i];
	e->n = n;
}
