#include <errno.h>
#include <string.h>

#include "base/base64.h"

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
base64_encode(const void *p, size_t n, struct buf *out)
{
	const unsigned char *b = p;
	int r = buf_reserve(out, (n + 2) / 3 * 4);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i += 3) {
		const unsigned int v = (unsigned int)b[i] << 16 | (i + 1 < n ? (unsigned int)b[i + 1] << 8 : 0) |
		    (i + 2 < n ? b[i + 2] : 0);

		out->s[out->len++] = base64_digits[v >> 18];
		out->s[out->len++] = base64_digits[v >> 12 & 63];
		out->s[out->len++] = i + 1 < n ? base64_digits[v >> 6 & 63] : '=';
		out->s[out->len++] = i + 2 < n ? base64_digits[v & 63] : '=';
	}
	out->s[out->len] = '\0';
	return 0;
}

static int
base64_value(char c)
{
	const char *p = c ? strchr(base64_digits, c) : NULL;

	return p ? (int)(p - base64_digits) : -1;
}

int
base64_decode(const char *text, size_t len, struct buf *out)
{
	const size_t before = out->len;
	size_t pad = 0;
	int r;

	if (len % 4 != 0)
		return -EINVAL;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	r = buf_reserve(out, len / 4 * 3);
	for (size_t i = 0; r == 0 && i < len; i += 4) {
		unsigned int v = 0;

		for (size_t k = 0; k < 4 && r == 0; k++) {
			int digit = i + k >= len - pad ? 0 : base64_value(text[i + k]);

			if (digit < 0)
				r = -EINVAL;
			v = v << 6 | (unsigned int)(digit & 63);
		}
		out->s[out->len++] = (char)(v >> 16);
		out->s[out->len++] = (char)(v >> 8);
		out->s[out->len++] = (char)v;
	}
	out->len = r < 0 ? before : out->len - pad;
	out->s[out->len] = '\0';
	return r;
}
