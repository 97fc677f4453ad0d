#include <stdint.h>
#include <string.h>

#include "record/scan.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
skip_blanks(struct scan *s)
{
	while (s->p < s->end && is_blank(*s->p))
		s->p++;
}

/* The quoted text that begins at S->P, which is then behind it. */
static struct span
scan_quoted(struct scan *s)
{
	struct span v = { ++s->p, 0 };

	while (s->p < s->end && *s->p != '"')
		s->p += *s->p == '\\' && s->p + 1 < s->end ? 2 : 1;
	v.n = (size_t)(s->p - v.p);
	if (s->p < s->end)
		s->p++;
	return v;
}

/* An object, an array, or a word up to the comma or the end of what holds it. */
static struct span
scan_other(struct scan *s)
{
	struct span v = { s->p, 0 };
	int depth = 0;

	while (s->p < s->end) {
		char c = *s->p;

		if (c == '"') {
			scan_quoted(s);
			continue;
		}
		if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			break;
		depth += (c == '{' || c == '[') - (c == '}' || c == ']');
		s->p++;
	}
	v.n = (size_t)(s->p - v.p);
	while (v.n && is_blank(v.p[v.n - 1]))
		v.n--;
	return v;
}

bool
scan_json(struct scan *s, struct span *key, struct span *value)
{
	skip_blanks(s);
	if (s->p < s->end && (*s->p == '{' || *s->p == ','))
		s->p++;
	skip_blanks(s);
	if (s->p >= s->end || *s->p != '"')
		return false;
	*key = scan_quoted(s);
	skip_blanks(s);
	if (s->p >= s->end || *s->p != ':')
		return false;
	s->p++;
	skip_blanks(s);
	if (s->p >= s->end)
		return false;
	*value = *s->p == '"' ? scan_quoted(s) : scan_other(s);
	return true;
}

bool
scan_logfmt(struct scan *s, struct span *key, struct span *value)
{
	for (;;) {
		skip_blanks(s);
		if (s->p >= s->end)
			return false;
		key->p = s->p;
		while (s->p < s->end && !is_blank(*s->p) && *s->p != '=')
			s->p++;
		key->n = (size_t)(s->p - key->p);
		if (s->p < s->end && *s->p == '=')
			break;
	}
	s->p++;
	if (s->p < s->end && *s->p == '"') {
		*value = scan_quoted(s);
		return true;
	}
	value->p = s->p;
	while (s->p < s->end && !is_blank(*s->p))
		s->p++;
	value->n = (size_t)(s->p - value->p);
	return true;
}

/* One field of journald's export format: "NAME=value\n", or "NAME\n", its length in 8 bytes, and the value. */
bool
scan_export(struct scan *s, struct span *key, struct span *value)
{
	const char *nl = memchr(s->p, '\n', (size_t)(s->end - s->p)), *eq;
	uint64_t len = 0;

	if (!nl || nl == s->p)
		return false;
	eq = memchr(s->p, '=', (size_t)(nl - s->p));
	if (eq) {
		*key = (struct span){ s->p, (size_t)(eq - s->p) };
		*value = (struct span){ eq + 1, (size_t)(nl - eq - 1) };
		s->p = nl + 1;
		return true;
	}
	if (s->end - nl < 10)
		return false;
	for (int i = 8; i > 0; i--)
		len = len << 8 | (unsigned char)nl[i];
	if (len > (uint64_t)(s->end - nl - 10))
		return false;
	*key = (struct span){ s->p, (size_t)(nl - s->p) };
	*value = (struct span){ nl + 9, (size_t)len };
	s->p = nl + 10 + len;
	return true;
}
