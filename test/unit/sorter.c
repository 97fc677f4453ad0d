/* The sorter: against qsort(3), with and without emitters. */
#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/sorter.h"

enum { N = 3000, EMITTERS = 7 };

static uint64_t state = 88172645463325252;

static uint64_t
rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

/* What comes out next by the definition: the earliest of the first records that are in, of each emitter or of all. */
static size_t
expected(const struct block *b, const bool *in, const uint64_t *emitter, bool emitters)
{
	bool seen[EMITTERS + 1] = { false };
	size_t best = N;

	for (size_t i = 0; i < N; i++) {
		if (!in[i] || (emitters && seen[emitter[i]]))
			continue;
		seen[emitter[i]] = true;
		if (best == N || b->v[i].t < b->v[best].t)
			best = i;
	}
	return best;
}

/* Times go up by 10, and each record is up to JITTER off. */
static void
test_order(bool emitters, uint64_t jitter)
{
	struct descriptor *v = xcalloc(N, sizeof *v);
	struct block b = { .v = v, .n = N, .base = 1000, .res = 1 };
	struct sorter *s = sorter_new(emitters);
	bool in[N] = { false };
	uint64_t emitter[N];
	size_t pushed = 0, popped = 0;

	for (size_t i = 0; i < N; i++) {
		v[i] = (struct descriptor){ .t = (int64_t)(10 * i + rnd(jitter + 1)), .at = (uint32_t)i, .n = 1 };
		emitter[i] = 1 + rnd(EMITTERS);
	}
	while (popped < N) {
		const struct block *of;
		size_t k;

		if (pushed < N && (pushed == popped || rnd(2))) {
			assert(!emitters || !sorter_may_advance(s, &b, pushed, emitter[pushed]));
			in[pushed] = true;
			sorter_push(s, &b, pushed, emitter[pushed]);
			pushed++;
			continue;
		}
		assert(sorter_count(s) == pushed - popped && sorter_bytes(s) > 0);
		assert(sorter_first(s, &of, &k) && of == &b && k == expected(&b, in, emitter, emitters));
		sorter_pop(s);
		in[k] = false;
		popped++;
	}
	assert(sorter_count(s) == 0);
	sorter_free(s);
	free(v);
}

/* A time of a second does not say that its record is later than one of the same second. */
static void
test_advance(void)
{
	struct descriptor v[] = { { .t = 5000, .at = 0, .n = 1 }, { .t = 4200, .at = 1, .n = 1 }, { .t = 3900, .at = 2, .n = 1 } };
	int64_t resolutions[] = { 1000, 1, 1 };
	struct block b = { .v = v, .n = 3, .res = 1000, .resolutions = resolutions };
	struct sorter *s = sorter_new(true);

	sorter_push(s, &b, 0, 1);
	assert(sorter_may_advance(s, &b, 1, 1));
	assert(!sorter_may_advance(s, &b, 1, 2));
	assert(!sorter_may_advance(s, &b, 2, 1));
	sorter_pop(s);
	assert(!sorter_may_advance(s, &b, 1, 1));
	sorter_free(s);
}

int
main(void)
{
	const uint64_t jitters[] = { 0, 5, 30, 400, 100000 };

	for (size_t i = 0; i < sizeof jitters / sizeof *jitters; i++) {
		test_order(false, jitters[i]);
		test_order(true, jitters[i]);
	}
	test_advance();
	return 0;
}
