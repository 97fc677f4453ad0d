#include <stdlib.h>

#include "base/xalloc.h"
#include "learn/calls.h"
#include "learn/direction.h"
#include "learn/flow.h"
#include "learn/precedence.h"

/* The times from X1 to X2 and from Y1 to Y2, of the candidates P = (X1, Y1) and Q = (X2, Y2), for each value; how many. */
static unsigned
times_of_calls(const struct candidate *p, const struct candidate *q, bool turned, int64_t *mine, int64_t *theirs)
{
	unsigned n = 0;
	size_t k = 0;

	/* Instances still stand in the order of their values. */
	for (size_t i = 0; i < p->n; i++) {
		const struct link_instance *x = &p->v[i], *y;

		while (k < q->n && q->v[k].value < x->value)
			k++;
		if (k == q->n || q->v[k].value != x->value || (k + 1 < q->n && q->v[k + 1].value == x->value))
			continue;
		y = &q->v[k];
		if (x->a != (turned ? y->b : y->a) || x->b != (turned ? y->a : y->b))
			continue;
		mine[n] = (turned ? y->b_ns : y->a_ns) - x->a_ns;
		theirs[n++] = (turned ? y->a_ns : y->b_ns) - x->b_ns;
	}
	return n;
}

/*
 * +1 where the time from X1 to X2 is the longer one and so spans that from Y1 to Y2, -1 where it is the
 * shorter one, 0 else.  Times that do not vary together are not of one call.
 */
static int
compare_calls(int64_t *room, const struct candidate *p, const struct candidate *q, bool turned)
{
	int64_t *mine = room, *theirs = mine + CANDIDATE_INSTANCES, *more = theirs + CANDIDATE_INSTANCES;
	const unsigned n = times_of_calls(p, q, turned, mine, theirs);
	unsigned longer = 0, shorter = 0;
	int64_t own, other, both;

	if (n < DIRECTION_INSTANCES)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		more[i] = mine[i] - theirs[i];
		longer += more[i] > 0;
		shorter += more[i] < 0;
	}
	own = flow_spread(mine, n);
	other = flow_spread(theirs, n);
	both = flow_spread(more, n);
	if (both * 2 > (own < other ? own : other))
		return 0;
	return longer * 10 >= n * 9 && shorter * 50 < n ? 1 : shorter * 10 >= n * 9 && longer * 50 < n ? -1 : 0;
}

/* What calls say of P = (X, Y) and another candidate: votes for X, and for Y, as the cause. */
static void
vote_of_calls(const struct candidates *c, int64_t *room, size_t i, size_t k, int *votes)
{
	const struct candidate *p = &c->v[i], *q = &c->v[k];

	if (p->n < DIRECTION_INSTANCES || q->n < DIRECTION_INSTANCES || p->recurs || q->recurs)
		return;
	for (int turned = 0; turned < 2; turned++) {
		const uint32_t x2 = turned ? q->y : q->x, y2 = turned ? q->x : q->y;
		int longer;

		if (precedence_of(c, p->x, x2) != 1 || precedence_of(c, p->y, y2) != 1)
			continue;
		longer = compare_calls(room, p, q, turned);
		/* The caller is the cause of the first pair and the effect of the second. */
		votes[2 * i + (longer < 0)] += longer != 0;
		if (longer)
			votes[2 * k + ((longer > 0) != turned)]++;
	}
}

int *
calls_votes(const struct candidates *c, int64_t *room)
{
	int *votes = xcalloc(2 * c->n + 1, sizeof *votes);

	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < c->n && c->v[i].n; k++)
			if (k != i)
				vote_of_calls(c, room, i, k, votes);
	return votes;
}
