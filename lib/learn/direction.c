#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "learn/clockfit.h"
#include "learn/direction.h"

enum {
	FLOW_MIN = 4,			/* instances of two sources whose middle is known */
	GROUP_MIN = 8,			/* and whose steps are */
	FLOW_ENOUGH = 24,		/* and whose middle is known well */
	VALUES_MIN = 12,
	STRAY = 20,			/* spreads below the middle of delays: that is none of them */
};

#define SHAPE_MIN	0.25
#define SHAPE_SIGMAS	4.0	/* of what chance makes of delays without a tail, whose deviation is about 1 / sqrt(N) */
#define SPREAD_MORE	1.5	/* than the tightest pair of a slot */

/* The instances of a candidate between two sources. */
struct flow {
	const struct link_instance *v;
	unsigned n;
};

/* What is told of a candidate by its delays. */
struct judgement {
	double shape, weight;
	int64_t spread;
	bool chance;			/* no more than that */
	double grain;			/* what the resolution may make of the shape */
};

struct search_state {
	struct candidates *c;
	struct judgement *j;
	const int64_t *res;
	unsigned n;
	struct offsets *offsets;
	int64_t *room;			/* for the delays of a flow */
};

static int
by_flow(const void *a, const void *b)
{
	const struct link_instance *x = a, *y = b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	if (x->b != y->b)
		return x->b < y->b ? -1 : 1;
	return (x->a_ns > y->a_ns) - (x->a_ns < y->a_ns);
}

