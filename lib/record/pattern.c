/* Patterns of record/rule.h: regular expressions, and what is quicker than those. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "record/prefilter.h"
#include "record/pattern.h"

/* The literal text at the front of *S, which is then behind it. */
static void
take_literal(const char **s, struct buf *out)
{
	while (**s) {
		char c = **s;
		size_t n = 1;

		if (c == '\\' && ispunct((unsigned char)(*s)[1])) {
			c = (*s)[1];
			n = 2;
		} else if (strchr("\\^$.[|()?*+{", c)) {
			return;
		}
		if ((*s)[n] && strchr("?*+{", (*s)[n]))
			return;
		buf_putc(out, c);
		*s += n;
	}
}

static void
add_escape(bool class[256], char c)
{
	for (int i = 0; i < 256; i++) {
		bool word = i < 128 && (isalnum(i) || i == '_');

		if ((c == 'd' && i >= '0' && i <= '9') || (c == 'w' && word) ||
		    (c == 'S' && !(i == ' ' || (i >= 9 && i <= 13))))
			class[i] = true;
	}
}

/* "[...]" without anything but characters, ranges, \d and \w; or \d, \w, \S.  false for all else. */
static bool
take_class(const char **s, bool class[256])
{
	const char *p = *s;
	bool negated = false;

	memset(class, 0, 256 * sizeof *class);
	if (*p == '\\' && p[1] && strchr("dwS", p[1])) {
		add_escape(class, p[1]);
		*s = p + 2;
		return true;
	}
	if (*p++ != '[')
		return false;
	if (*p == '^') {
		negated = true;
		p++;
	}
	if (*p == ']')
		return false;
	for (; *p && *p != ']'; p++) {
		unsigned char lo = (unsigned char)*p, hi;

		if (lo == '[')
			return false;
		if (lo == '\\') {
			if (p[1] == 'd' || p[1] == 'w') {
				add_escape(class, *++p);
				continue;
			}
			if (!ispunct((unsigned char)p[1]))
				return false;
			lo = (unsigned char)*++p;
		}
		hi = lo;
		if (p[1] == '-' && p[2] && p[2] != ']') {
			hi = (unsigned char)p[2];
			if (hi == '\\' || hi == '[' || hi < lo)
				return false;
			p += 2;
		}
		for (int c = lo; c <= hi; c++)
			class[c] = true;
	}
	if (*p != ']')
		return false;
	for (int i = 0; negated && i < 256; i++)
		class[i] = !class[i];
	*s = p + 1;
	return true;
}

/*
 * Does the expression TEXT have alternatives outside of all brackets, as "a|b"?  Then what it begins
 * with need not be in a match.
 */
static bool
has_alternatives(const char *text)
{
	int depth = 0;
	bool class = false;

	for (const char *p = text; *p; p++) {
		if (*p == '\\' && (p[1] == 'Q' || p[1] == 'E'))
			return true;	/* a quotation: what is in it is not told here */
		if (*p == '\\' && p[1])
			p++;
		else if (class)
			class = *p != ']' || p[-1] == '[' || (p[-1] == '^' && p[-2] == '[');
		else if (*p == '[')
			class = true;
		else if (*p == '|' && depth == 0)
			return true;
		else
			depth += (*p == '(') - (*p == ')');
	}
	return false;
}

/* Literal, (?<id>CLASS+), literal, and nothing that a regular expression would go back for. */
static void
simplify(struct pattern *x, const char *text)
{
	struct buf before = BUF_INIT, after = BUF_INIT;
	const char *s = text;

	take_literal(&s, &before);
	if (before.len && strncmp(s, "(?<id>", 6) == 0) {
		s += 6;
		if (take_class(&s, x->class) && strncmp(s, "+)", 2) == 0) {
			s += 2;
			take_literal(&s, &after);
			x->simple = *s == '\0' && (after.len == 0 || !x->class[(unsigned char)after.s[0]]);
		}
	}
	if (before.len && !has_alternatives(text)) {
		x->before_len = before.len;
		x->before = buf_steal(&before);
	}
	if (x->simple && x->before) {
		x->after_len = after.len;
		x->after = buf_steal(&after);
	} else {
		x->simple = false;
	}
	buf_release(&before);
	buf_release(&after);
}

struct pattern *
pattern_new(const char *where, const char *text, struct fail *f)
{
	struct pattern *x = xcalloc(1, sizeof *x);

	x->regex = regex_new(where, text, f);
	if (!x->regex) {
		free(x);
		return NULL;
	}
	x->id = regex_group(x->regex, "id");
	x->parent = regex_group(x->regex, "parent");
	x->len = regex_group(x->regex, "len");
	x->from = regex_group(x->regex, "from");
	simplify(x, text);
	return x;
}

void
pattern_free(struct pattern *x)
{
	if (x) {
		regex_free(x->regex);
		free(x->before);
		free(x->after);
		free(x);
	}
}

static bool
match_simple(const struct pattern *x, const char *p, const char *end, struct span *id)
{
	while (p) {
		const char *q = p + x->before_len, *from = q;

		while (q < end && x->class[(unsigned char)*q])
			q++;
		if (q > from && (x->after_len == 0 ||
		    ((size_t)(end - q) >= x->after_len && memcmp(q, x->after, x->after_len) == 0))) {
			*id = (struct span){ from, (size_t)(q - from) };
			return true;
		}
		p = prefilter_find(p + 1, (size_t)(end - p - 1), x->before, x->before_len);
	}
	return false;
}

bool
pattern_match(const struct pattern *x, struct regex *regex, struct span text, const char *hint, struct span *id)
{
	if (x->simple)
		return match_simple(x, hint, text.p + text.n, id);
	if (!regex_match(regex, text.p, text.n))
		return false;
	*id = regex_span(regex, x->id, text.p);
	return true;
}
