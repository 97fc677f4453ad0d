#include <stdlib.h>

#include "base/xalloc.h"
#include "task/historyindex.h"

enum { STEP = 64 << 10 };

void
historyindex_free(struct historyindex *x)
{
	free(x->items);
	*x = (struct historyindex){ NULL, 0, 0, 0 };
}

void
historyindex_add(struct historyindex *x, int64_t id, off_t at)
{
	if (id > x->last)
		x->last = id;
	if (x->n > 0 && at < x->items[x->n - 1].at + STEP)
		return;
	x->items = xgrow(x->items, x->n, &x->cap, sizeof *x->items);
	x->items[x->n++] = (struct historyindex_item){ id, at };
}

off_t
historyindex_find(const struct historyindex *x, int64_t after)
{
	size_t lo = 0, hi = x->n;

	if (x->last <= after)
		return -1;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (x->items[mid].id <= after)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 ? x->items[lo - 1].at : 0;
}
