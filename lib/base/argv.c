#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/argv.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "base/xalloc.h"

/* The value of the N digits at S, in BASE 8 or 16; -1 where they are not that. */
static int64_t
digits_value(const char *s, int n, int base)
{
	static const char all[] = "0123456789abcdef";
	int64_t v = 0;

	for (; n > 0; n--, s++) {
		const char *p = *s ? memchr(all, tolower((unsigned char)*s), (size_t)base) : NULL;

		if (!p)
			return -1;
		v = v * base + (p - all);
	}
	return v;
}

/* An escape by number: S is behind its backslash.  Its length, 0 for none, or -1 for no character. */
static int
number_escape(const char *s, struct buf *out)
{
	int n = *s == 'x' ? 2 : *s == 'u' ? 4 : *s == 'U' ? 8 : 3;
	int letter = *s == 'x' || *s == 'u' || *s == 'U';
	char text[4];
	int64_t v = letter ? digits_value(s + 1, n, 16) : digits_value(s, n, 8);

	if (v < 0)
		return 0;
	if (v == 0 || (n <= 3 && v > 0xff) || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return -1;
	if (n <= 3)
		buf_putc(out, (char)v);
	else
		buf_add(out, text, utf8_encode((uint32_t)v, text));
	return n + letter;
}

/* As above, of any escape. */
static int
argument_escape(const char *s, struct buf *out)
{
	static const char letters[] = "abfnrtvs\\\"'", values[] = "\a\b\f\n\r\t\v \\\"'";
	const char *p = *s ? strchr(letters, *s) : NULL;

	if (p) {
		buf_putc(out, values[p - letters]);
		return 1;
	}
	return number_escape(s, out);
}

/* One word from *S on; the reason why there is none. */
static const char *
split_word(const char **s, struct buf *out)
{
	char quote = '\0';

	for (; **s && (quote || !isspace((unsigned char)**s)); ++*s) {
		if (quote && **s == quote) {
			quote = '\0';
		} else if (!quote && (**s == '"' || **s == '\'')) {
			quote = **s;
		} else if (**s == '\\') {
			int n = argument_escape(*s + 1, out);

			if (n < 0)
				return "an escape stands for no character";
			if (n == 0)
				buf_putc(out, '\\');
			*s += n;
		} else {
			buf_putc(out, **s);
		}
	}
	return quote ? "a quote is left open" : NULL;
}

char **
argv_split(const char *text, const char **why)
{
	char **v = xcalloc(1, sizeof *v);
	size_t n = 0;

	for (;;) {
		struct buf b = BUF_INIT;
		const char *bad;

		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			return v;
		bad = split_word(&text, &b);
		if (bad) {
			if (why)
				*why = bad;
			buf_release(&b);
			xfree_strv(v);
			return NULL;
		}
		v = xrealloc(v, n + 2, sizeof *v);
		v[n++] = buf_steal(&b);
		v[n] = NULL;
	}
}
