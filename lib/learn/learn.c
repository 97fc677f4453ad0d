#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "learn/direction.h"
#include "learn/learn.h"
#include "learn/template.h"
#include "record/cursor.h"
#include "record/matcher.h"

enum {
	VIEW = 256 << 10,		/* read at once of each source */
	SAMPLE = 2 << 20,		/* bytes of each source that tell which members are part of templates */
	RECORDS_AT_ONCE = 512,
	DESCRIPTION_MAX = 160,
	RULES_MAX = 200,		/* each costs time on each record */
};

/* A learner while it reads. */
struct learner {
	struct source **v;		/* views */
	struct time_ctx *time;		/* of each, to find the end of the time of a record */
	uint32_t *records;
	int64_t *res;
	bool *ordered;			/* its position is the order of its program */
	unsigned n;
	struct templates *templates;
	struct occurrences *occurrences;
	struct learned *what;
};

/* TEXT, a record of source I, without its time; *BEFORE bytes stand before it. */
static struct span
text_behind_time(struct learner *l, unsigned i, struct span text, const struct fields *fields, size_t *before)
{
	const struct source *s = l->v[i];
	const struct span time = fields->v[FIELD_TIME];
	struct stamp stamp;
	size_t n = 0;

	if (s->fmt->where == WHERE_JSON || s->fmt->where == WHERE_EXPORT) {
		*before = 0;
		return text;
	}
	if (time.p >= text.p && time.p && time.p + time.n <= text.p + text.n)
		n = (size_t)(time.p + time.n - text.p);
	else if (s->fmt->where == WHERE_START)
		n = time_parse(&l->time[i], text.p, text.n, &stamp);
	*before = n;
	return (struct span){ text.p + n, text.n - n };
}

static void
read_record(struct learner *l, unsigned i, const struct block *b, size_t k, bool sample)
{
	struct template_value v[TEMPLATE_VALUES];
	struct fields fields = { .v[0].p = NULL };
	const struct source *s = l->v[i];
	struct span text;
	struct record r;
	size_t before;
	unsigned n;

	block_record(b, k, &r);
	if (b->v[k].flags & (RECORD_PIECE | RECORD_MORE))
		return;
	if (b->fields)
		block_fields(b, k, &fields);
	text = text_behind_time(l, i, record_text(&r), &fields, &before);
	if (sample) {
		templates_sample(l->templates, s->fmt, text);
		return;
	}
	l->what->records++;
	l->what->bytes += (int64_t)r.n;
	l->records[i]++;
	if (r.inherited)
		return;
	l->res[i] = r.res > l->res[i] ? r.res : l->res[i];
	n = templates_read(l->templates, s->fmt, text, before, v);
	for (unsigned j = 0; j < n; j++)
		occurrences_add(l->occurrences, v[j].hash, &(struct occurrence){ .t = r.t, .slot = v[j].slot, .record = l->records[i],
		    .source = (uint16_t)i, .number = v[j].number, .low = v[j].low });
}

/* Read all of the views, some records of each in turn. */
static void
read_views(struct learner *l, const struct learn_spec *spec, bool sample)
{
	const struct cursor_spec c = { .workers = spec->workers, .fields = true };
	const int64_t until = clock_mono_ms() + spec->seconds * 1000;
	struct cursor *cursor = cursor_open(l->v, l->n, &c);
	bool *over = xcalloc((size_t)l->n + 1, sizeof *over);
	unsigned left = l->n;

	while (left && !l->what->timed_out) {
		for (unsigned i = 0; i < l->n; i++) {
			const struct block *b;
			size_t k;

			for (int j = 0; j < RECORDS_AT_ONCE && !over[i]; j++) {
				over[i] = cursor_peek(cursor, i, &b, &k) != 1;
				left -= over[i];
				if (over[i])
					break;
				read_record(l, i, b, k, sample);
				cursor_advance(cursor, i);
			}
		}
		l->what->timed_out = clock_mono_ms() > until;
	}
	free(over);
	cursor_close(cursor);
}

static void
put_duration(struct buf *out, int64_t ns)
{
	const int64_t us = (ns < 0 ? -ns : ns) / 1000;

	if (us < 1000)
		buf_printf(out, "%jd us", (intmax_t)us);
	else if (us < 1000000)
		buf_printf(out, "%.1f ms", (double)us / 1e3);
	else
		buf_printf(out, "%.3f s", (double)us / 1e6);
}

static void
put_description(struct buf *out, const struct templates *t, uint32_t slot)
{
	const size_t before = out->len;

	templates_describe(t, slot, out);
	if (out->len - before > DESCRIPTION_MAX) {
		out->len = before + DESCRIPTION_MAX;
		buf_puts(out, "...");
	}
	buf_putc(out, '\n');
}

/* Can a rule say it?  Of several senders with one id a rule knows the first alone. */
static bool
is_expressible(const struct candidate *c)
{
	if (!c->direction)
		return false;
	return c->recurs ? c->nth : c->direction > 0 ? c->unique_x || c->nth : c->unique_y || c->nth;
}

/* Twice as long as any delay, at most a day. */
static int64_t
within_s(int64_t longest_ns)
{
	const int64_t s = 2 * (longest_ns / 1000000000) + 1;

	return s < 86400 ? s : 86400;
}

