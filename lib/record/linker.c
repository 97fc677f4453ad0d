#include "base/buf.h"
#include "base/jsontext.h"
#include "base/xalloc.h"
#include "record/linker.h"
#include "record/matcher.h"
#include "record/sourcebuf.h"
#include "record/splitter.h"

enum { PARTS_MAX = 4096 };	/* lines that are looked through for the rest of a part */

/* The N bytes of P without the end of their last line. */
static size_t
without_newline(const char *p, size_t n)
{
	while (n && (p[n - 1] == '\n' || p[n - 1] == '\r'))
		n--;
	return n;
}

/* The stream of a line, and whether more of the line follows; false where the line is none of the format's. */
static bool
stream_of(struct source *s, const char *p, size_t n, struct span *stream, bool *part)
{
	n = without_newline(p, n);
	if (!regex_match(s->stream, p, n))
		return false;
	*stream = regex_span(s->stream, s->fmt->stream_group, p);
	*part = regex_span(s->stream, s->fmt->part_group, p).p != NULL;
	return stream->p != NULL;
}

/* Move the line of N bytes at P + FROM to P + TO, before what stands between. */
static void
move_line(char *p, size_t to, size_t from, size_t n)
{
	char *copy = xrealloc(NULL, n, 1);

	memcpy(copy, p + from, n);
	memmove(p + to + n, p + to, from - to);
	memcpy(p + to, copy, n);
	free(copy);
}

void
linker_join_parts(struct source *s, size_t *len)
{
	size_t at = *len, joined = *len;	/* the next line, and the end of the parts that were found */
	bool part, moved = false;
	struct span stream, mine;
	char name[32];

	s->partial = false;
	if (!stream_of(s, s->buf + s->cur, *len, &mine, &part) || !part || mine.n > sizeof name)
		return;
	memcpy(name, mine.p, mine.n);
	s->partial = true;
	for (int i = 0; i < PARTS_MAX && s->partial && at < RECORD_MAX; i++) {
		size_t end;
		bool whole = splitter_line(s, at, &end);

		if (end == at) {
			s->torn = s->dry;
			break;
		}
		if (!whole || !stream_of(s, s->buf + s->cur + at, end - at, &stream, &part))
			break;
		if (stream.n != mine.n || memcmp(stream.p, name, mine.n) != 0) {
			at = end;
			continue;
		}
		if (joined < at && !s->feed) {
			move_line(s->buf + s->cur, joined, at, end - at);
			moved = true;
			joined += end - at;
		} else {
			joined = end;
		}
		at = end;
		s->partial = part;
	}
	*len = joined;
	if (moved && s->matcher)
		matcher_reset(s->matcher);
}

/* Does a record begin AT bytes behind CUR: do the lines there match?  Sets *END to where they end. */
static bool
lines_match(struct source *s, size_t at, size_t *end)
{
	*end = at;
	for (unsigned i = 0; i < s->fmt->lines; i++) {
		size_t from = *end;

		if ((*end == s->hi - s->cur && !sourcebuf_fill(s)) || !splitter_line(s, from, end))
			return false;
	}
	return !s->line || regex_match(s->line, s->buf + s->cur + at, without_newline(s->buf + s->cur + at, *end - at));
}

bool
linker_end_of_lines(struct source *s, size_t *len)
{
	size_t end, at;

	*len = 0;
	for (unsigned i = 0; i < s->fmt->lines && (i == 0 || *len < s->hi - s->cur || sourcebuf_fill(s)); i++)
		if (!splitter_line(s, *len, len))
			return false;
	if (!s->line)
		return true;
	/* What does not begin a record goes with the lines before it. */
	if (!lines_match(s, 0, &end) && !s->dry)
		splitter_line(s, 0, len);
	for (;;) {
		at = *len;
		/* Of a followed source the rest may come later: what is here is a record. */
		if (s->feed && at == s->hi - s->cur)
			return true;
		if (at == s->hi - s->cur && !sourcebuf_fill(s))
			return true;
		if (lines_match(s, at, &end) || s->dry)
			return true;
		if (at >= RECORD_MAX)
			return false;
		if (!splitter_line(s, at, len))
			return false;
	}
}

bool
linker_join_text(const struct source *s, const char *p, size_t n, struct buf *out)
{
	const char *end = p + n, *nl = memchr(p, '\n', n);
	struct fields fields;

	if (!s->fmt->stream || !nl || nl + 1 == end)
		return false;
	for (; p < end; p = nl + 1) {
		struct span body;

		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			nl = end;
		if (!source_fields(s, p, (size_t)(nl - p), &fields))
			continue;
		body = fields.v[FIELD_BODY];
		if (body.p && s->fmt->where == WHERE_JSON)
			jsontext_unescape(body.p, body.n, out);
		else if (body.p)
			buf_add(out, body.p, body.n);
	}
	return true;
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
	const char *p = s->buf + s->cur, *begin = memmem(p, *len, fmt->begin, strlen(fmt->begin)), *hit;
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
		if (!sourcebuf_fill(s)) {
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
		if (!sourcebuf_fill(s))
			return true;
	}
}

bool
linker_rest(struct source *s, size_t *len)
{
	return s->cut == CUT_TIMED ? end_of_timed(s, 0, len) : splitter_line(s, 0, len);
}

bool
linker_record(struct source *s, size_t *len)
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
