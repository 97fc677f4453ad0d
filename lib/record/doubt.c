#include <string.h>

#include "record/doubt.h"

enum {
	LEVELS_TRIED = 50,	/* lines in which a level is looked for */
	BINARY_SHARE = 20,	/* one byte in so many that no text has */
	LOOKED_AT = 4096,	/* bytes that tell text from what is none */
	CR_MIN = 1024,		/* bytes without a newline from which carriage returns count as ends of lines */
};

static size_t
count(const char *p, size_t n, char c)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += p[i] == c;
	return found;
}

/* A byte order mark, or every other byte a NUL. */
static bool
is_utf16(const char *p, size_t n)
{
	size_t even = 0, odd = 0;

	if (n >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0))
		return true;
	for (size_t i = 0; i < n; i++)
		*(i % 2 ? &odd : &even) += p[i] == '\0';
	return n >= 8 && ((even * 8 > n * 3 && odd * 16 < n) || (odd * 8 > n * 3 && even * 16 < n));
}

/* Control characters that no terminal is sent; NULs in a row are of a file that was cut. */
static bool
is_binary(const char *p, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		bad += (c < 7 || (c > 13 && c < 27) || (c > 27 && c < 32)) &&
		    !(c == 0 && ((i > 0 && p[i - 1] == '\0') || (i + 1 < n && p[i + 1] == '\0')));
	}
	return n >= 16 && bad * BINARY_SHARE > n;
}

unsigned
doubt_find(const struct source *s, const char *text, size_t n, bool named)
{
	const size_t some = n < LOOKED_AT ? n : LOOKED_AT;
	unsigned doubts = 0;
	int tried;

	if (n == 0)
		return 0;
	if (is_utf16(text, some))
		return DOUBT_UTF16;	/* all else follows from it */
	if (s->fmt->where != WHERE_EXPORT && is_binary(text, some))
		return DOUBT_BINARY;
	if (n >= CR_MIN && !memchr(text, '\n', n) && count(text, some, '\r') > 4)
		doubts |= DOUBT_CR;
	if (s->untimed)
		doubts |= DOUBT_TIMES;
	if (named && s->fmt->line && detect_fits(s->fmt, s->zone, text, n, &tried) == 0 && tried > 0)
		doubts |= DOUBT_FORMAT;
	if (s->time.day_order)
		doubts |= DOUBT_DAY_ORDER;
	if (s->time.unit_unsure)
		doubts |= DOUBT_YEAR_ORDER;
	if (s->time.zone_unsure)
		doubts |= DOUBT_ZONE;
	return doubts;
}

bool
doubt_level(const struct source *s)
{
	const struct format *fmt = s->fmt;
	const char *p = s->buf, *end = s->buf + s->hi, *nl;
	struct fields fields;

	if (fmt->where == WHERE_EXPORT)
		return false;
	if (fmt->group[FIELD_LEVEL] < 0 && !fmt->keys[FIELD_LEVEL])
		return true;
	if (s->base || p == end)
		return false;		/* its first lines are not here */
	for (int i = 0; i < LEVELS_TRIED && p < end; i++, p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		if (source_fields(s, p, (size_t)(nl - p), &fields) && format_level(fields.v[FIELD_LEVEL]) >= 0)
			return false;
	}
	return p > s->buf;
}

bool
doubt_next(const struct source *s, unsigned *doubts, struct fail *f)
{
	static const struct {
		enum doubt doubt;
		const char *text, *hint;
	} known[] = {
		{ DOUBT_TIMES, "no time stamps recognized in its first lines: its records stand where they are",
		    "name its format, SOURCE,format=NAME, or describe it as rejoin-formats(5) says" },
		{ DOUBT_FORMAT, "its format matches none of its first lines",
		    "leave out format= to have it detected; rejoin-log --sources prints what fits" },
		{ DOUBT_UTF16, "is UTF-16, which is not decoded", "iconv -f UTF-16 -t UTF-8 FILE" },
		{ DOUBT_BINARY, "is binary, not a log of text", "read a binary journal as journal:UNIT" },
		{ DOUBT_CR, "its lines end with carriage returns alone: all of it is one record", "tr '\\r' '\\n' <FILE" },
		{ DOUBT_DAY_ORDER, "its dates are ambiguous, taken for month/day/year",
		    "if the day is first, give it a format with time = dmy" },
		{ DOUBT_YEAR_ORDER, "its dates are ambiguous, taken for year/month/day",
		    "if the year is last, give it a format with time = mdy or dmy" },
		{ DOUBT_ZONE, "the abbreviation of its time zone is ambiguous", "say which zone it is: SOURCE,tz=ZONE" },
		{ DOUBT_LEVEL, "no level recognized: --level does not omit its records",
		    "give it a format with the group level, as rejoin-formats(5) says" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!(*doubts & known[i].doubt))
			continue;
		*doubts &= ~(unsigned)known[i].doubt;
		fail_set(f, EXIT_OK, "%s: %s", s->name, known[i].text);
		fail_hint(f, "%s", known[i].hint);
		return true;
	}
	return false;
}
