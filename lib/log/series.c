/*
 * Series of log/node.h: the numbers of a sequence, the monotonic clock of a boot.
 *
 * A record stands behind all those of its series that are here and have a lower
 * number; these are kept sorted.  They come nearly in order, and the lowest
 * leaves first, so little is moved.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "log/node.h"

struct member {
	int64_t number;
	struct node *node;
};

struct series {
	struct member *v;
	size_t head, n, cap;		/* from HEAD on */
	bool mono;			/* of a boot's clock */
	struct series *next;		/* in the order of their first records */
};

static struct series *
find(struct order *o, uint64_t id)
{
	uint64_t *slot = ids_find(&o->series, id);

	return slot ? (struct series *)(uintptr_t)*slot : NULL;
}

/* How many have a lower number. */
static size_t
count_below(const struct series *s, int64_t number)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[s->head + mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
series_enter(struct order *o, struct node *e, const struct constraint *edge)
{
	struct series *s = find(o, edge->id);
	size_t i;

	if (!s) {
		s = xcalloc(1, sizeof *s);
		s->mono = edge->what == CONSTRAINT_MONO;
		if (o->series_last)
			o->series_last->next = s;
		else
			o->series_first = s;
		o->series_last = s;
		*ids_put(&o->series, edge->id) = (uint64_t)(uintptr_t)s;
	}
	if (s->head && s->head + s->n == s->cap) {
		memmove(s->v, s->v + s->head, s->n * sizeof *s->v);
		s->head = 0;
	}
	s->v = xgrow(s->v, s->head + s->n, &s->cap, sizeof *s->v);
	i = s->n == 0 || s->v[s->head + s->n - 1].number <= edge->n ? s->n : count_below(s, edge->n);
	memmove(s->v + s->head + i + 1, s->v + s->head + i, (s->n - i) * sizeof *s->v);
	s->v[s->head + i] = (struct member){ edge->n, e };
	s->n++;
}

void
series_leave(struct order *o, struct node *e, const struct constraint *edge)
{
	struct series *s = find(o, edge->id);
	size_t i = s ? count_below(s, edge->n) : 0;

	while (s && i < s->n && s->v[s->head + i].node != e)
		i++;
	if (!s || i == s->n)
		return;
	if (i == 0)
		s->head++;
	else
		memmove(s->v + s->head + i, s->v + s->head + i + 1, (s->n - i - 1) * sizeof *s->v);
	s->n--;
}

static const struct constraint *
number_of(const struct node *e)
{
	for (size_t i = 0; i < e->edges.n; i++)
		if (e->edges.v[i].what == CONSTRAINT_SEQUENCE)
			return &e->edges.v[i];
	return NULL;
}

/* Of two with numbers of one sequence these decide, and not the clock. */
static bool
is_decided(const struct node *a, const struct node *b)
{
	const struct constraint *x = number_of(a), *y = number_of(b);

	return x && y && x->id == y->id && !x->own;
}

/* One that may begin anew tells only of two numbers in a row. */
static bool
is_next(const struct constraint *edge, int64_t below)
{
	return !edge->own || edge->n - below == 1;
}

struct node *
series_before(struct order *o, const struct node *e, const struct constraint *edge)
{
	const struct series *s = find(o, edge->id);
	size_t i = s ? count_below(s, edge->n) : 0;

	while (i && edge->what == CONSTRAINT_MONO && is_decided(s->v[s->head + i - 1].node, e))
		i--;
	return i && is_next(edge, s->v[s->head + i - 1].number) ? s->v[s->head + i - 1].node : NULL;
}

/* Each waits for all that have the number before its own. */
static void
chain(struct order *o, const struct series *s)
{
	const struct member *v = s->v + s->head;
	size_t low = 0, from = 0;	/* FROM: the first of the same number, LOW: of the one before */

	for (size_t i = 1; i < s->n; i++) {
		if (v[i].number != v[i - 1].number) {
			low = from;
			from = i;
		}
		for (size_t k = low; k < from; k++)
			if (v[k].node != v[i].node && (s->mono ? !is_decided(v[k].node, v[i].node) : is_next(number_of(v[i].node), v[k].number)))
				order_provide(o, order_wait_new(o, v[i].node, 0, CONSTRAINT_CLOCK, UINT16_MAX), v[k].node);
	}
}

/* In the order of the first records: that of the table differs from run to run. */
void
series_chain(struct order *o)
{
	for (const struct series *s = o->series_first; s; s = s->next)
		chain(o, s);
}

void
series_release(struct order *o)
{
	while (o->series_first) {
		struct series *s = o->series_first;

		o->series_first = s->next;
		free(s->v);
		free(s);
	}
	o->series_last = NULL;
	ids_release(&o->series);
}
