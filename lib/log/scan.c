#include <string.h>

#include "log/scan.h"

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
quoted(struct scan *s)
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
other(struct scan *s)
{
	struct span v = { s->p, 0 };
	int depth = 0;

	while (s->p < s->end) {
		char c = *s->p;

		if (c == '"') {
			quoted(s);
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
	*key = quoted(s);
	skip_blanks(s);
	if (s->p >= s->end || *s->p != ':')
		return false;
	s->p++;
	skip_blanks(s);
	if (s->p >= s->end)
		return false;
	*value = *s->p == '"' ? quoted(s) : other(s);
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
		*value = quoted(s);
		return true;
	}
	value->p = s->p;
	while (s->p < s->end && !is_blank(*s->p))
		s->p++;
	value->n = (size_t)(s->p - value->p);
	return true;
}
