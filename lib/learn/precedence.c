#include <stdlib.h>

#include "base/xalloc.h"
#include "learn/precedence.h"

/* As precedence_of() says of X and Y of C. */
static int
order_in_source(const struct candidate *c)
{
	if (c->same < CANDIDATE_VALUES)
		return 0;
	return c->same_forward * 50 >= c->same * 49 ? 1 : c->same_forward * 50 <= c->same ? -1 : 0;
}

/* The candidate of the slots A and B; NULL for none.  *TURNED: B is its X. */
static struct candidate *
find_pair(const struct candidates *c, uint32_t a, uint32_t b, bool *turned)
{
	const uint32_t x = a < b ? a : b, y = a < b ? b : a;
	size_t lo = 0, hi = c->n;

	*turned = a > b;
	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;
		const struct candidate *p = &c->v[mid];

		if (p->x == x && p->y == y)
			return &c->v[mid];
		if (p->x < x || (p->x == x && p->y < y))
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int
precedence_of(const struct candidates *c, uint32_t a, uint32_t b)
{
	bool turned;
	const struct candidate *p = find_pair(c, a, b, &turned);
	const int order = p ? order_in_source(p) : 0;

	return turned ? -order : order;
}

/* Does A lead to B, by a direction that was found, of DIRECTION, or by the order in their source? */
static bool
leads_to(const struct candidates *c, const int *direction, uint32_t a, uint32_t b)
{
	bool turned;
	const struct candidate *p = find_pair(c, a, b, &turned);

	if (!p || p->values < CANDIDATE_VALUES)
		return false;
	if (direction[p - c->v])
		return (direction[p - c->v] > 0) != turned;
	return order_in_source(p) == (turned ? -1 : 1);
}

void
precedence_drop_implied(struct candidates *c)
{
	int *direction = xcalloc(c->n + 1, sizeof *direction);

	/* What is dropped still leads from the one to the other. */
	for (size_t i = 0; i < c->n; i++)
		direction[i] = c->v[i].direction;
	for (size_t k = 0; k < c->n; k++) {
		struct candidate *p = &c->v[k];
		const uint32_t from = direction[k] > 0 ? p->x : p->y, to = direction[k] > 0 ? p->y : p->x;

		for (size_t i = 0; direction[k] && i < c->n; i++) {
			const struct candidate *q = &c->v[i];
			const uint32_t mid = q->x == from ? q->y : q->y == from ? q->x : UINT32_MAX;

			if (mid != UINT32_MAX && mid != to && leads_to(c, direction, from, mid) && leads_to(c, direction, mid, to)) {
				p->direction = 0;
				break;
			}
		}
	}
	free(direction);
}

void
precedence_drop_doubles(struct candidates *c, const struct templates *t)
{
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = i + 1; k < c->n && c->v[i].direction; k++) {
			struct candidate *a = &c->v[i], *b = &c->v[k];

			if (!b->direction || templates_kind_of(t, a->x) != templates_kind_of(t, b->x) ||
			    templates_kind_of(t, a->y) != templates_kind_of(t, b->y))
				continue;
			if (a->n > b->n)
				b->direction = 0;
			else
				a->direction = 0;
		}
}
