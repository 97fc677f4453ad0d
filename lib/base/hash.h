/*
 * hash - a 64-bit key for a string of bytes, for tables in memory.
 *
 * SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; one
 * compression round a block, three at the end) with a key that each process
 * draws from the kernel at first use.  Strings from outside therefore cannot
 * be chosen so that they share a hash, or the bits that index a table.
 *
 * A hash of hash_bytes() differs from one process to the next.  It must not be
 * written to a file, and no result may depend on the order of a table's slots.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * SipHash of SEED (8 bytes, the lowest first) and the N bytes at P; 1 where that
 * is 0, so that 0 can mark a free slot.  Strings of different kinds get
 * different seeds: equal bytes under two seeds have unrelated hashes.
 */
uint64_t hash_bytes(uint64_t seed, const char *p, size_t n);

/*
 * The same with the caller's key K instead of that of the process: for hashes that
 * are kept in a file which others cannot read, beside their key.
 */
uint64_t hash_bytes_keyed(const uint64_t k[2], uint64_t seed, const char *p, size_t n);

/*
 * Replace the key of this process, for tests that repeat a run.  Hashes made
 * before are no longer comparable.  Not to be called while threads hash.
 */
void hash_set_key(uint64_t k0, uint64_t k1);

#endif
