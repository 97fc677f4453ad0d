#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "log/census.h"
#include "record/matcher.h"
#include "causal/idset.h"
#include "log/merge.h"
#include "log/node.h"
#include "causal/skew.h"

#define FOR_EVER	(INT64_MAX / 8)

enum {
	PAIRS_MAX = 1 << 18,	/* needs whose times are kept for the sake of the clocks */
	SAMPLE = 4,		/* ranges of records that are a sample */
	MESSAGES_MIN = 16,	/* in it, for an estimate: one alone may be odd */
	VIEW = 64 << 10,	/* read at once of each source */
	NEAR = 64 << 10,	/* near enough to a time */
};

struct census {
	struct idset needed;	/* not sent in the window before */
	struct idset sent;	/* of these, who is sent all the same */
	int64_t window_ns;
	bool forgot;		/* some that are needed may have been sent, long before */

	/* While the logs are read. */
	const struct rules *rules;
	struct source **v;
	unsigned n;
	bool **used;		/* by rank: which rules are for the source */
	struct past past;
	struct skew *skew;
	unsigned ranges;	/* of a sample: how many are still to be read */
	struct ids pairs;	/* when those of NEEDED were first needed: log/ledger.h has the values */
};

static bool
has_clock(const struct source *s)
{
	const struct format *f = s->fmt;

	return f->group[FIELD_CLOCK] >= 0 || f->keys[FIELD_CLOCK] ||
	    ((f->group[FIELD_SEQ] >= 0 || f->keys[FIELD_SEQ]) && order_has_clocks(s));
}

static void
note(struct source *s, const struct record *r, struct ledger *l, void *cookie)
{
	const struct census *c = cookie;
	struct fields fields;

	if (!s->matcher)
		s->matcher = matcher_new(c->rules, c->used[s->rank]);
	if (c->skew && !l->skew)
		l->skew = skew_new(c->n);
	l->window_ns = c->window_ns;
	matcher_constraints(s->matcher, s, r, &l->edges);
	if (has_clock(s) && source_fields(s, r->p, r->n, &fields))
		rule_clocks(s, &fields, &l->edges);
	ledger_enter(l, s, r);
}

/* The need X is not met in its range. */
static void
judge(struct census *c, const struct need *x)
{
	uint64_t sent = past_find(&c->past, x->id);

	if (!sent || x->now_ns - ledger_time(sent) > c->window_ns) {
		if (idset_add(&c->needed, x->id) && c->skew && c->pairs.n < PAIRS_MAX && x->res)
			*ids_put(&c->pairs, x->id) = ledger_value(x->rank, x->t, true);
	} else if (c->skew && (sent & LEDGER_TIMED) && x->res) {
		skew_add(c->skew, ledger_rank(sent), x->rank, ledger_time(sent), x->t, x->res);
	}
}

/* ID, of the VALUE, is sent, but somebody needed it before. */
static void
come_late(struct census *c, uint64_t id, uint64_t value)
{
	const uint64_t *first;

	if (!idset_has(&c->needed, id) || !idset_add(&c->sent, id) || !c->skew || !(value & LEDGER_TIMED))
		return;
	first = ids_find(&c->pairs, id);
	if (first)
		skew_add(c->skew, ledger_rank(value), ledger_rank(*first), ledger_time(value), ledger_time(*first), 1000);
}

static bool
accept(struct ledger *l, void *cookie)
{
	struct census *c = cookie;

	if (l->skew)
		skew_take(c->skew, l->skew);
	for (size_t i = 0; i < l->n_open; i++)
		judge(c, &l->open[i]);
	if (c->needed.n > c->sent.n)
		for (size_t i = 0; i < l->sent.cap; i++)
			if (l->sent.v[i].id)
				come_late(c, l->sent.v[i].id, l->sent.v[i].value);
	past_add(&c->past, l);
	if (l->newest_ns > INT64_MIN && past_forget(&c->past, l->newest_ns - c->window_ns, 0, NULL))
		c->forgot = true;
	return true;
}

static bool
read_on(struct source **v, unsigned n, int64_t until, int64_t *at, void *cookie)
{
	struct merge_watch watch = { .each = note, .accept = accept, .cookie = cookie };

	(void)until;
	(void)at;
	merge_watched(v, n, &watch);
	return false;
}

static void
rewind_all(const struct census *c)
{
	for (unsigned i = 0; i < c->n; i++)
		source_rewind(c->v[i]);
}

