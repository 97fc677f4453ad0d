#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "learn/offset.h"

struct offsets {
	unsigned n;
	int64_t *most;			/* MOST[A * N + B]: B is ahead of A by that at most */
};

struct offsets *
offsets_new(unsigned clocks)
{
	struct offsets *o = xcalloc(1, sizeof *o);

	o->n = clocks;
	o->most = xcalloc((size_t)clocks * clocks + 1, sizeof *o->most);
	for (size_t i = 0; i < (size_t)clocks * clocks; i++)
		o->most[i] = i % (clocks + 1) == 0 ? 0 : OFFSET_UNKNOWN;
	return o;
}

void
offsets_free(struct offsets *o)
{
	if (o)
		free(o->most);
	free(o);
}

struct offsets *
offsets_copy(const struct offsets *o)
{
	struct offsets *c = offsets_new(o->n);

	memcpy(c->most, o->most, (size_t)o->n * o->n * sizeof *o->most);
	return c;
}

void
offsets_bound(struct offsets *o, unsigned a, unsigned b, const int64_t *d, unsigned n)
{
	int64_t *most = &o->most[(size_t)a * o->n + b];

	if (n && d[n / 100] < *most)
		*most = d[n / 100];
}

bool
offsets_close(struct offsets *o, int64_t slack_ns)
{
	const unsigned n = o->n;

	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < n; i++) {
			const int64_t ik = o->most[(size_t)i * n + k];

			for (unsigned j = 0; ik < OFFSET_UNKNOWN && j < n; j++) {
				const int64_t kj = o->most[(size_t)k * n + j];

				if (i != j && kj < OFFSET_UNKNOWN && ik + kj < o->most[(size_t)i * n + j])
					o->most[(size_t)i * n + j] = ik + kj;
			}
		}
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = i + 1; j < n; j++) {
			const int64_t there = o->most[(size_t)i * n + j], back = o->most[(size_t)j * n + i];

			if (there < OFFSET_UNKNOWN && back < OFFSET_UNKNOWN && there + back < -slack_ns)
				return false;
		}
	return true;
}

void
offsets_range(const struct offsets *o, unsigned a, unsigned b, int64_t *lo, int64_t *hi)
{
	*hi = o->most[(size_t)a * o->n + b];
	*lo = -o->most[(size_t)b * o->n + a];
}