static void
put_rule(struct buf *out, const struct templates *t, const struct candidate *c, unsigned number)
{
	const uint32_t from = c->direction > 0 ? c->x : c->y, to = c->direction > 0 ? c->y : c->x;

	buf_puts(out, "\n# cause:  ");
	put_description(out, t, from);
	buf_puts(out, "# effect: ");
	put_description(out, t, to);
	buf_printf(out, "# support: %zu pairs of records in two sources, by %jd ids; coverage: %jd %% of the ids\n", c->n, (intmax_t)c->values,
	    (intmax_t)c->coverage);
	buf_printf(out, "# direction: by %s", c->how);
	buf_printf(out, "; tail %+.2f, quartiles of the delays ", c->direction * c->shape);
	put_duration(out, c->spread_ns);
	buf_printf(out, " apart\n# counter-examples: %jd\n[learned-%u]\nlearned = yes\n", (intmax_t)c->against, number);
	if (c->recurs)
		buf_puts(out, "match = nth\n");
	/* Clocks may be further apart than the default of 5 s. */
	if (c->recurs && c->longest_ns > INT64_C(2500000000))
		buf_printf(out, "within = %jds\n", (intmax_t)within_s(c->longest_ns));
	buf_puts(out, "send = ");
	templates_pattern(t, from, out);
	buf_puts(out, "\nrecv = ");
	templates_pattern(t, to, out);
	buf_putc(out, '\n');
}

/* How far the clocks are apart: each against the first that it is known with. */
static void
put_clocks(struct buf *out, const struct learner *l, const struct offsets *o)
{
	for (unsigned b = 1; b < l->n; b++)
		for (unsigned a = 0; a < b; a++) {
			int64_t lo, hi, mid;

			offsets_range(o, a, b, &lo, &hi);
			if (lo <= -OFFSET_UNKNOWN || hi >= OFFSET_UNKNOWN)
				continue;
			mid = lo + (hi - lo) / 2;
			buf_printf(out, "# clock of %s: ", l->v[b]->name);
			put_duration(out, mid);
			buf_printf(out, " %s that of %s, give or take ", mid < 0 ? "behind" : "ahead of", l->v[a]->name);
			put_duration(out, (hi - lo) / 2);
			buf_putc(out, '\n');
			break;
		}
}

static int
by_support(const void *a, const void *b)
{
	const struct candidate *x = *(struct candidate *const *)a, *y = *(struct candidate *const *)b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return x->x != y->x ? (x->x > y->x) - (x->x < y->x) : (x->y > y->y) - (x->y < y->y);
}

static void
put_rules(struct buf *out, const struct learner *l, const struct candidates *c, const struct offsets *o)
{
	struct candidate **v = xcalloc(c->n + 1, sizeof(struct candidate *));
	struct learned *what = l->what;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (is_expressible(&c->v[i]))
			v[n++] = &c->v[i];
	if (n > 0)
		qsort(v, n, sizeof *v, by_support);
	what->rules = (unsigned)(n < RULES_MAX ? n : RULES_MAX);
	buf_printf(out, "# Learned by rejoin-log from %u sources: %jd records, %jd MiB%s; one id in %u was looked at.\n", l->n,
	    (intmax_t)what->records, (intmax_t)(what->bytes >> 20), what->timed_out ? ", which is not all of them" : "",
	    1U << (what->level < 31 ? what->level : 31));
	if (what->left_out)
		buf_printf(out, "# %jd records are of kinds that were too many to look at.\n", (intmax_t)what->left_out);
	buf_puts(out, "# A rule says what was always before what.  That is no proof of a cause: keep, change or\n"
	    "# delete it.  See rejoin-log(1), LEARNING.\n");
	put_clocks(out, l, o);
	if (n > RULES_MAX)
		buf_printf(out, "# %zu more rules, with less support, are left out.\n", n - RULES_MAX);
	for (unsigned i = 0; i < what->rules; i++)
		put_rule(out, l->templates, v[i], i + 1);
	free(v);
}

void
learn_run(struct source **v, unsigned n, const struct learn_spec *spec, struct buf *out, struct learned *what)
{
	struct learner l = { .v = xcalloc((size_t)n + 1, sizeof(struct source *)), .time = xcalloc((size_t)n + 1, sizeof *l.time),
	    .records = xcalloc((size_t)n + 1, sizeof *l.records), .res = xcalloc((size_t)n + 1, sizeof *l.res),
	    .ordered = xcalloc((size_t)n + 1, sizeof *l.ordered),
	    .n = n < OFFSET_CLOCKS_MAX ? n : OFFSET_CLOCKS_MAX, .what = what, .templates = templates_new(),
	    .occurrences = occurrences_new(spec->memory) };
	struct candidates c;
	struct offsets *o;

	*what = (struct learned){ .rules = 0 };
	for (unsigned i = 0; i < l.n; i++) {
		l.v[i] = source_view(v[i], 0, v[i]->seekable ? SAMPLE : spec->held, VIEW);
		l.time[i] = v[i]->time;
		l.ordered[i] = v[i]->fifo && !v[i]->by_host && !v[i]->merged;
	}
	read_views(&l, spec, true);
	templates_settle(l.templates);
	for (unsigned i = 0; i < l.n; i++)
		source_range(l.v[i], 0, v[i]->seekable ? INT64_MAX : spec->held);
	read_views(&l, spec, false);
	what->level = occurrences_level(l.occurrences);
	what->left_out = templates_left_out(l.templates);
	candidates_find(&c, l.occurrences, l.templates);
	o = directions_find(&c, l.templates, l.res, l.ordered, l.n);
	put_rules(out, &l, &c, o);
	offsets_free(o);
	candidates_release(&c);
	occurrences_free(l.occurrences);
	templates_free(l.templates);
	for (unsigned i = 0; i < l.n; i++)
		source_close(l.v[i], NULL);
	free(l.v);
	free(l.time);
	free(l.records);
	free(l.res);
	free(l.ordered);
}
