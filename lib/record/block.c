#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "record/block.h"
#include "record/matcher.h"
#include "record/sourcebuf.h"

/* Records that begin this close to the end of what was read may need more of it: the next block has them. */
enum { TAIL = 4096 };

static const struct block_field NO_FIELD = { 0, UINT32_MAX };

struct block *
block_new(void)
{
	return xcalloc_apart(1, sizeof(struct block));
}

void
block_free(struct block *b)
{
	if (!b)
		return;
	free(b->bytes);
	free(b->v);
	free(b->resolutions);
	free(b->fields);
	free(b->first);
	free(b->meta);
	free(b->domain_room);
	free(b->lines);
	free(b->store.v);
	free(b);
}

bool
block_has_clocks(const struct format *fmt)
{
	return fmt->where == WHERE_EXPORT || fmt->group[FIELD_CLOCK] >= 0 || fmt->group[FIELD_SEQ] >= 0 ||
	    fmt->keys[FIELD_CLOCK] || fmt->keys[FIELD_SEQ] || fmt->keys[FIELD_MONO];
}

/* Records had one resolution so far; from record N on they do not. */
static void
resolutions_begin(struct block *b, size_t n)
{
	b->cap_res = b->cap;
	b->resolutions = xrealloc(NULL, b->cap_res, sizeof *b->resolutions);
	for (size_t i = 0; i < n; i++)
		b->resolutions[i] = b->res;
}

/* Parallel arrays grow with the descriptors. */
static void
block_grow(struct block *b, const struct block_spec *spec, bool noted)
{
	if (b->n == b->cap)
		b->v = xgrow(b->v, b->n, &b->cap, sizeof *b->v);
	if (b->resolutions && b->n >= b->cap_res)
		b->resolutions = xgrow(b->resolutions, b->n, &b->cap_res, sizeof *b->resolutions);
	if (spec->fields && b->n >= b->cap_fields)
		b->fields = xgrow(b->fields, b->n, &b->cap_fields, sizeof *b->fields);
	if ((spec->matcher || spec->clocks) && b->n + 1 >= b->cap_first)
		b->first = xgrow(b->first, b->n + 1, &b->cap_first, sizeof *b->first);
	if (b->domains && b->n >= b->cap_domains)
		b->domains = b->domain_room = xgrow(b->domain_room, b->n, &b->cap_domains, sizeof(struct domain *));
	if (noted && b->n >= b->cap_meta)
		b->meta = xgrow(b->meta, b->n, &b->cap_meta, sizeof *b->meta);
}

/* The constraints and fields of R, the record or piece that becomes number N of B. */
static void
describe(struct block *b, struct source *s, struct record *r, const struct block_spec *spec)
{
	struct fields fields = { .v[0].p = NULL };

	if (spec->fields || spec->clocks || b->domains)
		source_fields(s, r->p, r->n, &fields);
	if (b->domains) {
		struct domain *d = source_domain(s, fields.v[FIELD_HOST], r->inherited);

		b->domains[b->n] = d;
		r->t = (int64_t)((uint64_t)r->t + (uint64_t)s->offset_ns - (uint64_t)d->offset_ns);
	}
	if (spec->matcher)
		matcher_constraints(spec->matcher, s, r, &b->store);
	if (spec->clocks)
		rule_clocks(s, &fields, &b->store);
	for (int k = 0; spec->fields && k < FIELD_N; k++) {
		const struct span v = fields.v[k];

		b->fields[b->n][k] = v.p ? (struct block_field){ (uint32_t)(v.p - s->buf), (uint32_t)v.n } : NO_FIELD;
	}
}

