/*
 * order_easily() of log/node.h.
 *
 * Most logs are in causal order by time but for a few places.  So they are
 * merged by time, range by range and by several workers, while what each
 * record sends and needs is written down; and as long as nothing is needed
 * before it was sent, that is just what order_go() would have made of it.
 * Where something is, order_go() takes over until time does again.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "log/census.h"
#include "record/matcher.h"
#include "log/merge.h"
#include "log/node.h"

enum { REMEMBERED = 1 << 17 };	/* so many ids are, beyond the patience, at no cost that matters */

struct easy {
	struct order order;
	struct past past;
	bool **used;		/* by rank: which rules are for the source */
};

static void
note(struct source *s, const struct record *r, struct ledger *l, void *cookie)
{
	const struct easy *e = cookie;

	if (!s->matcher)
		s->matcher = matcher_new(e->order.spec->rules, e->used[s->rank]);
	if (!e->order.spec->census)
		l->window_ns = e->order.spec->remember_ns + 1;
	matcher_constraints(s->matcher, s, r, &l->edges);
	ledger_enter(l, s, r);
}

/* Is the need met by what is out?  One that nobody ever sends is, too. */
static bool
is_met(struct easy *e, const struct need *x, int64_t *unmatched)
{
	const struct census *census = e->order.spec->census;

	if (census && !census_is_early(census, x->id)) {
		*unmatched += census_is_unsent(census, x->id);
		return true;
	}
	return order_was_sent(&e->order, x->id, x->t);
}

/* Some ids of L are waited for no longer, or must not be forgotten. */
static void
look_through(struct easy *e, const struct ledger *l)
{
	const struct census *census = e->order.spec->census;

	for (size_t i = 0; i < l->sent.cap; i++) {
		uint64_t id = l->sent.v[i].id;

		if (!id)
			continue;
		if (census && census_is_early(census, id))
			*ids_put(&e->order.ids, id) = order_out_at(l->newest_ns);
		e->order.count->late += (int64_t)tally_take(&e->order.lost, id);
	}
}

static bool
accept(struct ledger *l, void *cookie)
{
	struct easy *e = cookie;
	struct order *o = &e->order;
	const struct census *census = o->spec->census;
	int64_t unmatched = 0;

	for (size_t i = 0; i < l->n_open; i++)
		if (!is_met(e, &l->open[i], &unmatched))
			return false;
	o->count->unmatched += unmatched;
	if (l->newest_ns > o->now_ns)
		o->now_ns = l->newest_ns;
	if (o->lost.n || (census && census_has_early(census)))
		look_through(e, l);
	past_add(&e->past, l);
	if (o->now_ns > -FAR_NS)
		past_forget(&e->past, o->now_ns - (census ? census_window(census) : o->spec->remember_ns), REMEMBERED,
		    census ? NULL : &o->forgotten);
	return true;
}

static bool
take_over(struct source **v, unsigned n, int64_t until, int64_t *at, void *cookie)
{
	struct easy *e = cookie;

	return order_go(&e->order, v, n, until, at);
}

/* Nothing but messages and spans, in sources with an order of their own. */
static bool
is_easy(const struct easy *e, struct source **v, unsigned n)
{
	const struct order_spec *spec = e->order.spec;
	const struct render *out = e->order.out;

	if (spec->mode != ORDER_CAUSAL || spec->explain || spec->wanted || out->style || out->line_buffered)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!v[i]->fifo || order_has_clocks(v[i]) || order_has_emitters(v[i]))
			return false;
		for (size_t k = 0; k < spec->rules->n; k++)
			if (e->used[i][k] && spec->rules->v[k].kind != RULE_MESSAGE &&
			    !(spec->rules->v[k].kind == RULE_SPAN && !spec->rules->v[k].send))
				return false;
	}
	return true;
}

bool
order_easily(struct source **v, unsigned n, const struct order_spec *spec, struct render *out,
    struct causal_count *count)
{
	struct easy e = { .past = { .v = NULL } };
	struct merge_watch watch = { .each = note, .accept = accept, .resume = take_over, .cookie = &e };
	struct merge_count own = { 0 }, *merged = spec->merged ? spec->merged : &own;
	bool any, done;

	order_init(&e.order, spec, out, count);
	e.order.past = &e.past;
	e.used = xcalloc(n + 1, sizeof(bool *));
	for (unsigned i = 0; i < n; i++)
		e.used[i] = order_rules_for(spec->rules, v[i], &any);
	/*
	 * Where all that is needed was sent before, there is nothing to watch for.  One
	 * core has two workers, too: this is the cheaper way.
	 */
	done = is_easy(&e, v, n) && merge_parallel(v, n, spec->threads < 2 ? 2 : spec->threads, spec->piece,
	    spec->census && census_is_clean(spec->census) ? NULL : &watch, NULL, out, merged);
	order_count_merged(count, merged);
	order_release(&e.order);
	past_release(&e.past);
	for (unsigned i = 0; i < n; i++)
		free(e.used[i]);
	free(e.used);
	return done;
}
