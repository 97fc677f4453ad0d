#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "causal/idmap.h"

/*
 * SipHash-1-3 with a key of zeros, of the bytes 0, 1, 2, ...: the first eight are
 * the seed.  Made with CPython 3.11, which hashes strings so (PYTHONHASHSEED=0).
 */
static const struct {
	size_t n;
	uint64_t hash;
} vectors[] = {
	{ 0, 0xead411e67ebe2eea },
	{ 1, 0x75927f9d95124362 },
	{ 7, 0xf30eb725bb91c9ea },
	{ 8, 0x8972188433a5c5b7 },
	{ 9, 0x4883c49a2c009c1d },
	{ 16, 0x31185a47af932f3a },
	{ 31, 0x6c76b6d34bb6d26b },
};

static void
vectors_hold(void)
{
	char text[64];

	for (int i = 0; i < 64; i++)
		text[i] = (char)(8 + i);
	hash_set_key(0, 0);
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
		assert(hash_bytes(0x0706050403020100, text, vectors[i].n) == vectors[i].hash);
}

/*
 * An unkeyed hash of one multiplication a block, as tables often have it.  It can
 * be computed backwards: for each 64-bit result there are 8 bytes that have it.
 */
static const uint64_t mul = 0x9e3779b97f4a7c15;

static uint64_t
weak_hash(uint64_t seed, uint64_t w)
{
	uint64_t h = (((seed + 8) * mul) ^ w) * mul;

	h = (h ^ h >> 32) * mul;
	h = (h ^ h >> 29) * mul;
	return h ^ h >> 32;
}

/* The block whose weak_hash() is H. */
static uint64_t
weak_block(uint64_t seed, uint64_t h)
{
	uint64_t inverse = mul;

	for (int i = 0; i < 6; i++)
		inverse *= 2 - mul * inverse;	/* Newton: each step doubles the bits that are right */
	h ^= h >> 32;
	h *= inverse;
	h ^= h >> 29 ^ h >> 58;
	h *= inverse;
	h ^= h >> 32;
	return (h * inverse) ^ ((seed + 8) * mul);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU time to put the N hashes of V into a table. */
static double
fill(const uint64_t *v, size_t n)
{
	struct idmap t = { .cap = 0 };
	double begin = seconds();

	for (size_t i = 0; i < n; i++)
		*idmap_put(&t, v[i]) = i;
	assert(t.n == n);
	idmap_release(&t);
	return seconds() - begin;
}

/*
 * Ids that share 20 low bits under the weak hash fill one run of a table, so that
 * each is compared with all before it.  Here they cost what any others cost.
 */
static void
chosen_ids_cost_what_others_cost(void)
{
	enum { N = 200000, FEW = 10000 };
	uint64_t *chosen = xcalloc(N, 8), *any = xcalloc(N, 8), *weak = xcalloc(N, 8);
	double slow, t_any = 1e9, t_chosen = 1e9;

	for (uint64_t i = 0; i < N; i++) {
		uint64_t block = weak_block(3, (i + 1) << 20);

		weak[i] = weak_hash(3, block);
		assert(weak[i] == (i + 1) << 20);
		chosen[i] = hash_bytes(3, (const char *)&block, sizeof block);
		any[i] = hash_bytes(3, (const char *)&i, sizeof i);
	}
	for (int turn = 0; turn < 5; turn++) {
		double a = fill(any, N), c = fill(chosen, N);

		t_any = a < t_any ? a : t_any;
		t_chosen = c < t_chosen ? c : t_chosen;
	}
	slow = fill(weak, FEW);
	if (t_chosen > 4 * t_any + 0.01)
		printf("hash: chosen ids took %.3f s, any others %.3f s\n", t_chosen, t_any);
	assert(t_chosen <= 4 * t_any + 0.01);
	assert(slow > t_any);	/* else nothing is shown: a twentieth of them costs more */
	free(chosen);
	free(any);
	free(weak);
}

int
main(void)
{
	uint64_t one = hash_bytes(1, "id", 2);

	/* One key for the process, another for each seed and each key. */
	assert(one == hash_bytes(1, "id", 2) && one != hash_bytes(2, "id", 2));
	hash_set_key(1, 2);
	assert(one != hash_bytes(1, "id", 2));
	vectors_hold();
	/* Two texts that had one hash before there was a key. */
	assert(hash_bytes(0, "6+XO?H}<3@FgEdx9", 16) != hash_bytes(0, "K.WJxvJkhGxcwp'`", 16));
	hash_set_key(0x1234567890abcdef, 0xfedcba0987654321);
	chosen_ids_cost_what_others_cost();
	return 0;
}
