/*
 * escape - text as the inside of a JSON string (RFC 8259), and bytes as base64.
 *
 * Escaped are the quote, the backslash and the controls below U+0020 and
 * U+007F; all other UTF-8 stays as it is.
 */
#ifndef OUTPUT_ESCAPE_H
#define OUTPUT_ESCAPE_H

#include <stddef.h>

/* Room that N bytes need at most: "\u0000" a byte, and what is stored ahead. */
#define ESCAPE_ROOM(n)	(6 * (n) + 16)

/*
 * Write P's N bytes to OUT, which has ESCAPE_ROOM(N) bytes, up to the first
 * byte that is not UTF-8.  Returns the bytes read; *LEN is the bytes written.
 */
size_t escape_json(char *out, const char *p, size_t n, size_t *len);

/* The bytes that end P's N bytes and begin a sequence that is not complete yet: 0 to 3. */
size_t escape_torn(const char *p, size_t n);

/* Room that base64 needs for N bytes. */
#define ESCAPE_BASE64_ROOM(n)	(((n) + 2) / 3 * 4)

/* Returns the bytes written.  Pieces can be joined where all but the last hold a multiple of 3 bytes. */
size_t escape_base64(char *out, const char *p, size_t n);

#endif