static void
read_all(struct census *c, unsigned threads)
{
	struct merge_watch watch = { .each = note, .accept = accept, .resume = read_on, .cookie = c, .silent = true };
	struct merge_count count = { 0 };
	struct render none;

	render_init(&none, -1, NULL);
	if (!merge_parallel(c->v, c->n, threads, 0, &watch, NULL, &none, &count))
		merge_watched(c->v, c->n, &watch);
	render_release(&none);
	past_release(&c->past);
	rewind_all(c);
}

/* Who looks through some of the sources for those who are needed. */
struct search {
	const struct census *census;
	unsigned first, step;
	struct idset found;
	pthread_t thread;
};

static void *
search(void *cookie)
{
	struct search *x = cookie;
	const struct census *c = x->census;
	struct constraints edges = { NULL, 0, 0 };
	struct record r;

	for (unsigned i = x->first; i < c->n; i += x->step) {
		struct source *s = c->v[i];
		struct fields fields;

		if (!s->matcher)
			s->matcher = matcher_new(c->rules, c->used[s->rank]);
		while (source_next(s, &r)) {
			matcher_constraints(s->matcher, s, &r, &edges);
			if (has_clock(s) && source_fields(s, r.p, r.n, &fields))
				rule_clocks(s, &fields, &edges);
			for (size_t k = 0; k < edges.n; k++) {
				const struct constraint *e = &edges.v[k];
				bool counts = e->what == CONSTRAINT_CLOCK_SET || (e->what == CONSTRAINT_SEQUENCE && !e->sparse);
				uint64_t id = counts ? rule_tick_id(e->id, e->n) : e->id;

				if ((e->what == CONSTRAINT_SEND || counts) && idset_has(&c->needed, id))
					idset_add(&x->found, id);
			}
			edges.n = 0;
		}
	}
	free(edges.v);
	return NULL;
}