static int
by_number(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The flow that begins at instance I of C, which is sorted. */
static struct flow
flow_at(const struct candidate *c, size_t i)
{
	size_t k = i;

	while (k < c->n && c->v[k].a == c->v[i].a && c->v[k].b == c->v[i].b)
		k++;
	return (struct flow){ &c->v[i], (unsigned)(k - i) };
}

static void
delays_of(const struct flow *f, int sign, int64_t *out)
{
	for (unsigned i = 0; i < f->n; i++)
		out[i] = sign * (f->v[i].b_ns - f->v[i].a_ns);
	if (f->n > 0)
		qsort(out, f->n, sizeof *out, by_number);
}

static int64_t
quantile(const int64_t *d, unsigned n, unsigned per_cent)
{
	const unsigned i = n * per_cent / 100;

	return d[i < n ? i : n - 1];
}

double
direction_shape(const int64_t *d, unsigned n)
{
	const double lo = (double)quantile(d, n, 5), mid = (double)quantile(d, n, 50), hi = (double)quantile(d, n, 95);

	return hi > lo ? ((hi - mid) - (mid - lo)) / (hi - lo) : 0;
}

/* Between the quartiles of the N numbers of V, which are sorted in place. */
static int64_t
spread_of(int64_t *v, unsigned n)
{
	if (n > 0)
		qsort(v, n, sizeof *v, by_number);
	return quantile(v, n, 75) - quantile(v, n, 25);
}

/* Do the numbers of F rise with time, as a counter does? */
static bool
is_counter(const struct flow *f)
{
	unsigned up = 0;

	for (unsigned i = 1; i < f->n; i++)
		up += f->v[i].a_low > f->v[i - 1].a_low && f->v[i].a_low - f->v[i - 1].a_low < 100000;
	return up * 10 >= (f->n - 1) * 9;
}

/* Are the steps of both sides unlike, so that a delay has nothing to do with the one before it? */
static bool
steps_differ(const struct flow *f, int64_t *room)
{
	int64_t own, other, delay;
	const unsigned n = f->n - 1;

	for (unsigned i = 0; i < n; i++)
		room[i] = f->v[i + 1].a_ns - f->v[i].a_ns;
	own = spread_of(room, n);
	for (unsigned i = 0; i < n; i++)
		room[i] = f->v[i + 1].b_ns - f->v[i].b_ns;
	other = spread_of(room, n);
	for (unsigned i = 0; i < n; i++)
		room[i] = (f->v[i + 1].b_ns - f->v[i + 1].a_ns) - (f->v[i].b_ns - f->v[i].a_ns);
	delay = spread_of(room, n);
	return delay * 2 > (own < other ? own : other);
}

/* The delays of F by their middle, behind the N others in POOL: flows differ by the offset of their clocks. */
static unsigned
pool_delays(const struct flow *f, const int64_t *d, int64_t *pool, unsigned n)
{
	const int64_t middle = quantile(d, f->n, 50);

	for (unsigned i = 0; i < f->n; i++)
		pool[n + i] = d[i] - middle;
	return n + f->n;
}

static void
candidate_judge(struct search_state *s, struct candidate *c, struct judgement *j)
{
	int64_t *d = s->room, *pool = d + CANDIDATE_INSTANCES, *times = pool + CANDIDATE_INSTANCES;
	unsigned n = 0, counted = 0, unlike = 0, flows = 0;
	int64_t coarsest = 0, range, span = 0;
	bool doubtful = c->recurs;

	*j = (struct judgement){ .shape = 0 };
	if (c->n > 0)
		qsort(c->v, c->n, sizeof *c->v, by_flow);
	for (size_t i = 0; i < c->n;) {
		const struct flow f = flow_at(c, i);
		const int64_t res = s->res[f.v->a] > s->res[f.v->b] ? s->res[f.v->a] : s->res[f.v->b];

		i += f.n;
		flows++;
		coarsest = res > coarsest ? res : coarsest;
		if (f.n < FLOW_MIN)
			continue;
		delays_of(&f, 1, d);
		c->longest_ns = -d[0] > c->longest_ns ? -d[0] : c->longest_ns;
		c->longest_ns = d[f.n - 1] > c->longest_ns ? d[f.n - 1] : c->longest_ns;
		for (unsigned k = 0; k < f.n; k++)
			times[n + k] = f.v[k].a_ns;
		n = pool_delays(&f, d, pool, n);
		if (f.n < GROUP_MIN)
			continue;
		doubtful |= c->number && is_counter(&f);
		counted += f.n;
		unlike += steps_differ(&f, d) ? f.n : 0;
	}
	/* Few delays between each two: the clocks are fitted instead of the middle of each. */
	if (flows && c->n / flows < FLOW_ENOUGH) {
		for (n = 0; n < c->n; n++)
			times[n] = c->v[n].a_ns;
		span = spread_of(times, n);
		n = clockfit_rest(c, s->n, pool);
	} else if (n) {
		span = spread_of(times, n);
	}
	if (n == 0)
		return;
	j->spread = spread_of(pool, n);
	j->weight = n;
	j->shape = direction_shape(pool, n);
	range = quantile(pool, n, 95) - quantile(pool, n, 5);
	j->grain = range > 0 ? 2.0 * (double)coarsest / (double)range : 1;
	j->chance = j->spread * 4 > span || (doubtful && unlike * 5 >= counted);
	c->shape = j->shape;
	c->spread_ns = j->spread;
}

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

	return c->n >= GROUP_MIN && !s->j[i].chance && !is_mixed(c) && c->direction == 0;
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
		unsigned k = 0;
		int64_t least;

		i += f.n;
		delays_of(&f, sign, s->room);
		/* Two messages that have one id by chance make a delay like no other. */
		least = quantile(s->room, f.n, 50) - STRAY * (c->spread_ns + 1000);
		while (s->room[k] < least)
			k++;
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
		const struct judgement *j = &s->j[i];
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

/* --- calls: the two records of each side, by one clock each */

/* +1 where X is before Y in their source in nearly all instances, -1 behind it; 0 where they are in no order. */
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

/* How A stands to B in one source: as order_in_source(). */
static int
order_of(const struct candidates *c, uint32_t a, uint32_t b)
{
	bool turned;
	const struct candidate *p = find_pair(c, a, b, &turned);
	const int order = p ? order_in_source(p) : 0;

	return turned ? -order : order;
}

/* Does A lead to B, by a direction that was found or by the order in their source? */
static bool
leads_to(const struct candidates *c, uint32_t a, uint32_t b)
{
	bool turned;
	const struct candidate *p = find_pair(c, a, b, &turned);

	if (!p || p->values < CANDIDATE_VALUES)
		return false;
	if (p->direction)
		return (p->direction > 0) != turned;
	return order_in_source(p) == (turned ? -1 : 1);
}

/* Drop rules from A to C where A leads to B and B to C, the slowest first. */
static void
drop_implied(struct candidates *c)
{
	struct ranked *v = xcalloc(c->n + 1, sizeof *v);
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].direction)
			v[n++] = (struct ranked){ i, (double)c->v[i].spread_ns };
	if (n > 0)
		qsort(v, n, sizeof *v, by_rank);
	for (size_t k = 0; k < n; k++) {
		struct candidate *p = &c->v[v[k].i];
		const uint32_t from = p->direction > 0 ? p->x : p->y, to = p->direction > 0 ? p->y : p->x;

		for (size_t i = 0; i < c->n; i++) {
			const struct candidate *q = &c->v[i];
			const uint32_t mid = q->x == from ? q->y : q->y == from ? q->x : UINT32_MAX;

			if (mid != UINT32_MAX && mid != to && leads_to(c, from, mid) && leads_to(c, mid, to)) {
				p->direction = 0;
				break;
			}
		}
	}
	free(v);
}

