#include <string.h>

#include "record/detect.h"

enum {
	TRIED_MAX = 50,		/* records of the sample that are looked at */
	MISSES_MAX = TRIED_MAX - TRIED_MAX / 3,	/* with more of them, too few can fit */
	SHARE = 3,		/* one in so many has to fit: continuation lines fit nothing */
};

/* The time of a line that begins with it, or has it behind a text. */
static bool
detect_time(const struct format *fmt, struct time_ctx *c, const char *p, size_t n, struct stamp *out)
{
	const char *q = p;

	if (fmt->where == WHERE_AFTER) {
		q = memmem(p, n, fmt->after, strlen(fmt->after));
		if (!q)
			return false;
		q += strlen(fmt->after);
	}
	return time_parse(c, q, n - (size_t)(q - p), out) > 0;
}

/*
 * Does the line look as the format says?  What is called a time has to be one, or
 * the format would take the whole log for one record.
 */
static bool
fits_line(const struct format *fmt, struct time_ctx *c, const char *p, size_t n)
{
	struct fields fields;
	struct stamp t;

	if (!format_fields(fmt, p, n, &fields))
		return false;
	if (fmt->where == WHERE_START || fmt->where == WHERE_AFTER)
		return !fmt->kinds || detect_time(fmt, c, p, n, &t);
	return (fmt->where == WHERE_REGEX && !fields.v[FIELD_TIME].p) || format_time(&fields, c, &t);
}

/* The bytes of the next COUNT lines of TEXT. */
static size_t
lines_length(const char *text, size_t len, unsigned count)
{
	size_t n = 0;

	do {
		const char *nl = memchr(text + n, '\n', len - n);

		n = nl ? (size_t)(nl - text) + 1 : len;
	} while (n < len && count-- > 1);
	return n;
}

int
detect_fits(const struct format *fmt, const struct zone *zone, const char *text, size_t len, int *tried)
{
	struct time_ctx c;
	int fits = 0;

	time_init(&c, fmt->kinds, zone, 0);
	*tried = 0;
	while (len && *tried < TRIED_MAX && *tried - fits <= MISSES_MAX) {
		size_t n = lines_length(text, len, fmt->lines);
		bool fit;

		if (fmt->where == WHERE_EXPORT)
			fit = len > 9 && memcmp(text, "__CURSOR=", 9) == 0;
		else
			fit = fits_line(fmt, &c, text, n);
		/* An entry of the journal is many lines, of which one says what it is. */
		fits += fit * (fmt->where == WHERE_EXPORT ? TRIED_MAX : 1);
		if (!fit && fmt->lines > 1)
			n = lines_length(text, len, 1);	/* the group may begin with the next line */
		++*tried;
		text += n;
		len -= n;
	}
	return fits;
}

/* Is A, with FITS, better than what was found so far? */
static bool
is_better(const struct format *a, int fits, const struct format *b, int b_fits)
{
	return !b || a->priority > b->priority || (a->priority == b->priority && fits > b_fits);
}

void
detect_format(const struct formats *fs, const char *text, size_t len, struct detected *out)
{
	struct zone *zone;
	int tried;

	*out = (struct detected){ .fmt = NULL };
	if (zone_open("UTC", &zone) < 0)
		zone = NULL;
	for (size_t i = 0; zone && i < fs->n; i++) {
		const struct format *fmt = &fs->v[i];
		int fits = fmt->detect ? detect_fits(fmt, zone, text, len, &tried) : 0;

		if (fits == 0 || fits * SHARE < tried)
			continue;
		if (is_better(fmt, fits, out->fmt, out->fits)) {
			out->second = out->fmt;
			out->second_fits = out->fits;
			out->fmt = fmt;
			out->fits = fits;
			out->tried = tried;
		} else if (is_better(fmt, fits, out->second, out->second_fits)) {
			out->second = fmt;
			out->second_fits = fits;
		}
	}
	zone_free(zone);
	if (!out->fmt)
		out->fmt = format_find(fs, "auto");
}
