#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "causal/skew.h"

#define NONE	(INT64_MAX / 4)
#define FAR	INT64_C(1000000000)	/* a second: more than what estimates differ by */

struct skew {
	unsigned n;
	int64_t *bound;		/* [A * N + B]: B is ahead of A by at most that */
	int64_t *path;		/* the same by way of others */
	int64_t *messages;	/* of each clock, sent or received */
	int64_t res;
};

struct skew *
skew_new(void)
{
	return xcalloc(1, sizeof(struct skew));
}

/* Have it tell the clocks below N apart. */
static void
grow(struct skew *s, unsigned n)
{
	unsigned size = s->n ? s->n : 8;
	struct skew old = *s;

	while (size < n)
		size *= 2;
	size = size > SKEW_CLOCKS_MAX ? SKEW_CLOCKS_MAX : size;
	s->n = size;
	s->bound = xcalloc((size_t)size * size, sizeof *s->bound);
	s->path = xcalloc((size_t)size * size, sizeof *s->path);
	s->messages = xcalloc(size, sizeof *s->messages);
	for (size_t i = 0; i < (size_t)size * size; i++)
		s->bound[i] = NONE;
	for (size_t i = 0; i < old.n; i++) {
		memcpy(s->bound + i * size, old.bound + i * old.n, old.n * sizeof *s->bound);
		s->messages[i] = old.messages[i];
	}
	free(old.bound);
	free(old.path);
	free(old.messages);
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
	int64_t *u, d;

	/* Times that are so far apart say nothing of clocks. */
	if (a == b || a >= SKEW_CLOCKS_MAX || b >= SKEW_CLOCKS_MAX || __builtin_sub_overflow(received, sent, &d) || d <= -NONE || d >= NONE - res)
		return;
	if (a >= s->n || b >= s->n)
		grow(s, (a > b ? a : b) + 1);
	u = &s->bound[(size_t)a * s->n + b];
	d += res - 1;
	if (d < *u)
		*u = d;
	if (res > s->res)
		s->res = res;
	s->messages[a]++;
	s->messages[b]++;
}

void
skew_rename(struct skew *s, const unsigned *to, unsigned n)
{
	int64_t *bound, *messages;

	if (n > s->n)
		grow(s, n);
	bound = xcalloc((size_t)n * n + 1, sizeof *bound);
	messages = xcalloc((size_t)n + 1, sizeof *messages);
	for (size_t i = 0; i < n; i++) {
		messages[i] = s->messages[i];
		for (size_t k = 0; k < n; k++)
			bound[i * n + k] = s->bound[i * s->n + k];
	}
	for (size_t i = 0; i < n; i++) {
		s->messages[to[i]] = messages[i];
		for (size_t k = 0; k < n; k++)
			s->bound[(size_t)to[i] * s->n + to[k]] = bound[i * n + k];
	}
	free(bound);
	free(messages);
}

void
skew_add_all(struct skew *s, const struct skew *from)
{
	if (from->n > s->n)
		grow(s, from->n);
	for (size_t i = 0; i < from->n; i++) {
		s->messages[i] += from->messages[i];
		for (size_t k = 0; k < from->n; k++)
			if (from->bound[i * from->n + k] < s->bound[i * s->n + k])
				s->bound[i * s->n + k] = from->bound[i * from->n + k];
	}
	s->res = from->res > s->res ? from->res : s->res;
}

bool
skew_refutes(const struct skew *s, const int64_t *offsets, unsigned n)
{
	for (size_t a = 0; a < s->n && a < n; a++)
		for (size_t b = 0; b < s->n && b < n; b++)
			if (s->bound[a * s->n + b] != NONE && s->bound[a * s->n + b] - offsets[b] + offsets[a] + s->res < 0)
				return true;
	return false;
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
shortest_paths(struct skew *s, int64_t ease)
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

	if (shortest_paths(s, 0))
		return 0;
	while (!shortest_paths(s, hi)) {
		lo = hi;
		hi *= 2;
		if (hi > NONE / 4)
			return -1;
	}
	while (hi - lo > 1000) {
		int64_t mid = lo + (hi - lo) / 2;

		if (shortest_paths(s, mid))
			hi = mid;
		else
			lo = mid;
	}
	shortest_paths(s, hi);
	return hi;
}

static int
by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The reference is the best known clock, unless most others agree that it is far off: then they are right. */
static void
choose_reference(const struct skew *s, int64_t *offsets, unsigned n)
{
	int64_t v[SKEW_CLOCKS_MAX], median;
	unsigned k = 0;

	for (unsigned i = 0; i < n && i < s->n; i++)
		if (s->messages[i])
			v[k++] = offsets[i];
	if (k < 3)
		return;
	qsort(v, k, sizeof *v, by_value);
	median = v[k / 2];
	for (unsigned i = 0; (median >= FAR || median <= -FAR) && i < n && i < s->n; i++)
		if (s->messages[i])
			offsets[i] -= median;
}

int64_t
skew_estimate(struct skew *s, int64_t *offsets, unsigned n)
{
	size_t ref = 0;
	int64_t ease;

	memset(offsets, 0, n * sizeof *offsets);
	if (s->n == 0 || is_zero_possible(s))
		return 0;
	ease = ease_bounds(s);
	if (ease < 0)
		return 0;
	for (size_t i = 1; i < s->n; i++)
		if (s->messages[i] > s->messages[ref])
			ref = i;
	for (size_t i = 0; i < s->n && i < n; i++) {
		int64_t most = s->path[ref * s->n + i], least = s->path[i * s->n + ref];

		if (most != NONE && least != NONE)
			offsets[i] = (most - least) / 2;
		else if (most != NONE)
			offsets[i] = most < 0 ? most : 0;
		else if (least != NONE)
			offsets[i] = least < 0 ? -least : 0;
	}
	choose_reference(s, offsets, n);
	return ease;
}
