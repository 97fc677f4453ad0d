/*
 * Messages that have no number: the first receive of an id belongs to the first
 * send of it, the second to the second, and so on, for each receiving emitter.
 *
 * Sends and receives may be missing.  When the turn of a receive has come, all sends
 * up to WITHIN after it are known.  Sends that are more than WITHIN older are passed
 * over: their receives were lost.  If the next one is more than WITHIN later, the
 * receive belongs to none: its send was lost.  So counting also begins anywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "causal/idmap.h"
#include "causal/kind.h"

struct nth_send {
	struct node *node;		/* NULL once it is printed: then ENTRY says where */
	int64_t t;
	struct index_entry entry;
};

struct nth_receiver {
	uint64_t emitter;
	size_t next;			/* of the sends, counted from the first ever */
	const struct node *current;	/* its receive whose turn has come, and that is paired */
};

struct nth_channel {
	struct nth_send *v;		/* by time; V[0] is number BASE */
	size_t n, cap, base;
	struct nth_receiver *receivers;
	size_t n_receivers, receivers_cap;
	uint16_t rule;
};

/* What is reported of a rule. */
struct nth_count {
	int64_t pairs, lost_sends, lost_receives;
};

struct nths {
	struct kind_env env;
	struct idmap channels;		/* pointers */
	struct nth_count *counts;	/* by rule */
	size_t n_counts;
};

static void *
nth_open(const struct kind_env *env)
{
	struct nths *s = xcalloc(1, sizeof *s);

	s->env = *env;
	return s;
}

static int64_t
nth_window(const struct rule *r)
{
	return r->kind == RULE_MESSAGE && r->match == MATCH_NTH ? r->within_ns + 1 : 0;
}

static struct nth_channel *
channel_get(struct nths *s, const struct constraint *x)
{
	uint64_t *slot = idmap_put(&s->channels, x->id);
	struct nth_channel *c;

	if (*slot)
		return (struct nth_channel *)(uintptr_t)*slot;
	c = xcalloc(1, sizeof *c);
	c->rule = x->rule;
	*slot = (uint64_t)(uintptr_t)c;
	if (x->rule >= s->n_counts) {
		s->counts = xrealloc(s->counts, x->rule + 1U, sizeof *s->counts);
		memset(s->counts + s->n_counts, 0, (x->rule + 1U - s->n_counts) * sizeof *s->counts);
		s->n_counts = x->rule + 1U;
	}
	return c;
}

static struct nth_receiver *
receiver_get(struct nth_channel *c, const struct node *e)
{
	uint64_t emitter = hash_bytes(e->emitter, (const char *)&e->rank, sizeof e->rank);

	for (size_t i = 0; i < c->n_receivers; i++)
		if (c->receivers[i].emitter == emitter)
			return &c->receivers[i];
	c->receivers = xgrow(c->receivers, c->n_receivers, &c->receivers_cap, sizeof *c->receivers);
	c->receivers[c->n_receivers] = (struct nth_receiver){ .emitter = emitter, .next = c->base };
	return &c->receivers[c->n_receivers++];
}

/* The id by which a receive waits for a send that is missing (live). */
static uint64_t
missing_id(const struct constraint *x)
{
	return rule_tick_id(x->id, -2);
}

static bool
is_before(const struct nth_send *a, const struct node *e)
{
	struct sort_key mine = node_key(e), its;

	if (!a->node)
		return a->t <= e->t;
	its = node_key(a->node);
	return node_key_before(&its, &mine);
}

static void
nth_admit(void *state, struct node *e, const struct constraint *x)
{
	struct nths *s = state;
	struct nth_channel *c = channel_get(s, x);
	size_t i;

	if (x->what == CONSTRAINT_NTH_RECV)
		return;
	c->v = xgrow(c->v, c->n, &c->cap, sizeof *c->v);
	for (i = c->n; i > 0 && !is_before(&c->v[i - 1], e); i--)
		;
	memmove(c->v + i + 1, c->v + i, (c->n - i) * sizeof *c->v);
	c->v[i] = (struct nth_send){ .node = e, .t = e->t };
	c->n++;
	/* It comes too late for the receivers that are beyond it. */
	for (size_t k = 0; k < c->n_receivers; k++)
		c->receivers[k].next += c->receivers[k].next > c->base + i;
	if (s->env.live)
		dag_answer(s->env.dag, e, missing_id(x));
}

