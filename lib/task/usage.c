#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "task/usage.h"

void
usage_release(struct usage_table *u)
{
	free(u->items);
	*u = (struct usage_table){ NULL, 0, 0 };
}

struct usage *
usage_of(struct usage_table *u, uid_t owner)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->items[i].owner == owner)
			return &u->items[i];
	u->items = xgrow(u->items, u->n, &u->cap, sizeof *u->items);
	u->items[u->n] = (struct usage){ .owner = owner };
	return &u->items[u->n++];
}

void
usage_count(struct usage_table *u, const struct taskset *tasks)
{
	struct usage *of = NULL;

	for (size_t i = 0; i < tasks->n; i++) {
		const struct taskrecord *t = tasks->items[i];

		if (!of || of->owner != t->owner)
			of = usage_of(u, t->owner);
		of->tasks++;
		of->running += t->state == TASK_RUNNING;
		of->log_bytes += t->log_bytes;
	}
}

int64_t
usage_share(int64_t limit, int64_t percent, uid_t owner)
{
	/* rounded up, without an overflow */
	const int64_t part = limit / 100 * percent + (limit % 100 * percent + 99) / 100;

	return owner == 0 || owner == geteuid() ? limit : part > 0 ? part : 1;
}

int64_t
usage_log_bytes(const struct usage_table *u, int64_t limit, int64_t percent)
{
	int64_t sum = 0;

	for (size_t i = 0; i < u->n; i++) {
		const int64_t share = usage_share(limit, percent, u->items[i].owner);

		sum += u->items[i].log_bytes < share ? u->items[i].log_bytes : share;
	}
	return sum;
}
