/*
 * xml - is this a well-formed document, as far as ours need it?  Elements,
 * attributes in double quotes, text, the five entities; no comments.
 */
#ifndef TEST_XML_H
#define TEST_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/utf8.h"

enum { XML_DEPTH = 16 };

static inline bool
xml_is_char(uint32_t c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0xfffe && c != 0xffff);
}

/* Text up to STOP, which may not hold "<" nor a bare "&". */
static inline const char *
xml_text(const char *p, const char *end, char stop)
{
	static const char *const entities[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&apos;" };

	while (p < end && *p != stop) {
		size_t i = 0;

		if (*p == '<')
			return NULL;	/* in an attribute */
		if (*p++ != '&')
			continue;
		while (i < 5 && strncmp(p - 1, entities[i], strlen(entities[i])) != 0)
			i++;
		if (i == 5)
			return NULL;
	}
	return p < end ? p : NULL;
}

/* NULL where it is well-formed, else where it is not. */
static inline const char *
xml_check(const char *s, size_t n)
{
	const char *p = s, *end = s + n, *open[XML_DEPTH], *name, *next;
	int depth = 0;
	uint32_t c;

	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_next(s + i, n - i, &c);
		if (len == 0 || !xml_is_char(c))
			return s + i;
	}
	do {
		if (*p != '<' || p + 2 >= end)
			return p;
		name = p + 1 + (p[1] == '/');
		next = name + strcspn(name, " />\n");
		if (p[1] == '/') {
			size_t len = (size_t)(next - name);

			/* "<g class" is ended by "</g>" */
			if (depth == 0 || strncmp(open[--depth], name, len) != 0 || !strchr(" />\n", open[depth][len]))
				return p;
			p = next;
		} else {
			if (depth == XML_DEPTH || next == name)
				return p;
			open[depth++] = name;
			for (p = next; *p == ' ' || *p == '\n'; p = next) {
				p += strspn(p, " \n");
				next = p + strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:");
				if (next == p || next[0] != '=' || next[1] != '"')
					return p;
				next = xml_text(next + 2, end, '"');
				if (!next)
					return p;
				next++;
			}
			if (*p == '/') {
				depth--;
				p++;
			}
		}
		if (*p++ != '>')
			return p - 1;
		if (depth == 0)
			break;
		next = xml_text(p, end, '<');
		if (!next)
			return p;
		p = next;
	} while (p < end);
	while (p < end && *p == '\n')
		p++;
	return p == end && depth == 0 ? NULL : p;
}

#endif
