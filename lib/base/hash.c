#include <string.h>

#include "base/hash.h"

uint64_t
hash_bytes(uint64_t seed, const char *p, size_t n)
{
	const uint64_t k = 0x9e3779b97f4a7c15;
	uint64_t h = (seed + n) * k, w;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * k;
		h ^= h >> 32;
	}
	for (w = 0; n > 0; n--)
		w = w << 8 | (unsigned char)*p++;
	h = (h ^ w) * k;
	h ^= h >> 29;
	h *= k;
	h ^= h >> 32;
	return h ? h : 1;
}
