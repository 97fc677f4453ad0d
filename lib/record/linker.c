#include "base/jsontext.h"
#include "base/xalloc.h"
#include "record/linker.h"
#include "record/matcher.h"
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

		if ((*end == s->hi - s->cur && !source_fill(s)) || !splitter_line(s, from, end))
			return false;
	}
	return !s->line || regex_match(s->line, s->buf + s->cur + at, without_newline(s->buf + s->cur + at, *end - at));
}

bool
linker_end_of_lines(struct source *s, size_t *len)
{
	size_t end, at;

	*len = 0;
	for (unsigned i = 0; i < s->fmt->lines && (i == 0 || *len < s->hi - s->cur || source_fill(s)); i++)
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
		if (at == s->hi - s->cur && !source_fill(s))
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
