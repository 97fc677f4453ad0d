/*
 * flat - FlatBuffers, read and written without a schema compiler: tables, strings, vectors and unions as
 * far as the module SDK of EVP needs them (module/sdk.h).
 *
 * A buffer begins with the offset of its root table.  A table begins with the signed distance
 * back to its vtable {u16 size, u16 table size, u16 offset of each field}; an offset of 0 is
 * a field that is not there.  Offsets are unsigned, forward, from where they are stored.
 * Numbers are little-endian.  Source: FlatBuffers internals, flatbuffers.dev.
 *
 * The reader never leaves its buffer: what points out of it is not there.  A table is its
 * offset; 0 is none.
 */
#ifndef MODULE_FLAT_H
#define MODULE_FLAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct flat {
	const uint8_t *b;
	uint32_t n;
};

uint32_t flat_root(struct flat f);
uint32_t flat_table(struct flat f, uint32_t table, unsigned int field);
uint8_t flat_u8(struct flat f, uint32_t table, unsigned int field);
uint32_t flat_u32(struct flat f, uint32_t table, unsigned int field);
uint64_t flat_u64(struct flat f, uint32_t table, unsigned int field);

/* A string or a vector of bytes, borrowed; NULL where it is not there.  A string is not NUL-terminated here. */
const char *flat_bytes(struct flat f, uint32_t table, unsigned int field, uint32_t *len);

/* The number of tables, or strings, in a vector; the I-th table; the I-th string. */
uint32_t flat_count(struct flat f, uint32_t table, unsigned int field);
uint32_t flat_at(struct flat f, uint32_t table, unsigned int field, uint32_t i);
const char *flat_text_at(struct flat f, uint32_t table, unsigned int field, uint32_t i, uint32_t *len);

/* --- writing: OUT is empty at first, and holds the buffer from its first byte on */

enum { FLAT_FIELDS = 16 };

/* Begin with an empty buffer; the root table, with room for N fields. */
uint32_t flat_begin(struct buf *out, unsigned int n);

/* A table with room for N fields, which is the field FIELD of TABLE. */
uint32_t flat_add_table(struct buf *out, uint32_t table, unsigned int field, unsigned int n);

void flat_set_u8(struct buf *out, uint32_t table, unsigned int field, uint8_t v);
void flat_set_u32(struct buf *out, uint32_t table, unsigned int field, uint32_t v);
void flat_set_u64(struct buf *out, uint32_t table, unsigned int field, uint64_t v);

/* A string, or a vector of bytes. */
void flat_set_bytes(struct buf *out, uint32_t table, unsigned int field, const void *p, size_t len);

#endif
