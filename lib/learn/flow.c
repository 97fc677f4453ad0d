#include <stdlib.h>

#include "learn/clockfit.h"
#include "learn/flow.h"

enum {
	FLOW_MIN = 4,			/* instances of two sources whose middle is known */
	FLOW_ENOUGH = 24,		/* and whose middle is known well */
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

struct flow
flow_at(const struct candidate *c, size_t i)
{
	size_t k = i;

	while (k < c->n && c->v[k].a == c->v[i].a && c->v[k].b == c->v[i].b)
		k++;
	return (struct flow){ &c->v[i], (unsigned)(k - i) };
}

int64_t
flow_resolution(const struct flow *f, const int64_t *res_ns)
{
	return res_ns[f->v->a] > res_ns[f->v->b] ? res_ns[f->v->a] : res_ns[f->v->b];
}

void
flow_delays(const struct flow *f, int sign, int64_t *out)
{
	for (unsigned i = 0; i < f->n; i++)
		out[i] = sign * (f->v[i].b_ns - f->v[i].a_ns);
	if (f->n > 0)
		qsort(out, f->n, sizeof *out, by_number);
}

int64_t
flow_quantile(const int64_t *d, unsigned n, unsigned per_cent)
{
	const unsigned i = n * per_cent / 100;

	return d[i < n ? i : n - 1];
}

double
flow_shape(const int64_t *d, unsigned n)
{
	const double lo = (double)flow_quantile(d, n, 5), mid = (double)flow_quantile(d, n, 50), hi = (double)flow_quantile(d, n, 95);

	return hi > lo ? ((hi - mid) - (mid - lo)) / (hi - lo) : 0;
}

int64_t
flow_spread(int64_t *v, unsigned n)
{
	if (n > 0)
		qsort(v, n, sizeof *v, by_number);
	return flow_quantile(v, n, 75) - flow_quantile(v, n, 25);
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
	own = flow_spread(room, n);
	for (unsigned i = 0; i < n; i++)
		room[i] = f->v[i + 1].b_ns - f->v[i].b_ns;
	other = flow_spread(room, n);
	for (unsigned i = 0; i < n; i++)
		room[i] = (f->v[i + 1].b_ns - f->v[i + 1].a_ns) - (f->v[i].b_ns - f->v[i].a_ns);
	delay = flow_spread(room, n);
	return delay * 2 > (own < other ? own : other);
}

/* The delays of F by their middle, behind the N others in POOL: flows differ by the offset of their clocks. */
static unsigned
pool_delays(const struct flow *f, const int64_t *d, int64_t *pool, unsigned n)
{
	const int64_t middle = flow_quantile(d, f->n, 50);

	for (unsigned i = 0; i < f->n; i++)
		pool[n + i] = d[i] - middle;
	return n + f->n;
}

void
flow_judge(struct candidate *c, const int64_t *res_ns, unsigned sources, int64_t *room, struct flow_judgement *j)
{
	int64_t *d = room, *pool = d + CANDIDATE_INSTANCES, *times = pool + CANDIDATE_INSTANCES;
	unsigned n = 0, counted = 0, unlike = 0, flows = 0;
	int64_t coarsest = 0, range, span = 0;
	bool doubtful = c->recurs;

	*j = (struct flow_judgement){ .shape = 0 };
	if (c->n > 0)
		qsort(c->v, c->n, sizeof *c->v, by_flow);
	for (size_t i = 0; i < c->n;) {
		const struct flow f = flow_at(c, i);
		const int64_t res = flow_resolution(&f, res_ns);

		i += f.n;
		flows++;
		coarsest = res > coarsest ? res : coarsest;
		if (f.n < FLOW_MIN)
			continue;
		flow_delays(&f, 1, d);
		c->longest_ns = -d[0] > c->longest_ns ? -d[0] : c->longest_ns;
		c->longest_ns = d[f.n - 1] > c->longest_ns ? d[f.n - 1] : c->longest_ns;
		for (unsigned k = 0; k < f.n; k++)
			times[n + k] = f.v[k].a_ns;
		n = pool_delays(&f, d, pool, n);
		if (f.n < FLOW_GROUP_MIN)
			continue;
		doubtful |= c->number && is_counter(&f);
		counted += f.n;
		unlike += steps_differ(&f, d) ? f.n : 0;
	}
	/* Few delays between each two: the clocks are fitted instead of the middle of each. */
	if (flows && c->n / flows < FLOW_ENOUGH) {
		for (n = 0; n < c->n; n++)
			times[n] = c->v[n].a_ns;
		span = flow_spread(times, n);
		n = clockfit_rest(c, sources, pool);
	} else if (n) {
		span = flow_spread(times, n);
	}
	if (n == 0)
		return;
	j->spread = flow_spread(pool, n);
	j->weight = n;
	j->shape = flow_shape(pool, n);
	range = flow_quantile(pool, n, 95) - flow_quantile(pool, n, 5);
	j->grain = range > 0 ? 2.0 * (double)coarsest / (double)range : 1;
	j->chance = j->spread * 4 > span || (doubtful && unlike * 5 >= counted);
	c->shape = j->shape;
	c->spread_ns = j->spread;
}
