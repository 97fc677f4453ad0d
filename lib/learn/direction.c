#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "learn/calls.h"
#include "learn/crossing.h"
#include "learn/direction.h"
#include "learn/flow.h"
#include "learn/precedence.h"

enum {
	VALUES_MIN = 12,
	STRAY = 20,			/* spreads below the middle of delays: that is none of them */
};

#define SHAPE_MIN	0.25
#define SHAPE_SIGMAS	4.0	/* of what chance makes of delays without a tail, whose deviation is about 1 / sqrt(N) */
#define SPREAD_MORE	1.5	/* than the tightest pair of a slot */

struct search_state {
	struct candidates *c;
	const struct templates *t;
	struct flow_judgement *j;
	const int64_t *res;
	const bool *ordered;
	unsigned n;
	struct offsets *offsets;
	int64_t *room;			/* for the delays of a flow */
};

/* Does the order in one source contradict that either causes the other? */
static bool
is_mixed(const struct candidate *c)
{
	return c->same >= 4 && c->same_forward * 50 > c->same && c->same_forward * 50 < c->same * 49;
}

static bool
is_open(const struct search_state *s, size_t i)
{
	const struct candidate *c = &s->c->v[i];

	return c->n >= FLOW_GROUP_MIN && !s->j[i].chance && !is_mixed(c) && c->direction == 0;
}

/* The smallest spread of a pair with each slot; INT64_MAX for none. */
static int64_t *
least_spreads(const struct search_state *s)
{
	uint32_t slots = 0;
	int64_t *best;

	for (size_t i = 0; i < s->c->n; i++)
		slots = s->c->v[i].y >= slots ? s->c->v[i].y + 1 : s->c->v[i].x >= slots ? s->c->v[i].x + 1 : slots;
	best = xcalloc((size_t)slots + 1, sizeof *best);
	for (uint32_t i = 0; i < slots; i++)
		best[i] = INT64_MAX;
	for (size_t i = 0; i < s->c->n; i++) {
		const struct candidate *c = &s->c->v[i];

		if (!is_open(s, i) || s->j[i].weight == 0 || (c->values < VALUES_MIN && !c->recurs))
			continue;
		best[c->x] = s->j[i].spread < best[c->x] ? s->j[i].spread : best[c->x];
		best[c->y] = s->j[i].spread < best[c->y] ? s->j[i].spread : best[c->y];
	}
	return best;
}

/* The bounds that C gives if SIGN is its direction. */
static void
bound_offsets(const struct search_state *s, struct offsets *o, const struct candidate *c, int sign)
{
	for (size_t i = 0; i < c->n;) {
		const struct flow f = flow_at(c, i);
		const int64_t res = flow_resolution(&f, s->res);
		unsigned k = 0;
		int64_t least;

		i += f.n;
		flow_delays(&f, sign, s->room);
		/* Two messages that have one id by chance make a delay like no other. */
		least = flow_quantile(s->room, f.n, 50) - STRAY * (c->spread_ns + 1000);
		while (s->room[k] < least)
			k++;
		/* A stamp may be too early by its whole resolution. */
		for (unsigned m = k; m < f.n; m++)
			s->room[m] += res;
		offsets_bound(o, sign > 0 ? f.v->a : f.v->b, sign > 0 ? f.v->b : f.v->a, s->room + k, f.n - k);
	}
}

struct ranked {
	size_t i;
	double rank;
};

static int
by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank < y->rank || x->rank > y->rank)
		return x->rank > y->rank ? -1 : 1;
	return (x->i > y->i) - (x->i < y->i);
}

/* Accept direction SIGN of candidate I if what is known of the clocks allows it. */
static bool
accept_direction(struct search_state *s, size_t i, int sign, int64_t slack, const char *how)
{
	struct candidate *c = &s->c->v[i];
	struct offsets *o = offsets_copy(s->offsets);

	bound_offsets(s, o, c, sign);
	if (!offsets_close(o, slack)) {
		offsets_free(o);
		return false;
	}
	offsets_free(s->offsets);
	s->offsets = o;
	c->direction = sign;
	c->how = how;
	return true;
}

