#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "module/flat.h"

/* --- reading */

static bool
is_inside(struct flat f, uint64_t at, uint64_t size)
{
	return at + size <= f.n;
}

static uint32_t
read_u32(struct flat f, uint64_t at)
{
	uint32_t v = 0;

	if (is_inside(f, at, sizeof v))
		memcpy(&v, f.b + at, sizeof v);
	return le32toh(v);
}

static uint16_t
read_u16(struct flat f, uint64_t at)
{
	uint16_t v = 0;

	if (is_inside(f, at, sizeof v))
		memcpy(&v, f.b + at, sizeof v);
	return le16toh(v);
}

/* Where AT's offset points to; 0 where that is out of the buffer. */
static uint32_t
follow_offset(struct flat f, uint32_t at)
{
	const uint64_t to = (uint64_t)at + read_u32(f, at);

	return at > 0 && to > at && is_inside(f, to, sizeof(uint32_t)) ? (uint32_t)to : 0;
}

/* Where the field is stored, SIZE bytes; 0 where it is not there. */
static uint32_t
field_at(struct flat f, uint32_t table, unsigned int field, unsigned int size)
{
	const int64_t vtable = (int64_t)table - (int32_t)read_u32(f, table);
	const uint64_t slot = 4 + 2 * (uint64_t)field;
	uint16_t offset;

	if (table == 0 || vtable < 0 || !is_inside(f, (uint64_t)vtable, 4) || slot + 2 > read_u16(f, (uint64_t)vtable))
		return 0;
	offset = read_u16(f, (uint64_t)vtable + slot);
	return offset > 0 && is_inside(f, (uint64_t)table + offset, size) ? table + offset : 0;
}

uint32_t
flat_root(struct flat f)
{
	const uint32_t to = read_u32(f, 0);

	return to >= 4 && is_inside(f, to, 4) ? to : 0;
}

uint32_t
flat_table(struct flat f, uint32_t table, unsigned int field)
{
	return follow_offset(f, field_at(f, table, field, 4));
}

uint8_t
flat_u8(struct flat f, uint32_t table, unsigned int field)
{
	const uint32_t at = field_at(f, table, field, 1);

	return at ? f.b[at] : 0;
}

uint32_t
flat_u32(struct flat f, uint32_t table, unsigned int field)
{
	const uint32_t at = field_at(f, table, field, 4);

	return at ? read_u32(f, at) : 0;
}

uint64_t
flat_u64(struct flat f, uint32_t table, unsigned int field)
{
	const uint32_t at = field_at(f, table, field, 8);

	return at ? read_u32(f, at) | (uint64_t)read_u32(f, (uint64_t)at + 4) << 32 : 0;
}

/* The bytes of the vector AT. */
static const char *
vector_bytes(struct flat f, uint32_t at, uint32_t *len)
{
	*len = at ? read_u32(f, at) : 0;
	if (at && is_inside(f, (uint64_t)at + 4, *len))
		return (const char *)f.b + at + 4;
	*len = 0;
	return NULL;
}

const char *
flat_bytes(struct flat f, uint32_t table, unsigned int field, uint32_t *len)
{
	return vector_bytes(f, flat_table(f, table, field), len);
}

uint32_t
flat_count(struct flat f, uint32_t table, unsigned int field)
{
	const uint32_t at = flat_table(f, table, field), n = at ? read_u32(f, at) : 0;

	return at && is_inside(f, (uint64_t)at + 4, 4 * (uint64_t)n) ? n : 0;
}

uint32_t
flat_at(struct flat f, uint32_t table, unsigned int field, uint32_t i)
{
	if (i >= flat_count(f, table, field))
		return 0;
	return follow_offset(f, flat_table(f, table, field) + 4 + 4 * i);
}

const char *
flat_text_at(struct flat f, uint32_t table, unsigned int field, uint32_t i, uint32_t *len)
{
	return vector_bytes(f, flat_at(f, table, field, i), len);
}

/* --- writing: a table is its vtable, then slots of 8 bytes */

enum { SLOT = 8 };

static void
pad_to(struct buf *out, size_t to)
{
	while (out->len % to)
		buf_putc(out, '\0');
}

static void
write_u32(struct buf *out, size_t at, uint32_t v)
{
	v = htole32(v);
	memcpy(out->s + at, &v, sizeof v);
}

/* The offset stored at AT leads to TO. */
static void
write_offset(struct buf *out, size_t at, size_t to)
{
	write_u32(out, at, (uint32_t)(to - at));
}

static uint32_t
table_add(struct buf *out, unsigned int n)
{
	uint16_t vtable[2 + FLAT_FIELDS];
	size_t table;
	size_t start;

	pad_to(out, SLOT);
	start = out->len;
	vtable[0] = htole16((uint16_t)(4 + 2 * n));
	vtable[1] = htole16((uint16_t)(SLOT + SLOT * n));
	for (unsigned int i = 0; i < n; i++)
		vtable[2 + i] = htole16((uint16_t)(SLOT + SLOT * i));
	buf_add(out, vtable, 4 + 2 * n);
	pad_to(out, SLOT);
	table = out->len;
	for (unsigned int i = 0; i < SLOT * (n + 1); i++)
		buf_putc(out, '\0');
	write_u32(out, table, (uint32_t)(table - start));
	return (uint32_t)table;
}

static size_t
slot_of(uint32_t table, unsigned int field)
{
	return (size_t)table + SLOT + SLOT * (size_t)field;
}

uint32_t
flat_begin(struct buf *out, unsigned int n)
{
	uint32_t table;

	buf_reset(out);
	buf_add(out, "\0\0\0\0", 4);
	table = table_add(out, n);
	write_offset(out, 0, table);
	return table;
}

uint32_t
flat_add_table(struct buf *out, uint32_t table, unsigned int field, unsigned int n)
{
	const uint32_t to = table_add(out, n);

	write_offset(out, slot_of(table, field), to);
	return to;
}

void
flat_set_u8(struct buf *out, uint32_t table, unsigned int field, uint8_t v)
{
	out->s[slot_of(table, field)] = (char)v;
}

void
flat_set_u32(struct buf *out, uint32_t table, unsigned int field, uint32_t v)
{
	write_u32(out, slot_of(table, field), v);
}

void
flat_set_u64(struct buf *out, uint32_t table, unsigned int field, uint64_t v)
{
	write_u32(out, slot_of(table, field), (uint32_t)v);
	write_u32(out, slot_of(table, field) + 4, (uint32_t)(v >> 32));
}

void
flat_set_bytes(struct buf *out, uint32_t table, unsigned int field, const void *p, size_t len)
{
	size_t at;

	pad_to(out, 4);
	at = out->len;
	buf_add(out, "\0\0\0\0", 4);
	write_u32(out, at, (uint32_t)len);
	buf_add(out, p, len);
	buf_putc(out, '\0');
	write_offset(out, slot_of(table, field), at);
}
