#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ini.h"
#include "base/num.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "base/xalloc.h"

int
ini_bad(const struct ini_entry *e, struct fail *f, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return fail_set(f, EXIT_USAGE, "%s:%d: %s", e->file, e->line, text);
}

int
ini_unknown(const struct ini_entry *e, const char *known, struct fail *f)
{
	struct suggest near;
	int r = e->key ? ini_bad(e, f, "key '%s' is not known in [%s]", e->key, e->section)
	    : ini_bad(e, f, "section [%s] is not known", e->section);

	suggest_begin(&near, e->key ? e->key : e->section);
	suggest_offer_list(&near, known ? known : "");
	suggest_fail(&near, e->key ? "keys" : "sections", f);
	suggest_release(&near);
	return r;
}

int
ini_duration(const struct ini_entry *e, int64_t *ms, struct fail *f)
{
	return num_parse_duration(e->value, ms) < 0 ?
	    ini_bad(e, f, "%s: not a duration: '%s' (such as 250ms, 5s, 2m)", e->key, e->value) : 0;
}

int
ini_bool(const struct ini_entry *e, int *yes, struct fail *f)
{
	return num_parse_bool(e->value, yes) < 0 ?
	    ini_bad(e, f, "%s: neither yes nor no: '%s'", e->key, e->value) : 0;
}

/* The value of E is none of WORDS. */
static int
word_unknown(const struct ini_entry *e, const char *const *words, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct suggest near;
	int r;

	suggest_begin(&near, e->value);
	for (int i = 0; words[i]; i++) {
		suggest_offer(&near, words[i]);
		buf_printf(&b, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	r = ini_bad(e, f, "%s: '%s' is not %s", e->key, e->value, b.s);
	if (suggest_nearest(&near))
		fail_hint(f, "did you mean '%s'?", suggest_nearest(&near));
	suggest_release(&near);
	return r;
}

int
ini_word(const struct ini_entry *e, const char *const *words, int *index, struct fail *f)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(e->value, words[i]) == 0) {
			*index = i;
			return 0;
		}
	return word_unknown(e, words, f);
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* S without the blanks around it, in place. */
static char *
blanks_trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*s))
		s++;
	return s;
}

/* Cuts the next line off TEXT, NULL at its end. */
static char *
next_line(char **text)
{
	char *line = *text, *nl;

	if (!line || !*line)
		return NULL;
	nl = strchr(line, '\n');
	if (nl)
		*nl = '\0';
	*text = nl ? nl + 1 : NULL;
	return line;
}

static bool
is_continuation(const char *text)
{
	return text && (*text == ' ' || *text == '\t') && text[strspn(text, " \t\r")] &&
	    text[strspn(text, " \t\r")] != '\n';
}

static int
section_parse(struct ini_entry *e, char *line, ini_fn *fn, void *cookie, struct fail *f)
{
	size_t n = strlen(line);

	if (n < 3 || line[n - 1] != ']')
		return ini_bad(e, f, "not a section: '%.60s'", line);
	line[n - 1] = '\0';
	e->section = blanks_trim(line + 1);
	e->key = e->value = NULL;
	return fn(e, cookie, f);
}

static int
pair_parse(struct ini_entry *e, char *line, char **rest, int *lines, ini_fn *fn, void *cookie,
    struct fail *f)
{
	_cleanup_buf_ struct buf value = BUF_INIT;
	char *eq = strchr(line, '=');

	if (!eq)
		return ini_bad(e, f, "neither a section nor a key with a value: '%.60s'", line);
	*eq = '\0';
	e->key = blanks_trim(line);
	if (!*e->key)
		return ini_bad(e, f, "no key before the '='");
	if (!e->section)
		return ini_bad(e, f, "key '%s' stands before any section", e->key);
	buf_puts(&value, blanks_trim(eq + 1));
	while (is_continuation(*rest)) {
		++*lines;
		buf_printf(&value, "\n%s", blanks_trim(next_line(rest)));
	}
	e->value = value.s;
	return fn(e, cookie, f);
}

int
ini_parse(const char *file, const char *text, size_t len, ini_fn *fn, void *cookie,
    struct fail *f)
{
	_cleanup_free_ char *copy = xstrndup(text, len);
	struct ini_entry e = { .file = file };
	char *rest = copy, *line;
	int r = 0, lines = 0;

	if (memchr(text, '\0', len))
		return fail_set(f, EXIT_USAGE, "%s: has a NUL byte", file);
	if (utf8_check(text, len) < len)
		return fail_set(f, EXIT_USAGE, "%s: is not UTF-8 at byte %zu", file, utf8_check(text, len));
	while (r == 0 && (line = next_line(&rest))) {
		e.line = ++lines;
		line = blanks_trim(line);
		if (!*line || *line == '#' || *line == ';')
			continue;
		if (*line == '[')
			r = section_parse(&e, line, fn, cookie, f);
		else
			r = pair_parse(&e, line, &rest, &lines, fn, cookie, f);
	}
	return r;
}
