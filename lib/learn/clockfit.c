#include <stdbool.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "learn/clockfit.h"

enum { ROUNDS = 12 };

static int
by_number(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t
median(int64_t *v, unsigned n)
{
	if (n > 0)
		qsort(v, n, sizeof *v, by_number);
	return v[n / 2];
}

static int64_t
rest_of(const struct link_instance *x, const int64_t *offset)
{
	return (x->b_ns - offset[x->b]) - (x->a_ns - offset[x->a]);
}

/* Offsets by which one delay of each clock, to a clock that has one, becomes 0. */
static void
offsets_guess(const struct candidate *c, size_t step, unsigned count, unsigned n, int64_t *offset)
{
	bool *known = xcalloc((size_t)n + 1, sizeof *known), any = true;

	while (any) {
		any = false;
		for (unsigned i = 0; i < count; i++) {
			const struct link_instance *x = &c->v[i * step];

			if (known[x->a] && known[x->b])
				continue;
			if (!known[x->a] && !known[x->b] && any)
				continue;
			if (known[x->b])
				offset[x->a] = offset[x->b] - (x->b_ns - x->a_ns);
			else
				offset[x->b] = offset[x->a] + (x->b_ns - x->a_ns);
			known[x->a] = known[x->b] = any = true;
		}
	}
	free(known);
}

unsigned
clockfit_rest(const struct candidate *c, unsigned n, int64_t *rest)
{
	int64_t *offset = xcalloc((size_t)n + 1, sizeof *offset), *of = xcalloc(2 * CLOCKFIT_MAX, sizeof *of), middle = 0;
	const size_t step = c->n / CLOCKFIT_MAX + 1;
	const unsigned count = (unsigned)((c->n + step - 1) / step);

	offsets_guess(c, step, count, n, offset);
	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned k = 0; k < n; k++) {
			unsigned m = 0;

			for (unsigned i = 0; i < count; i++) {
				const struct link_instance *x = &c->v[i * step];

				if (x->b == k)
					of[m++] = rest_of(x, offset) - middle;
				else if (x->a == k)
					of[m++] = middle - rest_of(x, offset);
			}
			if (m)
				offset[k] += median(of, m);
		}
		for (unsigned i = 0; i < count; i++)
			rest[i] = rest_of(&c->v[i * step], offset);
		middle = median(rest, count);
	}
	for (unsigned i = 0; i < count; i++)
		rest[i] = rest_of(&c->v[i * step], offset) - middle;
	free(offset);
	free(of);
	return count;
}
