#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "output/label.h"

/* What a line is turned round by, or hidden in: U+061C, U+200B-F, U+2028-E, U+2060-9, U+FEFF; and no XML character. */
static bool
is_odd(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c & 0xfffe) == 0xfffe;
}

/* The next character of P as it is shown, into TEXT; its bytes there, *USED of P, and its columns. */
static size_t
next(const char *p, size_t n, char text[16], size_t *used, unsigned *columns)
{
	uint32_t c;

	*used = utf8_next(p, n, &c);
	if (*used == 0) {
		*used = 1;
		*columns = 4;
		return (size_t)snprintf(text, 16, "\\x%02x", (unsigned char)*p);
	}
	if (c == '\t') {
		*text = ' ';
		*columns = 1;
		return 1;
	}
	if (is_odd(c))
		return *columns = (unsigned)snprintf(text, 16, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
	memcpy(text, p, *used);
	*columns = utf8_columns(c);
	return *used;
}

unsigned
label_width(const char *p, size_t n)
{
	unsigned width = 0, columns;
	size_t used;
	char text[16];

	for (; n; p += used, n -= used) {
		next(p, n, text, &used, &columns);
		width += columns;
	}
	return width;
}

unsigned
label_add(struct buf *out, const char *p, size_t n, unsigned columns, const char *ellipsis)
{
	unsigned width = 0, here, room = 0, end = label_width(ellipsis, strlen(ellipsis));
	size_t used, len, cut = out->len;
	char text[16];

	/* CUT is where the ellipsis goes, if it has to: the last place that leaves room for it. */
	for (; n; p += used, n -= used) {
		len = next(p, n, text, &used, &here);
		if (columns && width + here > columns) {
			out->len = cut;
			out->s[cut] = '\0';
			if (room + end <= columns) {
				buf_puts(out, ellipsis);
				room += end;
			}
			return room;
		}
		buf_add(out, text, len);
		width += here;
		if (width + end <= columns) {
			cut = out->len;
			room = width;
		}
	}
	return width;
}

unsigned
label_add_middle(struct buf *out, const char *p, size_t n, unsigned columns, const char *ellipsis)
{
	unsigned end = label_width(ellipsis, strlen(ellipsis)), left = label_width(p, n), used, here;
	const char *from = p;
	const size_t all = n;
	size_t len;
	char text[16];

	if (left <= columns || columns <= end + 2)
		return label_add(out, p, n, columns, ellipsis);
	for (; left > (columns - end) / 2; left -= here) {
		next(p, n, text, &len, &here);
		p += len;
		n -= len;
	}
	used = label_add(out, from, all, columns - end - (columns - end) / 2, "");
	buf_puts(out, ellipsis);
	return used + end + label_add(out, p, n, 0, "");
}

void
label_duration(struct buf *out, int64_t ns)
{
	double s = (double)ns / 1e9;
	int64_t whole = ns / 1000000000;

	if (ns < 0) {
		buf_putc(out, '-');
		label_duration(out, ns == INT64_MIN ? INT64_MAX : -ns);
	} else if (s < 0.0009995) {
		buf_printf(out, "%.0f us", s * 1e6);
	} else if (s < 0.9995) {
		buf_printf(out, s < 0.0995 ? "%.1f ms" : "%.0f ms", s * 1e3);
	} else if (s < 59.95) {
		buf_printf(out, "%.1f s", s);
	} else if (whole < 3600) {
		buf_printf(out, "%d min %d s", (int)(whole / 60), (int)(whole % 60));
	} else if (whole < 86400) {
		buf_printf(out, "%d h %d min", (int)(whole / 3600), (int)(whole / 60 % 60));
	} else {
		buf_printf(out, "%lld d %d h", (long long)(whole / 86400), (int)(whole / 3600 % 24));
	}
}
