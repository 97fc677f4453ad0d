#include <stdlib.h>

#include "base/bloom.h"
#include "base/xalloc.h"

enum { BITS_LOG2 = 25, BITS_OF_ID = 4 };

/* The finalizer of MurmurHash3: ids whose low bits are alike are spread as well. */
static uint64_t
mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/* Double hashing (Kirsch and Mitzenmacher 2006): bit I is A + I * B. */
static uint64_t
bit_of(uint64_t hash, unsigned i)
{
	return (hash + i * (hash >> 32 | 1)) & ((UINT64_C(1) << BITS_LOG2) - 1);
}

void
bloom_add(struct bloom *b, uint64_t id)
{
	const uint64_t hash = mix(id);

	if (!b->bits)
		b->bits = xcalloc((size_t)1 << (BITS_LOG2 - 6), sizeof *b->bits);
	for (unsigned i = 0; i < BITS_OF_ID; i++) {
		uint64_t bit = bit_of(hash, i);

		b->bits[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

bool
bloom_has(const struct bloom *b, uint64_t id)
{
	const uint64_t hash = mix(id);

	for (unsigned i = 0; b->bits && i < BITS_OF_ID; i++) {
		uint64_t bit = bit_of(hash, i);

		if (!(b->bits[bit / 64] >> bit % 64 & 1))
			return false;
	}
	return b->bits != NULL;
}

void
bloom_release(struct bloom *b)
{
	free(b->bits);
	b->bits = NULL;
}