static void
block_add(struct block *b, struct source *s, struct record *r, unsigned flags, const struct block_spec *spec)
{
	block_grow(b, spec, s->feed != NULL);
	if (b->n == 0)
		b->res = r->res;
	else if (!b->resolutions && r->res != b->res)
		resolutions_begin(b, b->n);
	if (b->resolutions)
		b->resolutions[b->n] = r->res;
	if (b->first)
		b->first[b->n] = (uint32_t)b->store.n;
	if (!(flags & RECORD_PIECE))
		describe(b, s, r, spec);
	else if (b->domains)
		b->domains[b->n] = s->host;
	for (int k = 0; (flags & RECORD_PIECE) && spec->fields && k < FIELD_N; k++)
		b->fields[b->n][k] = NO_FIELD;
	if (b->meta)
		b->meta[b->n] = r->meta ? *r->meta : (struct event_meta){ .off = -1 };
	b->v[b->n] = (struct descriptor){ .t = r->t, .at = (uint32_t)(r->off - b->base), .n = (uint32_t)r->n & 0xfffffff,
	    .flags = flags & 15 };
	b->n++;
	if (b->first)
		b->first[b->n] = (uint32_t)b->store.n;
}

/*
 * Records of one resolution of which nothing but the time and what a matcher finds is
 * wanted, as long as they are found the short way and there is room for their
 * descriptors; false where there was none.
 */
static bool
decode_quickly(struct block *b, struct source *s, const struct block_spec *spec, size_t tail)
{
	const size_t before = b->n;
	struct record r;

	if (spec->matcher && b->cap_first < b->cap + 1)
		b->first = xrealloc(b->first, b->cap_first = b->cap + 1, sizeof *b->first);
	while (s->fast && s->cur < spec->bytes && s->hi - s->cur > tail && b->n + 1 < b->cap && source_next(s, &r) == 1) {
		if (r.more || r.inherited || r.meta || r.res != b->res) {
			block_add(b, s, &r, (r.inherited ? RECORD_INHERITED : 0) | (r.more ? RECORD_MORE : 0), spec);
			return true;
		}
		b->v[b->n++] = (struct descriptor){ .t = r.t, .at = (uint32_t)(r.off - b->base),
		    .n = (uint32_t)r.n & 0xfffffff };
		if (spec->matcher) {
			matcher_constraints(spec->matcher, s, &r, &b->store);
			b->first[b->n] = (uint32_t)b->store.n;
		}
	}
	return b->n > before;
}

/* Is R, of S, among the domains that are read? */
static bool
is_selected(struct source *s, const struct record *r)
{
	struct fields fields = { .v[0].p = NULL };
	const struct domain *d;

	if (!s->only && s->n_except == 0)
		return true;
	source_fields(s, r->p, r->n, &fields);
	d = source_domain(s, fields.v[FIELD_HOST], r->inherited);
	for (unsigned i = 0; i < s->n_except; i++)
		if (s->except[i] == d)
			return false;
	return !s->only || s->only == d;
}

static uint32_t
count_newlines(const char *p, const char *end)
{
	uint32_t n = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		n++;
		p++;
	}
	return n;
}

/* What S gave, N bytes at P, is left out. */
static void
leave_out(struct block *b, struct source *s, const char *p, size_t n, const struct block_spec *spec)
{
	const size_t done = s->cur - 1;

	if (b->n)
		return;
	if (spec->lines)
		b->line = s->lines += count_newlines(p, p + n);
	/* Nothing of the buffer is needed but the byte before what follows. */
	if (s->cur < spec->bytes)
		return;
	memmove(s->buf, s->buf + done, s->hi - done);
	s->base += (int64_t)done;
	s->hi -= done;
	s->cur = 1;
	b->base = s->base;
}

/* One more record, or piece of the record before: 1, 0 for none. */
static int
decode_one(struct block *b, struct source *s, const struct block_spec *spec)
{
	struct record r;
	const char *p;
	size_t n;
	int more = source_piece(s, &p, &n);

	if (more < 0)
		return 0;
	if (more && s->skipping) {
		leave_out(b, s, p, n, spec);
		return 1;
	}
	s->skipping = false;
	if (more) {
		r = (struct record){ .p = p, .n = n, .t = source_time(s, s->last_ns), .res = 1,
		    .off = s->base + (p - s->buf) };
		block_add(b, s, &r, (unsigned)RECORD_PIECE | (s->in_rest ? RECORD_MORE : 0), spec);
		return 1;
	}
	if (source_next(s, &r) == 0)
		return 0;
	if (!is_selected(s, &r)) {
		s->skipping = r.more;
		leave_out(b, s, r.p, r.n, spec);
		return 1;
	}
	block_add(b, s, &r, (r.inherited ? RECORD_INHERITED : 0) | (r.partial ? RECORD_PARTIAL : 0) |
	    (r.more ? RECORD_MORE : 0), spec);
	return 1;
}

