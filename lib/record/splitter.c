#include "base/buf.h"
#include "record/linker.h"
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
		return source_fields(s, p, line, &fields) && fields.v[FIELD_TIME].p &&
		    time_parse_value(&s->time, fields.v[FIELD_TIME].p, fields.v[FIELD_TIME].n, out);
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
	} while (!nl && have - nuls < look && nuls < RECORD_MAX && source_fill(s));
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
		if (!source_fill(s))
			return true;
	}
}

/*
 * The text END of LEN bytes, of which the format's marker is the last part, at
 * or behind FROM bytes after CUR; NULL for none in the buffer.  Where there is
 * no marker at all none is looked for again: each of many blocks without an end
 * would go through all that follows.
 */
static const char *
find_end(struct source *s, size_t from, const char *end, size_t len)
{
	const char *p = s->buf + s->cur, *marker;
	const size_t have = s->hi - s->cur, n = strlen(s->fmt->end), before = len - n;
	const int64_t base = s->base + (int64_t)s->cur;
	const size_t none = (size_t)(s->endless - base);

	if (none > before && none - before > from)
		from = none - before;
	if (from < have && (marker = memmem(p + from, have - from, end, len)))
		return marker;
	marker = none < have ? memmem(p + none, have - none, s->fmt->end, n) : NULL;
	s->endless = base + (marker ? marker - p : (int64_t)(have > none + n ? have - n + 1 : none));
	return NULL;
}

/* If the line of LEN bytes begins a block, *LEN becomes the block's. */
static void
whole_block(struct source *s, size_t *len)
{
	const struct format *fmt = s->fmt;
	const char *p = s->buf + s->cur, *begin = find(p, *len, fmt->begin), *hit;
	_cleanup_buf_ struct buf end = BUF_INIT;

	if (!begin)
		return;
	/* The end has the same text before it as the beginning; a body may well quote the marker alone. */
	buf_add(&end, p, (size_t)(begin - p));
	buf_puts(&end, fmt->end);
	if (s->endless < s->base + (int64_t)(s->cur + *len))
		s->endless = s->base + (int64_t)(s->cur + *len);
	for (size_t from = *len; !(hit = find_end(s, from, end.s, end.len)); ) {
		size_t have = s->hi - s->cur;

		if (have >= RECORD_MAX)
			return;		/* torn: its lines are taken as they come */
		if (have > end.len + *len)
			from = have - end.len;
		if (!source_fill(s)) {
			s->torn = true;
			return;
		}
	}
	splitter_line(s, (size_t)(hit - s->buf - s->cur) + end.len, len);
}

static bool
end_of_timed(struct source *s, size_t n, size_t *len)
{
	bool first = n == 0;

	if (s->fmt->end && n == 0 && !s->in_rest) {
		if (!splitter_line(s, 0, len))
			return false;
		whole_block(s, len);
		n = *len - 1;
	}
	for (;;) {
		if (!splitter_line(s, n, len))
			return false;
		n = *len;
		if (s->stream && !s->in_rest && first) {
			linker_join_parts(s, len);
			n = *len;
		}
		first = false;
		s->has_next = splitter_begins(s, n, &s->next);
		if (s->has_next || s->hi - s->cur == n)
			return true;
		if (n >= RECORD_MAX)
			return false;
	}
}

/* A journal entry: fields, of which some are binary, and an empty line. */
static bool
end_of_export(struct source *s, size_t *len)
{
	size_t i = 0;

	for (;;) {
		const char *p = s->buf + s->cur;
		size_t have = s->hi - s->cur;
		const char *nl = memchr(p + i, '\n', have - i);
		uint64_t size = 0;
		size_t line;

		line = nl ? (size_t)(nl - p) - i : 0;
		if (nl && line == 0) {
			*len = i + 1;
			return true;
		}
		if (nl && !memchr(p + i, '=', line)) {
			size_t data = i + line + 1;

			for (int k = 7; have >= data + 8 && k >= 0; k--)
				size = size << 8 | (unsigned char)p[data + (size_t)k];
			if (have >= data + 8 && size < have - data - 8) {
				i = data + 8 + (size_t)size + 1;
				continue;
			}
			if (have >= data + 8 && size > RECORD_MAX) {	/* no entry: a line of its own */
				*len = i + line + 1;
				return true;
			}
		} else if (nl) {
			i += line + 1;
			continue;
		}
		*len = have;
		if (have >= RECORD_MAX)
			return false;
		if (!source_fill(s))
			return true;
	}
}

bool
splitter_rest(struct source *s, size_t *len)
{
	return s->cut == CUT_TIMED ? end_of_timed(s, 0, len) : splitter_line(s, 0, len);
}

bool
splitter_record(struct source *s, size_t *len)
{
	switch (s->cut) {
	case CUT_TIMED:
		return end_of_timed(s, 0, len);
	case CUT_LINES:
		return linker_end_of_lines(s, len);
	case CUT_EXPORT:
		return end_of_export(s, len);
	default:
		if (!splitter_line(s, 0, len))
			return false;
		if (s->stream)
			linker_join_parts(s, len);
		return true;
	}
}