static void
by_shape(struct search_state *s)
{
	int64_t *best = least_spreads(s), slack = INT64_MAX / 8;
	struct ranked *v = xcalloc(s->c->n + 1, sizeof *v);
	size_t n = 0;

	for (size_t i = 0; i < s->c->n; i++) {
		const struct candidate *c = &s->c->v[i];
		const struct flow_judgement *j = &s->j[i];
		const double least = SHAPE_SIGMAS / sqrt(j->weight + 1);

		if (!is_open(s, i) || j->weight < DIRECTION_INSTANCES || (c->values < VALUES_MIN && !c->recurs) ||
		    fabs(j->shape) < (least > SHAPE_MIN ? least : SHAPE_MIN) + j->grain ||
		    (double)j->spread > SPREAD_MORE * (double)best[c->x] || (double)j->spread > SPREAD_MORE * (double)best[c->y])
			continue;
		v[n++] = (struct ranked){ i, j->weight * fabs(j->shape) / (1 + (double)j->spread) };
		slack = j->spread < slack ? j->spread : slack;
	}
	if (n > 0)
		qsort(v, n, sizeof *v, by_rank);
	for (size_t k = 0; k < n; k++)
		accept_direction(s, v[k].i, s->j[v[k].i].shape > 0 ? 1 : -1, 2 * slack + 2000, "the shape of the delays");
	free(v);
	free(best);
}

/*
 * By what is known of the clocks: how many instances of C contradict that X is the cause, and how many that Y
 * is.  Where one bound alone is known, what it does not prove counts as a contradiction if STRICT.
 */
static void
count_contradictions(const struct search_state *s, const struct candidate *c, bool strict, int64_t *forward, int64_t *backward)
{
	*forward = *backward = 0;
	for (size_t i = 0; i < c->n; i++) {
		const struct link_instance *x = &c->v[i];
		const int64_t d = x->b_ns - x->a_ns, res = s->res[x->a] > s->res[x->b] ? s->res[x->a] : s->res[x->b];
		int64_t lo, hi;

		offsets_range(s->offsets, x->a, x->b, &lo, &hi);
		if (lo > -OFFSET_UNKNOWN && hi < OFFSET_UNKNOWN) {
			*forward += d < lo - res;
			*backward += d > hi + res;
		} else if (strict) {
			*forward += !(hi < OFFSET_UNKNOWN && d >= hi);
			*backward += !(lo > -OFFSET_UNKNOWN && d <= lo);
		}
	}
}

/* One direction is contradicted by most instances, and the other by nearly none. */
static void
by_clocks(struct search_state *s)
{
	for (size_t i = 0; i < s->c->n; i++) {
		struct candidate *c = &s->c->v[i];
		const int64_t n = (int64_t)c->n;
		int64_t forward, backward;

		if (!is_open(s, i) || n < DIRECTION_INSTANCES)
			continue;
		count_contradictions(s, c, true, &forward, &backward);
		if (forward * 50 <= n && backward * 2 >= n)
			c->direction = 1;
		else if (backward * 50 <= n && forward * 2 >= n)
			c->direction = -1;
		if (c->direction)
			c->how = "clocks corrected by other rules";
	}
}

/* Instances that contradict the direction, by the clocks as they are known in the end; rules that too many do are dropped. */
static void
count_against(struct search_state *s)
{
	for (size_t i = 0; i < s->c->n; i++) {
		struct candidate *c = &s->c->v[i];
		int64_t forward, backward;

		if (!c->direction)
			continue;
		count_contradictions(s, c, false, &forward, &backward);
		c->against = c->direction > 0 ? forward : backward;
		if (c->against * 50 > (int64_t)c->n)
			c->direction = 0;
	}
}

static void
by_calls(struct search_state *s, const int *votes)
{
	for (size_t i = 0; i < s->c->n; i++) {
		const int forward = votes[2 * i], backward = votes[2 * i + 1];

		if (is_open(s, i) && (forward > 0) != (backward > 0))
			accept_direction(s, i, forward ? 1 : -1, 2000, "the times of calls, by one clock each");
	}
}