/* Of several rules for two kinds of records, the one with most instances stays; then that of the innermost value. */
static void
drop_doubles(struct candidates *c, const struct templates *t)
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
compare_calls(const struct search_state *s, const struct candidate *p, const struct candidate *q, bool turned)
{
	int64_t *mine = s->room, *theirs = mine + CANDIDATE_INSTANCES, *more = theirs + CANDIDATE_INSTANCES;
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
	own = spread_of(mine, n);
	other = spread_of(theirs, n);
	both = spread_of(more, n);
	if (both * 2 > (own < other ? own : other))
		return 0;
	return longer * 10 >= n * 9 && shorter * 50 < n ? 1 : shorter * 10 >= n * 9 && longer * 50 < n ? -1 : 0;
}

/* What calls say of P = (X, Y) and another candidate: votes for X, and for Y, as the cause. */
static void
vote_of_calls(const struct search_state *s, size_t i, size_t k, int *votes)
{
	const struct candidate *p = &s->c->v[i], *q = &s->c->v[k];

	if (p->n < DIRECTION_INSTANCES || q->n < DIRECTION_INSTANCES || p->recurs || q->recurs)
		return;
	for (int turned = 0; turned < 2; turned++) {
		const uint32_t x2 = turned ? q->y : q->x, y2 = turned ? q->x : q->y;
		int longer;

		if (order_of(s->c, p->x, x2) != 1 || order_of(s->c, p->y, y2) != 1)
			continue;
		longer = compare_calls(s, p, q, turned);
		/* The caller is the cause of the first pair and the effect of the second. */
		votes[2 * i + (longer < 0)] += longer != 0;
		if (longer)
			votes[2 * k + ((longer > 0) != turned)]++;
	}
}

/* How often calls say that X, and that Y, of each candidate is the cause: two numbers each. */
static int *
votes_of_calls(const struct search_state *s)
{
	int *votes = xcalloc(2 * s->c->n + 1, sizeof *votes);

	for (size_t i = 0; i < s->c->n; i++)
		for (size_t k = 0; k < s->c->n && s->c->v[i].n; k++)
			if (k != i)
				vote_of_calls(s, i, k, votes);
	return votes;
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

struct offsets *
directions_find(struct candidates *c, const struct templates *t, const int64_t *res_ns, unsigned n)
{
	struct search_state s = { .c = c, .res = res_ns, .n = n, .offsets = offsets_new(n),
	    .j = xcalloc(c->n + 1, sizeof *s.j), .room = xcalloc(3 * CANDIDATE_INSTANCES, sizeof *s.room) };
	int *votes = votes_of_calls(&s);

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].n)
			candidate_judge(&s, &c->v[i], &s.j[i]);
	by_calls(&s, votes);
	by_shape(&s);
	by_clocks(&s);
	count_against(&s);
	drop_doubles(c, t);
	drop_implied(c);
	free(votes);
	free(s.j);
	free(s.room);
	return s.offsets;
}
