#include <stdlib.h>

#include "base/xalloc.h"
#include "learn/crossing.h"

enum { STEPS_MAX = 40000000 /* of a search */, ROUNDS = 32 };

/* An instance between sources A < B: the numbers of its records in them. */
struct passage {
	uint16_t a, b;
	uint16_t number;		/* of the candidate */
	bool x_at_a;
	uint32_t a_record, b_record;
};

struct crossings {
	size_t n;
	uint32_t *count;		/* for each two candidates 4: by the signs that are contradicted */
};

static int
by_place(const void *a, const void *b)
{
	const struct passage *x = a, *y = b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	if (x->b != y->b)
		return x->b < y->b ? -1 : 1;
	if (x->a_record != y->a_record)
		return x->a_record < y->a_record ? -1 : 1;
	if (x->b_record != y->b_record)
		return x->b_record < y->b_record ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static uint32_t *
count_of(const struct crossings *x, size_t i, size_t k, int sign_i, int sign_k)
{
	if (i > k)
		return count_of(x, k, i, sign_k, sign_i);
	return &x->count[(i * x->n + k) * 4 + (sign_i < 0) * 2 + (sign_k < 0)];
}

/* I is before K in A, and behind it in B: not both does I lead from B to A and K from A to B. */
static void
count_crossing(struct crossings *x, const struct passage *i, const struct passage *k)
{
	const int sign_i = i->x_at_a ? -1 : 1, sign_k = k->x_at_a ? 1 : -1;

	if (i->a_record != k->a_record && (i->number != k->number || sign_i == sign_k))
		++*count_of(x, i->number, k->number, sign_i, sign_k);
}

/* Count the pairs among the N of V, which are between the same two sources, in at most MOST steps. */
static void
count_crossings(struct crossings *x, struct passage *v, size_t n, size_t most)
{
	/* Insert each where it stands in B: what it passes stands before it in A. */
	for (size_t i = 1, steps = 0; i < n && steps < most; i++) {
		const struct passage one = v[i];
		size_t k = i;

		for (; k > 0 && v[k - 1].b_record > one.b_record; k--, steps++) {
			count_crossing(x, &v[k - 1], &one);
			v[k] = v[k - 1];
		}
		v[k] = one;
	}
}

static struct passage *
passages_of(const struct candidates *c, const size_t *v, size_t n, const bool *ordered, size_t *total)
{
	struct passage *p;
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		m += c->v[v[i]].n;
	p = xcalloc(m + 1, sizeof *p);
	m = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < c->v[v[i]].n; k++) {
			const struct link_instance *x = &c->v[v[i]].v[k];
			const bool turned = x->a > x->b;

			if (ordered[x->a] && ordered[x->b])
				p[m++] = (struct passage){ turned ? x->b : x->a, turned ? x->a : x->b, (uint16_t)i, !turned,
				    turned ? x->b_record : x->a_record, turned ? x->a_record : x->b_record };
		}
	if (m > 0)
		qsort(p, m, sizeof *p, by_place);
	*total = m;
	return p;
}

struct crossings *
crossings_new(struct candidates *c, const size_t *v, size_t n, const bool *ordered)
{
	struct crossings *x = xcalloc(1, sizeof *x);
	struct passage *p;
	size_t total;

	x->n = n;
	x->count = xcalloc(n * n * 4 + 1, sizeof *x->count);
	p = passages_of(c, v, n, ordered, &total);
	for (size_t i = 0, k; i < total; i = k) {
		for (k = i; k < total && p[k].a == p[i].a && p[k].b == p[i].b; k++)
			;
		/* Sources share the steps by how much passes between them. */
		count_crossings(x, p + i, k - i, STEPS_MAX / total * (k - i));
	}
	free(p);
	return x;
}

void
crossings_free(struct crossings *x)
{
	if (x)
		free(x->count);
	free(x);
}

void
crossings_exclude_same(struct crossings *x, size_t i, size_t k, bool turned)
{
	const int answer = turned ? 1 : -1;
	const uint32_t *there = count_of(x, i, k, 1, answer), *back = count_of(x, i, k, -1, -answer);
	const uint32_t most = *there > *back ? *there : *back, least = *there > *back ? *back : *there;

	/* Of messages that pass the same way, either overtakes the other. */
	if (most < CROSSING_MIN || (uint64_t)least * CROSSING_SURE > most)
		return;
	*count_of(x, i, k, 1, -answer) += most;
	*count_of(x, i, k, -1, answer) += most;
}

