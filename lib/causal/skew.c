#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "causal/skew.h"

#define NONE	(INT64_MAX / 4)

struct skew {
	unsigned n;
	int64_t *bound;		/* [A * N + B]: B is ahead of A by at most that */
	int64_t *path;		/* the same by way of others */
	int64_t *messages;	/* of each clock, sent or received */
	int64_t res;
};

struct skew *
skew_new(unsigned n)
{
	struct skew *s;

	if (n == 0 || n > SKEW_CLOCKS_MAX)
		return NULL;
	s = xcalloc(1, sizeof *s);
	s->n = n;
	s->bound = xcalloc((size_t)n * n, sizeof *s->bound);
	s->path = xcalloc((size_t)n * n, sizeof *s->path);
	s->messages = xcalloc(n, sizeof *s->messages);
	for (size_t i = 0; i < (size_t)n * n; i++)
		s->bound[i] = NONE;
	return s;
}

void
skew_free(struct skew *s)
{
	if (s) {
		free(s->bound);
		free(s->path);
		free(s->messages);
		free(s);
	}
}

void
skew_add(struct skew *s, unsigned a, unsigned b, int64_t sent, int64_t received, int64_t res)
{
	int64_t *u = &s->bound[(size_t)a * s->n + b], d;

	/* Times that are so far apart say nothing of clocks. */
	if (a == b || __builtin_sub_overflow(received, sent, &d) || d <= -NONE || d >= NONE - res)
		return;
	d += res - 1;
	if (d < *u)
		*u = d;
	if (res > s->res)
		s->res = res;
	s->messages[a]++;
	s->messages[b]++;
}

void
skew_take(struct skew *s, struct skew *from)
{
	if (from->res == 0)
		return;
	for (size_t i = 0; i < (size_t)s->n * s->n; i++) {
		if (from->bound[i] < s->bound[i])
			s->bound[i] = from->bound[i];
		from->bound[i] = NONE;
	}
	for (size_t i = 0; i < s->n; i++) {
		s->messages[i] += from->messages[i];
		from->messages[i] = 0;
	}
	if (from->res > s->res)
		s->res = from->res;
	from->res = 0;
}

int64_t
skew_messages(const struct skew *s)
{
	int64_t ends = 0;

	for (size_t i = 0; i < s->n; i++)
		ends += s->messages[i];
	return ends / 2;
}

/* Do all bounds hold where no clock is wrong, but for the resolution? */
static bool
is_zero_possible(const struct skew *s)
{
	for (size_t i = 0; i < (size_t)s->n * s->n; i++)
		if (s->bound[i] + s->res < 0)
			return false;
	return true;
}

static int64_t
min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The shortest paths of all pairs, each bound eased by EASE (Floyd, Warshall); false for a negative cycle. */
static bool
paths(struct skew *s, int64_t ease)
{
	size_t n = s->n;
	int64_t *d = s->path;

	for (size_t i = 0; i < n * n; i++)
		d[i] = s->bound[i] == NONE ? NONE : min(s->bound[i] + ease, NONE - 1);
	for (size_t i = 0; i < n; i++)
		d[i * n + i] = 0;
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; d[i * n + k] != NONE && j < n; j++)
				if (d[k * n + j] != NONE && d[i * n + k] + d[k * n + j] < d[i * n + j])
					d[i * n + j] = max(d[i * n + k] + d[k * n + j], -NONE);
	for (size_t i = 0; i < n; i++)
		if (d[i * n + i] < 0)
			return false;
	return true;
}

/* The least that makes the bounds agree, to a microsecond. */
static int64_t
ease_bounds(struct skew *s)
{
	int64_t lo = 0, hi = 1000;

	if (paths(s, 0))
		return 0;
	while (!paths(s, hi)) {
		lo = hi;
		hi *= 2;
		if (hi > NONE / 4)
			return -1;
	}
	while (hi - lo > 1000) {
		int64_t mid = lo + (hi - lo) / 2;

		if (paths(s, mid))
			hi = mid;
		else
			lo = mid;
	}
	paths(s, hi);
	return hi;
}

int64_t
skew_estimate(struct skew *s, int64_t *offsets)
{
	size_t ref = 0;
	int64_t ease;

	memset(offsets, 0, s->n * sizeof *offsets);
	if (is_zero_possible(s))
		return 0;
	ease = ease_bounds(s);
	if (ease < 0)
		return 0;
	for (size_t i = 1; i < s->n; i++)
		if (s->messages[i] > s->messages[ref])
			ref = i;
	for (size_t i = 0; i < s->n; i++) {
		int64_t most = s->path[ref * s->n + i], least = s->path[i * s->n + ref];

		if (most != NONE && least != NONE)
			offsets[i] = (most - least) / 2;
		else if (most != NONE)
			offsets[i] = most < 0 ? most : 0;
		else if (least != NONE)
			offsets[i] = least < 0 ? -least : 0;
	}
	return ease;
}