/* --- messages that cross: the order of files, without their times */

/* The place among the N of V of one for the same two kinds of records as candidate I; N for none. */
static size_t
find_double(const struct search_state *s, const size_t *v, size_t n, size_t i)
{
	const struct candidate *c = &s->c->v[i];
	size_t k = 0;

	while (k < n && (templates_kind_of(s->t, s->c->v[v[k]].x) != templates_kind_of(s->t, c->x) ||
	    templates_kind_of(s->t, s->c->v[v[k]].y) != templates_kind_of(s->t, c->y)))
		k++;
	return k;
}

/* The candidates that are compared into V, one for each two kinds, those with most instances; how many. */
static size_t
choose_compared(const struct search_state *s, size_t *v)
{
	struct ranked *ranked = xcalloc(s->c->n + 1, sizeof *ranked);
	size_t n = 0, m = 0;

	for (size_t i = 0; i < s->c->n; i++) {
		const struct candidate *c = &s->c->v[i];

		if (c->n >= DIRECTION_INSTANCES && !s->j[i].chance && !is_mixed(c))
			ranked[n++] = (struct ranked){ i, (double)c->n };
	}
	if (n > 0)
		qsort(ranked, n, sizeof *ranked, by_rank);
	for (size_t i = 0; i < n && m < CROSSING_CANDIDATES; i++) {
		const size_t at = find_double(s, v, m, ranked[i].i);

		/* Of as many, that of the innermost value. */
		if (at == m || s->c->v[v[at]].n == s->c->v[ranked[i].i].n)
			v[at] = ranked[i].i;
		m += at == m;
	}
	free(ranked);
	return m;
}

/* Are P and Q of the same calls: in either source, is the record of the one before that of the other? */
static bool
are_of_calls(const struct search_state *s, const struct candidate *p, const struct candidate *q, bool turned)
{
	const uint32_t x = turned ? q->y : q->x, y = turned ? q->x : q->y;
	const int order = p->recurs || q->recurs || p->x == x || p->y == y ? 0 : precedence_of(s->c, p->x, x);

	return order && order == precedence_of(s->c, p->y, y);
}

static void
by_crossing(struct search_state *s)
{
	size_t *v = xcalloc(CROSSING_CANDIDATES, sizeof *v), n = choose_compared(s, v);
	int *known = xcalloc(2 * CROSSING_CANDIDATES, sizeof *known), *signs = known + CROSSING_CANDIDATES;
	struct crossings *x = crossings_new(s->c, v, n, s->ordered);

	for (size_t i = 0; i < n; i++) {
		known[i] = s->c->v[v[i]].direction;
		for (size_t k = i + 1; k < n; k++)
			for (int turned = 0; turned < 2; turned++)
				if (are_of_calls(s, &s->c->v[v[i]], &s->c->v[v[k]], turned))
					crossings_exclude_same(x, i, k, turned);
	}
	crossings_choose(x, known, signs);
	for (size_t i = 0; i < n; i++)
		if (signs[i] && !known[i])
			accept_direction(s, v[i], signs[i], 2000, "messages that crossed, by the order of the files alone");
	crossings_free(x);
	free(known);
	free(v);
}

struct offsets *
directions_find(struct candidates *c, const struct templates *t, const int64_t *res_ns, const bool *ordered, unsigned n)
{
	struct search_state s = { .c = c, .t = t, .res = res_ns, .ordered = ordered, .n = n, .offsets = offsets_new(n),
	    .j = xcalloc(c->n + 1, sizeof *s.j), .room = xcalloc(3 * CANDIDATE_INSTANCES, sizeof *s.room) };
	int *votes = calls_votes(c, s.room);

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].n)
			flow_judge(&c->v[i], res_ns, n, s.room, &s.j[i]);
	by_calls(&s, votes);
	by_shape(&s);
	by_clocks(&s);
	by_crossing(&s);
	count_against(&s);
	precedence_drop_doubles(c, t);
	precedence_drop_implied(c);
	free(votes);
	free(s.j);
	free(s.room);
	return s.offsets;
}
