#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "output/escape.h"

typedef uint8_t vector __attribute__((vector_size(16)));

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest bits of a word are its first byte");

/* What stands behind the backslash of a control below U+0020: 'u' for its number. */
static const char controls[] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu";

/* Copy 16 bytes; returns how many of them stand before the first that may need an escape. */
static unsigned
copy_plain(char *out, const char *p)
{
	vector v;
	uint64_t found[2];

	memcpy(&v, p, 16);
	memcpy(out, &v, 16);
	v = (vector)((v < 0x20) | (v == '"') | (v == '\\') | (v >= 0x7f));
	memcpy(found, &v, 16);
	if (found[0])
		return (unsigned)__builtin_ctzll(found[0]) / 8;
	return found[1] ? 8 + (unsigned)__builtin_ctzll(found[1]) / 8 : 16;
}

/* The character that P's N bytes begin with: the bytes of it, 0 where it is none; *TO is moved behind what was written. */
static size_t
escape_one(char **to, const char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char c = (unsigned char)*p;
	uint32_t code;

	if (c >= 0x80) {
		n = utf8_next(p, n, &code);
		memcpy(*to, p, n);
		*to += n;
		return n;
	}
	if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
		*(*to)++ = *p;
		return 1;
	}
	*(*to)++ = '\\';
	**to = c < 0x20 ? controls[c] : c == 0x7f ? 'u' : *p;
	if (*(*to)++ == 'u') {
		memcpy(*to, "00", 2);
		(*to)[2] = digits[c >> 4];
		(*to)[3] = digits[c & 15];
		*to += 4;
	}
	return 1;
}

size_t
escape_json(char *out, const char *p, size_t n, size_t *len)
{
	char *to = out;
	size_t i = 0;

	while (i < n) {
		size_t used = 0;

		if (n - i >= 16) {
			used = copy_plain(to, p + i);
			to += used;
			i += used;
			if (used == 16)
				continue;
		}
		used = escape_one(&to, p + i, n - i);
		if (used == 0)
			break;
		i += used;
	}
	*len = (size_t)(to - out);
	return i;
}

size_t
escape_torn(const char *p, size_t n)
{
	for (size_t k = 1; k <= 3 && k <= n; k++) {
		unsigned char c = (unsigned char)p[n - k];

		if (c >= 0xc0)
			return k < (c >= 0xf0 ? 4U : c >= 0xe0 ? 3U : 2U) ? k : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

size_t
escape_base64(char *out, const char *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *s = (const unsigned char *)p;
	char *to = out;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0);

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? digits[v & 63] : '=';
	}
	return (size_t)(to - out);
}
