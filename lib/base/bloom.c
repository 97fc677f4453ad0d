#include <stdlib.h>

#include "base/bloom.h"
#include "base/xalloc.h"

enum { BITS_LOG2 = 25, LINE_LOG2 = 9, BITS_OF_ID = 4 };

/* The finalizer of MurmurHash3: ids whose low bits are alike are spread as well. */
static uint64_t
id_mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/* All bits of an id are in one cache line, which costs one miss and hardly any accuracy (Putze et al. 2007). */
static uint64_t *
line_of(const struct bloom *b, uint64_t hash)
{
	return b->bits + (hash >> 36 & ((1 << (BITS_LOG2 - LINE_LOG2)) - 1)) * (1 << (LINE_LOG2 - 6));
}

static unsigned
bit_of(uint64_t hash, unsigned i)
{
	return (unsigned)(hash >> i * LINE_LOG2) & ((1 << LINE_LOG2) - 1);
}

void
bloom_add(struct bloom *b, uint64_t id)
{
	const uint64_t hash = id_mix(id);

	if (!b->bits)
		b->bits = xcalloc_apart((size_t)1 << (BITS_LOG2 - 6), sizeof *b->bits);
	for (unsigned i = 0; i < BITS_OF_ID; i++) {
		unsigned bit = bit_of(hash, i);

		line_of(b, hash)[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

void
bloom_prefetch(const struct bloom *b, uint64_t id)
{
	if (b->bits)
		__builtin_prefetch(line_of(b, id_mix(id)));
}

bool
bloom_has(const struct bloom *b, uint64_t id)
{
	const uint64_t hash = id_mix(id);

	for (unsigned i = 0; b->bits && i < BITS_OF_ID; i++) {
		unsigned bit = bit_of(hash, i);

		if (!(line_of(b, hash)[bit / 64] >> bit % 64 & 1))
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
