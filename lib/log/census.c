#include <stdlib.h>

#include "base/xalloc.h"
#include "log/ids.h"
#include "log/order.h"
#include "log/skew.h"
#include "log/census.h"

/*
 * The value of an id while it is read: whether it is sent and needed, by which
 * source first, and when, in microseconds from the first time of all.
 */
enum { SENT = 1, NEEDED = 2, SOURCE_SHIFT = 2, SOURCE_BITS = 14, TIME_SHIFT = 16 };

/* An edge whose place in the table is on its way from memory. */
struct pending {
	struct edge edge;
	int64_t t;
	bool inherited;
};

enum { PENDING = 32 };

struct census {
	struct pending pending[PENDING];
	size_t n_pending;
	struct ids sent;
	struct skew *skew;
	struct edges edges;
	int64_t noise_ns, zero_ns;
	int64_t *res;		/* of each source's times */
};

static int64_t
time_of(const struct census *s, uint64_t value)
{
	return s->zero_ns + (int64_t)(value >> TIME_SHIFT) * 1000;
}

static void
note(struct census *s, const struct pending *p, unsigned i)
{
	const struct edge *x = &p->edge;
	bool sends = x->what == EDGE_SEND || x->what == EDGE_TICK;
	uint64_t *slot, old;
	unsigned other;
	int64_t us = (p->t - s->zero_ns) / 1000, res;

	slot = ids_put(&s->sent, x->id);
	old = *slot;
	if (old == 0)
		*slot = (uint64_t)(us < 0 ? 0 : us) << TIME_SHIFT | (uint64_t)(i & ((1 << SOURCE_BITS) - 1)) << SOURCE_SHIFT;
	*slot |= sends ? SENT : NEEDED;
	/* The other end of it was seen first, and only it. */
	if (!s->skew || x->what > EDGE_NEED || p->inherited || (old & (SENT | NEEDED)) != (sends ? NEEDED : SENT))
		return;
	other = old >> SOURCE_SHIFT & ((1 << SOURCE_BITS) - 1);
	res = s->res[i] > s->res[other] ? s->res[i] : s->res[other];
	if (sends)
		skew_add(s->skew, i, other, p->t, time_of(s, old), res);
	else
		skew_add(s->skew, other, i, time_of(s, old), p->t, res);
}

static void
note_pending(struct census *s, unsigned i)
{
	for (size_t k = 0; k < s->n_pending; k++)
		note(s, &s->pending[k], i);
	s->n_pending = 0;
}

static void
note_soon(struct census *s, const struct edge *x, unsigned i, const struct record *r)
{
	struct pending *p = &s->pending[s->n_pending];

	if (x->what > EDGE_SEEN)
		return;
	*p = (struct pending){ *x, r->t, r->inherited };
	if (x->what == EDGE_TICK || x->what == EDGE_SEEN)
		p->edge.id = rule_tick_id(x->id, x->n);
	ids_prefetch(&s->sent, p->edge.id);
	if (++s->n_pending == PENDING)
		note_pending(s, i);
}

static void
read_source(struct census *s, struct source *src, unsigned i, const struct rules *rules)
{
	bool any, clock = src->fmt->group[FIELD_CLOCK] >= 0;
	bool *used = order_rules_for(rules, src, &any);
	struct fields fields;
	struct record r;

	while ((any || clock) && source_next(src, &r) > 0) {
		struct span text = { r.p, r.n };

		if (s->zero_ns == 0)
			s->zero_ns = r.t - INT64_C(86400000000000) * 366;
		if (!r.inherited && r.res > s->res[i])
			s->res[i] = r.res;
		while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
			text.n--;
		s->edges.n = 0;
		rule_edges(rules, used, src, text, &s->edges);
		if (clock && format_fields(src->fmt, r.p, r.n, &fields))
			rule_clocks(src, &fields, &s->edges);
		for (size_t k = 0; k < s->edges.n; k++)
			note_soon(s, &s->edges.v[k], i, &r);
	}
	note_pending(s, i);
	source_rewind(src);
	free(used);
}

/* Whom somebody sends and somebody needs; the others are told from these by not being here. */
static bool
is_matched(uint64_t value, void *cookie)
{
	(void)cookie;
	return (value & (SENT | NEEDED)) == (SENT | NEEDED);
}

struct census *
census_run(struct source **v, unsigned n, const struct rules *rules, int64_t *offsets)
{
	struct census *s = xcalloc(1, sizeof *s);

	s->skew = offsets ? skew_new(n) : NULL;
	s->res = xcalloc(n + 1, sizeof *s->res);
	for (unsigned i = 0; i < n; i++) {
		s->res[i] = 1;
		read_source(s, v[i], i, rules);
	}
	if (s->skew)
		s->noise_ns = skew_estimate(s->skew, offsets);
	skew_free(s->skew);
	s->skew = NULL;
	free(s->res);
	s->res = NULL;
	free(s->edges.v);
	s->edges = (struct edges){ NULL, 0, 0 };
	s->sent.keep = is_matched;
	ids_shrink(&s->sent);
	return s;
}

void
census_free(struct census *s)
{
	if (s) {
		ids_release(&s->sent);
		free(s);
	}
}

bool
census_is_matched(const struct census *s, uint64_t id)
{
	return ids_find(&s->sent, id) != NULL;
}

void
census_prefetch(const struct census *s, uint64_t id)
{
	ids_prefetch(&s->sent, id);
}

int64_t
census_noise(const struct census *s)
{
	return s->noise_ns;
}
