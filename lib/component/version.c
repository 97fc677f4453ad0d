#include <string.h>

#include "component/version.h"

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Where C stands between digits: '~', the end (or a digit), letters, the rest. */
static int
char_weight(char c)
{
	if (c == '~')
		return -1;
	if (c == '\0' || is_digit(c))
		return 0;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return c;
	return 256 + (unsigned char)c;
}

/* The run of digits at *S, without its leading zeros; *S is moved behind it. */
static const char *
number_parse(const char **s, size_t *len)
{
	const char *p;

	*s += strspn(*s, "0");
	p = *s;
	*len = strspn(p, "0123456789");
	*s += *len;
	return p;
}

int
version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		size_t na, nb;
		const char *x, *y;

		for (; (*a && !is_digit(*a)) || (*b && !is_digit(*b)); a++, b++) {
			int d = char_weight(*a) - char_weight(*b);

			if (d != 0)
				return d;
		}
		x = number_parse(&a, &na);
		y = number_parse(&b, &nb);
		if (na != nb)
			return na < nb ? -1 : 1;
		if (memcmp(x, y, na) != 0)
			return memcmp(x, y, na);
	}
	return 0;
}
