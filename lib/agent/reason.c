#include <stdbool.h>
#include <string.h>

#include "agent/reason.h"
#include "base/utf8.h"

void
reason_clean(const char *text, size_t len, char reason[REASON_MAX + 1])
{
	size_t n = 0, good = utf8_check(text, len < REASON_MAX ? len : REASON_MAX);

	for (; n < len && n < REASON_MAX; n++) {
		unsigned char c = (unsigned char)text[n];

		if (n >= good && len > REASON_MAX && good > REASON_MAX - 4)
			break;	/* a character cut in two by the limit */
		reason[n] = c < 0x20 || c == 0x7f || (n >= good && c >= 0x80) ? '?' : (char)c;
	}
	reason[n] = '\0';
}

/* The string that begins at P, up to its closing quote; NULL where that is missing. */
static const char *
string_end(const char *p, const char *end)
{
	for (; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p : NULL;
}

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r", *p) && *p)
		p++;
	return p;
}

/* Is what stands from P on, behind a member's name, a string?  Where its text begins, or NULL. */
static const char *
string_value(const char *p, const char *end)
{
	p = skip_blanks(p, end);
	if (p == end || *p != ':')
		return NULL;
	p = skip_blanks(p + 1, end);
	return p < end && *p == '"' ? p + 1 : NULL;
}

/* The text of the object's own string member "id", NULL where it has none. */
static const char *
find_id(const char *p, const char *end, size_t *len)
{
	int depth = 0;

	for (; p < end; p++) {
		const char *begin = p + 1, *stop, *value;

		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		if (*p != '"')
			continue;
		stop = string_end(begin, end);
		if (!stop)
			return NULL;
		value = string_value(stop + 1, end);
		p = stop;
		if (depth != 1 || !value || stop - begin != 2 || memcmp(begin, "id", 2) != 0)
			continue;
		stop = string_end(value, end);
		if (!stop)
			return NULL;
		*len = (size_t)(stop - value);
		return value;
	}
	return NULL;
}

void
reason_of_line(const char *line, size_t len, char reason[REASON_MAX + 1])
{
	const char *begin = skip_blanks(line, line + len), *id = NULL;
	size_t n = 0;

	if (begin < line + len && *begin == '{')
		id = find_id(begin, line + len, &n);
	if (id)
		reason_clean(id, n, reason);
	else
		reason_clean(line, len, reason);
}
