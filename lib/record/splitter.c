#include "record/sourcebuf.h"
#include "record/splitter.h"

enum {
	LOOK = 256,		/* bytes of a line that its time is looked for in, at the start */
	LOOK_FAR = 65536,	/* and elsewhere in the line */
};

static const char *
find(const char *p, size_t n, const char *what)
{
	return memmem(p, n, what, strlen(what));
}

bool
splitter_time(struct source *s, const char *p, size_t n, size_t line, struct stamp *out)
{
	const struct format *fmt = s->fmt;
	struct fields fields;
	const char *q;

	switch (fmt->where) {
	case WHERE_START:
		return time_parse(&s->time, p, n, out) > 0;
	case WHERE_AFTER:
		q = find(p, line, fmt->after);
		if (!q)
			return false;
		q += strlen(fmt->after);
		return time_parse(&s->time, q, n - (size_t)(q - p), out) > 0;
	default:
		return source_fields(s, p, line, &fields) && format_time(&fields, &s->time, out);
	}
}

bool
splitter_first_time(struct source *s, size_t n, struct stamp *out)
{
	const struct time_ctx before = s->time;
	bool found = false;

	for (const char *p = s->buf, *end = p + n, *nl; !found && p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		found = splitter_time(s, p, (size_t)(nl - p), (size_t)(nl - p), out);
	}
	s->time = before;
	return found;
}

bool
splitter_begins(struct source *s, size_t n, struct stamp *next)
{
	const size_t look = s->fmt->where == WHERE_START ? LOOK : LOOK_FAR;
	size_t have, line, nuls = 0;
	const char *p, *nl;

	do {
		p = s->buf + s->cur + n;
		have = s->hi - s->cur - n;
		while (nuls < have && p[nuls] == '\0')	/* of a file that was cut while it was written */
			nuls++;
		nl = memchr(p + nuls, '\n', have - nuls < look ? have - nuls : look);
	} while (!nl && have - nuls < look && nuls < RECORD_MAX && sourcebuf_fill(s));
	p = s->buf + s->cur + n + nuls;	/* to look for more moves what is held, also where there is none */
	have = s->hi - s->cur - n - nuls;
	nl = memchr(p, '\n', have < look ? have : look);
	line = nl ? (size_t)(nl - p) : have < look ? have : look;
	if (s->fmt->where == WHERE_START && have > look)
		have = look;
	if (n == 0 && s->base + (int64_t)s->cur == 0 && have > 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
		have -= 3;
		line -= 3;
	}
	if (have == 0)
		return false;
	if (s->begin && !regex_match(s->begin, p, line && p[line - 1] == '\r' ? line - 1 : line))
		return false;
	s->next_timed = splitter_time(s, p, have, line, next);
	return s->next_timed || s->begin;
}

bool
splitter_line(struct source *s, size_t n, size_t *len)
{
	for (;;) {
		size_t have = s->hi - s->cur;
		const char *p = s->buf + s->cur, *nl = memchr(p + n, '\n', have - n);

		*len = nl ? (size_t)(nl + 1 - p) : have;
		if (nl)
			return true;
		if (have >= RECORD_MAX)
			return false;
		n = have;
		if (!sourcebuf_fill(s))
			return true;
	}
}
