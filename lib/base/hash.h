/*
 * hash - a number of 64 bits for a string of bytes, as the name by which a table
 * in memory knows it.
 *
 * It is quick and spreads well.  It is nothing to keep on a disk, for it differs
 * between machines; and no secret: who chooses the bytes can choose two with
 * one number.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Of SEED, which tells kinds of strings apart, and the N bytes of P: never 0. */
uint64_t hash_bytes(uint64_t seed, const char *p, size_t n);

#endif