/* Of those who are needed, are some sent so long before that they had been forgotten? */
static void
search_all(struct census *c, unsigned threads)
{
	struct search *v;

	/* A format's regular expression is one for all of its sources. */
	for (unsigned i = 0; i < c->n; i++)
		if (!c->v[i]->simple || c->v[i]->indivisible || has_clock(c->v[i]))
			threads = 1;
	threads = threads ? threads : 1;
	v = xcalloc(threads, sizeof *v);
	for (unsigned i = 0; i < threads; i++) {
		v[i] = (struct search){ .census = c, .first = i, .step = threads };
		if (pthread_create(&v[i].thread, NULL, search, &v[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(v[i].thread, NULL);
		for (size_t k = 0; k < v[i].found.cap; k++)
			if (v[i].found.v[k])
				idset_add(&c->sent, v[i].found.v[k]);
		idset_release(&v[i].found);
	}
	free(v);
	rewind_all(c);
}

/* What is learned of the clocks; true where any is wrong. */
static bool
estimate(struct census *c, int64_t *offsets)
{
	bool wrong = false;

	skew_estimate(c->skew, offsets);
	skew_free(c->skew);
	c->skew = NULL;
	ids_release(&c->pairs);
	for (unsigned i = 0; i < c->n; i++)
		wrong |= offsets[i] != 0;
	return wrong;
}

static void
shift(const struct census *c, const int64_t *offsets, int sign)
{
	for (unsigned i = 0; i < c->n; i++)
		c->v[i]->offset_ns += sign * offsets[i];
}

static void
read_again(struct census *c, unsigned threads, const int64_t *offsets)
{
	idset_release(&c->needed);
	idset_release(&c->sent);
	c->forgot = false;
	shift(c, offsets, 1);
	read_all(c, threads);
	shift(c, offsets, -1);
}

/* Those who are sent are told from those who are not. */
static void
settle(struct census *c)
{
	struct idset unsent = { NULL, 0, 0 };

	for (size_t i = 0; i < c->needed.cap; i++)
		if (c->needed.v[i] && !idset_has(&c->sent, c->needed.v[i]))
			idset_add(&unsent, c->needed.v[i]);
	idset_release(&c->needed);
	c->needed = unsent;
}

/* The rules that are for each of V. */
static void
choose_rules(struct census *c, struct source **v, unsigned n, bool *any)
{
	*any = false;
	c->used = xcalloc(n + 1, sizeof(bool *));
	for (unsigned i = 0; i < n; i++) {
		bool some;

		c->used[v[i]->rank] = order_rules_for(c->rules, v[i], &some);
		*any |= some;
	}
}

static void
forget_rules(struct census *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(c->used[i]);
	free(c->used);
	c->used = NULL;
}

struct census *
census_run(struct source **v, unsigned n, const struct rules *rules, unsigned threads, int64_t window_ns,
    int64_t *offsets)
{
	struct census *c = xcalloc(1, sizeof *c);
	bool any;

	c->rules = rules;
	c->v = v;
	c->n = n;
	c->window_ns = window_ns > 0 ? window_ns : 1;
	choose_rules(c, v, n, &any);
	/* A clock of its own moves a record to where nothing is known of here. */
	for (unsigned i = 0; i < n; i++)
		if (order_has_clocks(v[i]))
			c->window_ns = FOR_EVER;
	c->skew = offsets ? skew_new(n) : NULL;
	read_all(c, threads);
	if (c->skew && estimate(c, offsets))
		read_again(c, threads, offsets);
	if (c->forgot && c->needed.n > c->sent.n)
		search_all(c, threads);
	settle(c);
	forget_rules(c, n);
	return c;
}

void
census_free(struct census *c)
{
	if (c) {
		idset_release(&c->needed);
		idset_release(&c->sent);
		free(c);
	}
}

bool
census_is_clean(const struct census *c)
{
	return c->needed.n + c->sent.n == 0;
}

bool
census_is_unsent(const struct census *c, uint64_t id)
{
	return idset_has(&c->needed, id);
}

bool
census_is_early(const struct census *c, uint64_t id)
{
	return idset_has(&c->sent, id);
}

bool
census_has_early(const struct census *c)
{
	return c->sent.n > 0;
}

int64_t
census_window(const struct census *c)
{
	return c->window_ns;
}

static bool
accept_some(struct ledger *l, void *cookie)
{
	struct census *c = cookie;

	accept(l, c);
	return --c->ranges > 0;
}

/* Where the first record of V at T or later is, if its times rise. */
static int64_t
find_time(struct source *v, int64_t size, int64_t t)
{
	int64_t lo = 0, hi = size, off, ns;

	while (hi - lo > NEAR) {
		int64_t mid = lo + (hi - lo) / 2;

		if (source_probe(v, mid, &off, &ns) && ns < t)
			lo = mid;
		else
			hi = mid;
	}
	return source_probe(v, lo, &off, &ns) ? off : 0;
}

/* Views of those of V that can be read twice, from when all of them had begun; how many. */
static unsigned
open_views(struct source **v, unsigned n, struct source **views)
{
	int64_t off, ns, begun = INT64_MIN;
	unsigned k = 0;
	struct stat st;

	for (unsigned i = 0; i < n; i++) {
		if (!v[i]->seekable)
			continue;
		views[k] = source_view(v[i], 0, INT64_MAX, VIEW);
		if (v[i]->cut == CUT_TIMED && source_probe(views[k], 0, &off, &ns) && ns > begun)
			begun = ns;
		k++;
	}
	for (unsigned i = 0; i < k; i++) {
		off = 0;
		if (views[i]->cut == CUT_TIMED && stat(views[i]->location, &st) == 0)
			off = find_time(views[i], st.st_size, begun);
		source_range(views[i], off, INT64_MAX);
	}
	return k;
}

void
census_sample(struct source **v, unsigned n, const struct rules *rules, int64_t *offsets)
{
	struct census c = { .rules = rules, .n = n, .window_ns = FOR_EVER, .ranges = SAMPLE };
	struct merge_watch watch = { .each = note, .accept = accept_some, .cookie = &c };
	struct source **views = xcalloc(n + 1, sizeof(struct source *));
	bool any;

	choose_rules(&c, v, n, &any);
	c.skew = n > 1 && any ? skew_new(n) : NULL;
	if (c.skew) {
		unsigned k = open_views(v, n, views);

		merge_watched(views, k, &watch);
		if (skew_messages(c.skew) >= MESSAGES_MIN)
			skew_estimate(c.skew, offsets);
		for (unsigned i = 0; i < k; i++)
			source_close(views[i], NULL);
	}
	skew_free(c.skew);
	ids_release(&c.pairs);
	idset_release(&c.needed);
	idset_release(&c.sent);
	past_release(&c.past);
	forget_rules(&c, n);
	free(views);
}