/* Sends that no receive of a record behind E can belong to. */
static void
forget_old(struct nth_channel *c, const struct node *e, int64_t within)
{
	size_t n = 0;

	while (n < c->n && !c->v[n].node && c->v[n].t < e->t - 2 * within)
		n++;
	if (n * 2 < c->n || n == 0)
		return;
	memmove(c->v, c->v + n, (c->n - n) * sizeof *c->v);
	c->n -= n;
	c->base += n;
	for (size_t k = 0; k < c->n_receivers; k++)
		if (c->receivers[k].next < c->base)
			c->receivers[k].next = c->base;
}

/* The send that the receive E belongs to, which R then has passed; NULL for none. */
static struct nth_send *
find_send(struct nths *s, struct nth_channel *c, struct nth_receiver *r, const struct node *e, int64_t within)
{
	while (r->next < c->base + c->n && c->v[r->next - c->base].t < e->t - within) {
		r->next++;
		s->counts[c->rule].lost_receives++;
	}
	if (r->next == c->base + c->n || c->v[r->next - c->base].t > e->t + within)
		return NULL;
	s->counts[c->rule].pairs++;
	return &c->v[r->next++ - c->base];
}

static void
nth_check_due(void *state, struct node *e, const struct constraint *x, bool again)
{
	struct nths *s = state;
	struct nth_channel *c;
	struct nth_receiver *r;
	struct nth_send *sent;

	if (x->what != CONSTRAINT_NTH_RECV || again || refutations_has(s->env.refutations, x->rule))
		return;
	c = channel_get(s, x);
	r = receiver_get(c, e);
	if (r->current == e)
		return;
	forget_old(c, e, x->n);
	sent = find_send(s, c, r, e, x->n);
	if (!sent && x->soft) {
		s->counts[c->rule].lost_sends++;
	} else if (!sent) {
		exchange_wait_once(s->env.exchange, e, missing_id(x), x);
		if (!e->judged)
			return;			/* it is asked once more */
		s->counts[c->rule].lost_sends++;
		s->env.count->unmatched++;
		node_mark(e, "unmatched");
	} else if (sent->node) {
		(x->soft ? dag_wait_softly : dag_wait_on)(s->env.dag, e, sent->node, (enum constraint_class)x->class, x->rule);
	} else {
		dag_tell_sent(s->env.dag, e, &sent->entry, 0, (enum constraint_class)x->class, x->rule);
	}
	r->current = e;
}

static void
nth_retire(void *state, struct node *e, const struct constraint *x)
{
	struct nths *s = state;
	struct nth_channel *c = channel_get(s, x);

	if (x->what == CONSTRAINT_NTH_RECV) {
		receiver_get(c, e)->current = NULL;
		if (x->soft)
			refutations_follow(s->env.refutations, x->rule);
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].node == e) {
			c->v[i].node = NULL;
			c->v[i].entry = (struct index_entry){ .state = INDEX_SENT, .source = e->rank, .where = e->where, .t = e->t };
			return;
		}
}

static void
nth_release(void *state)
{
	struct nths *s = state;

	for (size_t i = 0; i < s->n_counts && s->env.unsafe; i++) {
		const struct nth_count *k = &s->counts[i];

		if ((k->lost_sends + k->lost_receives) * 100 > k->pairs + k->lost_sends + k->lost_receives)
			s->env.unsafe((uint16_t)i, k->pairs, k->lost_sends, k->lost_receives, s->env.cookie);
	}
	for (size_t i = 0; i < s->channels.cap; i++) {
		struct nth_channel *c = (struct nth_channel *)(uintptr_t)s->channels.v[i].value;

		if (s->channels.v[i].id && c) {
			free(c->v);
			free(c->receivers);
			free(c);
		}
	}
	idmap_release(&s->channels);
	free(s->counts);
	free(s);
}

const struct kind nth_kind = {
	.name = "nth", .takes = KIND_TAKES(CONSTRAINT_NTH_SEND) | KIND_TAKES(CONSTRAINT_NTH_RECV), .plans_due = true,
	.open = nth_open, .window_ns = nth_window, .admit = nth_admit, .check_due = nth_check_due,
	.retire = nth_retire, .release = nth_release,
};
