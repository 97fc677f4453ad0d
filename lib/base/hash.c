#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#include "base/hash.h"

static uint64_t key[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/*
 * Early in boot getrandom(2) would block until the kernel has collected entropy.
 * The 16 bytes that the kernel passed to the process (AT_RANDOM) are there at once.
 */
static void
key_draw(void)
{
	if (getrandom(key, sizeof key, GRND_NONBLOCK) != sizeof key) {
		const void *given = (const void *)getauxval(AT_RANDOM);

		if (given)
			memcpy(key, given, sizeof key);
	}
}

static void
key_keep(void)
{
}

void
hash_set_key(uint64_t k0, uint64_t k1)
{
	pthread_once(&once, key_keep);
	key[0] = k0;
	key[1] = k1;
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
word_rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = word_rotate(s->v1, 13) ^ s->v0;
	s->v3 = word_rotate(s->v3, 16) ^ s->v2;
	s->v0 = word_rotate(s->v0, 32) + s->v3;
	s->v2 += s->v1;
	s->v1 = word_rotate(s->v1, 17) ^ s->v2;
	s->v3 = word_rotate(s->v3, 21) ^ s->v0;
	s->v2 = word_rotate(s->v2, 32);
}

static inline void
sip_block(struct sip *s, uint64_t block)
{
	s->v3 ^= block;
	sip_round(s);
	s->v0 ^= block;
}

/* 8 bytes, the first in the lowest bits on every machine. */
static inline uint64_t
word_load(const char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

/* The seed is the first block of the message, so it need not be a secret. */
static inline uint64_t
hash_with(const uint64_t k[2], uint64_t seed, const char *p, size_t n)
{
	uint64_t last = (uint64_t)(n + sizeof seed) << 56, h;
	struct sip s = { k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d,
	    k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573 };

	sip_block(&s, seed);
	for (; n >= 8; n -= 8, p += 8)
		sip_block(&s, word_load(p));
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)(unsigned char)p[i] << (8 * i);
	sip_block(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	h = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
	return h ? h : 1;
}

uint64_t
hash_bytes(uint64_t seed, const char *p, size_t n)
{
	pthread_once(&once, key_draw);
	return hash_with(key, seed, p, n);
}

uint64_t
hash_bytes_keyed(const uint64_t k[2], uint64_t seed, const char *p, size_t n)
{
	return hash_with(k, seed, p, n);
}