/* The crossing pairs that contradict that I has SIGN, with those of the GROUP of N that have a sign. */
static int64_t
against(const struct crossings *x, const size_t *group, size_t n, const int *signs, size_t i, int sign)
{
	int64_t sum = *count_of(x, i, i, sign, sign);

	for (size_t k = 0; k < n; k++)
		if (group[k] != i && signs[group[k]])
			sum += *count_of(x, i, group[k], sign, signs[group[k]]);
	return sum;
}

/* The candidates that cross with I, with those, and so on, into GROUP: how many. */
static size_t
group_of(const struct crossings *x, size_t i, bool *seen, size_t *group)
{
	size_t n = 0;

	seen[i] = true;
	group[n++] = i;
	for (size_t at = 0; at < n; at++)
		for (size_t k = 0; k < x->n; k++) {
			const size_t j = group[at];

			if (seen[k] || !(*count_of(x, j, k, 1, 1) + *count_of(x, j, k, 1, -1) + *count_of(x, j, k, -1, 1) +
			    *count_of(x, j, k, -1, -1)))
				continue;
			seen[k] = true;
			group[n++] = k;
		}
	return n;
}

static bool
is_sure(int64_t with, int64_t without, int64_t least)
{
	return without >= least && with * CROSSING_SURE <= without;
}

/* The SIGNS of a group that are contradicted least, as far as can be had by changing one at a time; KNOWN ones stay. */
static void
fit_signs(const struct crossings *x, const size_t *group, size_t n, const int *known, int *signs)
{
	bool any = true;

	for (int round = 0; any && round < ROUNDS; round++) {
		any = false;
		for (size_t k = 0; k < n; k++) {
			const size_t i = group[k];
			const int sign = known[i] ? known[i] :
			    against(x, group, n, signs, i, -1) < against(x, group, n, signs, i, 1) ? -1 :
			    against(x, group, n, signs, i, -1) > against(x, group, n, signs, i, 1) ? 1 : signs[i] ? signs[i] : 1;

			any |= sign != signs[i];
			signs[i] = sign;
		}
	}
}

/* Pairs that contradict the SIGNS of a group, or all of them turned. */
static int64_t
sum_against(const struct crossings *x, const size_t *group, size_t n, const int *signs, int turn)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = i; k < n; k++)
			sum += signs[group[i]] && signs[group[k]] ?
			    *count_of(x, group[i], group[k], turn * signs[group[i]], turn * signs[group[k]]) : 0;
	return sum;
}

/* Signs that are not sure become 0, the one that is contradicted most first. */
static void
drop_unsure(const struct crossings *x, const size_t *group, size_t n, const int *known, int *signs)
{
	for (;;) {
		int64_t most = -1;
		size_t worst = 0;

		for (size_t k = 0; k < n; k++) {
			const size_t i = group[k];
			const int64_t with = signs[i] ? against(x, group, n, signs, i, signs[i]) : 0;

			if (!signs[i] || known[i] || with <= most || is_sure(with, against(x, group, n, signs, i, -signs[i]), CROSSING_ONE))
				continue;
			most = with;
			worst = i;
		}
		if (most < 0)
			return;
		signs[worst] = 0;
	}
}

/* Choose the signs of a group: 0 where they are not sure. */
static void
choose_signs(const struct crossings *x, const size_t *group, size_t n, const int *known, int *signs)
{
	bool fixed = false;
	int64_t as_is, turned;

	for (size_t k = 0; k < n; k++)
		fixed |= known[group[k]] != 0;
	fit_signs(x, group, n, known, signs);
	drop_unsure(x, group, n, known, signs);
	as_is = sum_against(x, group, n, signs, 1);
	turned = sum_against(x, group, n, signs, -1);
	for (size_t k = 0; !fixed && k < n; k++)
		signs[group[k]] *= is_sure(as_is, turned, CROSSING_MIN) ? 1 : is_sure(turned, as_is, CROSSING_MIN) ? -1 : 0;
	drop_unsure(x, group, n, known, signs);
}

void
crossings_choose(const struct crossings *x, const int *known, int *signs)
{
	size_t *group = xcalloc(x->n + 1, sizeof *group);
	bool *seen = xcalloc(x->n + 1, sizeof *seen);

	for (size_t i = 0; i < x->n; i++)
		if (!seen[i])
			choose_signs(x, group, group_of(x, i, seen, group), known, signs);
	free(group);
	free(seen);
}
