/*
 * utf8 - is this text UTF-8, and what does it hold?  (RFC 3629: no overlong
 * form, no surrogate, nothing above U+10FFFF.)
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The offset of the first byte of S that is not, or LEN where all of it is. */
size_t utf8_check(const char *s, size_t len);

/*
 * How many bytes of the C string S are a control character, with which it
 * begins: 1 below U+0020 and for U+007F, 2 for U+0080 to U+009F, else 0.
 */
size_t utf8_control(const char *s);

/* The character that the LEN bytes of S begin with, into *C; returns its bytes, 0 where there is none. */
size_t utf8_next(const char *s, size_t len, uint32_t *c);

/* The bytes of the character C, which is none above U+10FFFF and no surrogate, into OUT; how many. */
size_t utf8_encode(uint32_t c, char out[4]);

enum { UTF8_ESCAPED = 8 };

/*
 * How many bytes the character takes that the LEN bytes of S begin with, or 1
 * where it is none.  ESCAPED is how a terminal may have it, "\xHH" or
 * "\uHHHH", where it would do something else with it than show it: controls
 * (C0, DEL and C1, the latter also as one byte), and what turns the direction
 * of the text around it (U+061C, U+200E-F, U+202A-E, U+2066-9).  Else it is empty.
 */
size_t utf8_escape(const char *s, size_t len, char escaped[UTF8_ESCAPED]);

/*
 * How many columns of a terminal C takes: 2 for what East Asian scripts and
 * pictures need, 0 for what is drawn over the character before, else 1.
 */
unsigned utf8_columns(uint32_t c);

#endif