/*
 * B takes the buffer of S, and S goes on in the one that B had, with a copy of
 * what is not decoded yet and of the byte before it: whether a line ended there
 * decides if what follows is the rest of a record.
 */
static void
detach(struct block *b, struct source *s, size_t bytes)
{
	const size_t behind = s->cur > 0, keep = s->hi - s->cur + behind;
	char *room = b->bytes;
	size_t cap = b->cap_bytes;

	if (!room || cap < keep + bytes || cap > 4 * (keep + bytes)) {
		cap = keep + bytes;
		room = xrealloc(room, cap + SOURCE_SLACK, 1);
		memset(room + cap, 0, SOURCE_SLACK);
	}
	memcpy(room, s->buf + s->cur - behind, keep);
	b->bytes = s->buf;
	b->cap_bytes = s->cap;
	s->buf = room;
	s->cap = cap;
	s->base += (int64_t)(s->cur - behind);
	s->hi = keep;
	s->lo = 0;
	s->cur = behind;
}

/* Number the lines of the records of B, which are the bytes of S up to its current one. */
static void
count_lines(struct block *b, struct source *s)
{
	uint32_t n = 0;

	if (b->cap_lines < b->n)
		b->lines = xrealloc(b->lines, b->cap_lines = b->cap, sizeof *b->lines);
	for (size_t i = 0; i < b->n; i++) {
		const size_t end = i + 1 < b->n ? b->v[i + 1].at : s->cur;

		b->lines[i] = n;
		n += count_newlines(s->buf + b->v[i].at, s->buf + end);
	}
	s->lines += n;
}

int
block_decode(struct block *b, struct source *s, const struct block_spec *spec)
{
	const size_t tail = spec->bytes / 4 < TAIL ? spec->bytes / 4 : TAIL;
	const bool quick = !spec->fields && !spec->clocks && !s->feed && !s->per_host;
	int r = 1;

	s->hold = true;
	s->lo = 0;
	b->n = b->store.n = 0;
	free(TAKE_PTR(b->resolutions));
	b->base = s->base;
	b->line = s->lines;
	if (s->per_host && !b->domain_room)
		b->domain_room = xgrow(NULL, 0, &b->cap_domains, sizeof(struct domain *));
	b->domains = s->per_host ? b->domain_room : NULL;
	/* What the last block left would make blocks of few records. */
	if (s->hi - s->cur <= tail)
		sourcebuf_fill(s);
	while (r == 1 && s->cur < spec->bytes && (b->n == 0 || s->eof || s->hi - s->cur > tail))
		if (!quick || b->n == 0 || b->resolutions || s->in_rest || !decode_quickly(b, s, spec, tail))
			r = decode_one(b, s, spec);
	if (b->n == 0)
		return s->eof ? 0 : -EAGAIN;
	b->constraints = b->store.v;
	if (spec->lines)
		count_lines(b, s);
	detach(b, s, spec->bytes);
	return 1;
}

void
block_record(const struct block *b, size_t i, struct record *r)
{
	const struct descriptor *d = &b->v[i];

	*r = (struct record){ .p = b->bytes + d->at, .n = d->n, .t = d->t, .res = block_resolution(b, i),
	    .off = b->base + d->at, .partial = d->flags & RECORD_PARTIAL, .more = d->flags & RECORD_MORE, .inherited = d->flags & RECORD_INHERITED,
	    .meta = b->meta && b->meta[i].off >= 0 ? &b->meta[i] : NULL };
}

void
block_fields(const struct block *b, size_t i, struct fields *out)
{
	for (int k = 0; k < FIELD_N; k++) {
		const struct block_field f = b->fields[i][k];

		out->v[k] = (struct span){ f.n == UINT32_MAX ? NULL : b->bytes + f.at, f.n == UINT32_MAX ? 0 : f.n };
	}
}
