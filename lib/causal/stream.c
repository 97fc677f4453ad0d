/*
 * Bytes on a channel: a receive stands behind the send of its last byte, however
 * sends were joined and split on the way.
 *
 * Records say how many bytes, and some also from which one on.  Where they do not,
 * bytes are counted from the record that opens the channel; what is not known from
 * its beginning has no constraint.  A receive of more than was sent shows that
 * something is missing: the channel is given up, which is reported once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "causal/idmap.h"
#include "causal/kind.h"

struct stream_send {
	struct node *node;		/* NULL once it is printed: then ENTRY says where */
	uint64_t emitter;
	int64_t t;
	int64_t end;			/* the byte behind its last one */
	int64_t len;
	struct index_entry entry;
};

struct stream_sends {
	struct stream_send *v;
	size_t n, cap;
};

/* Where one end of a channel says that it opens; OFF is the position in its source. */
struct stream_end {
	uint64_t emitter;
	int64_t t, off;
};

/* A channel from one opening to the next. */
struct stream_life {
	struct stream_end ends[2];
	unsigned n_ends;
	struct stream_sends sends;	/* by END */
	int64_t sent, received;		/* bytes so far */
	bool given_up;
};

struct stream_channel {
	struct stream_life **lives;	/* in the order in which they began */
	size_t n, cap;
	struct stream_sends early;	/* sends before any opening was read */
	const struct node *current;	/* the receive whose turn has come, and that is paired */
};

struct streams {
	struct kind_env env;
	struct idmap channels;		/* pointers */
};

enum { EARLY_MAX = 4096 };

static void *
stream_open(const struct kind_env *env)
{
	struct streams *s = xcalloc(1, sizeof *s);

	s->env = *env;
	return s;
}

static int64_t
stream_window(const struct rule *r)
{
	return r->kind == RULE_MESSAGE && r->match == MATCH_STREAM ? r->within_ns + 1 : 0;
}

static struct stream_channel *
channel_get(struct streams *s, uint64_t id)
{
	uint64_t *slot = idmap_put(&s->channels, id);

	if (!*slot)
		*slot = (uint64_t)(uintptr_t)xcalloc(1, sizeof(struct stream_channel));
	return (struct stream_channel *)(uintptr_t)*slot;
}

static uint64_t
missing_id(const struct constraint *x)
{
	return rule_tick_id(x->id, -3);
}

static uint64_t
emitter_of(const struct node *e)
{
	return hash_bytes(e->emitter, (const char *)&e->rank, sizeof e->rank);
}

/* SEND joins V at the place that its END asks for. */
static void
sends_add(struct stream_sends *v, const struct stream_send *send)
{
	size_t i;

	v->v = xgrow(v->v, v->n, &v->cap, sizeof *v->v);
	for (i = v->n++; i > 0 && v->v[i - 1].end > send->end; i--)
		v->v[i] = v->v[i - 1];
	v->v[i] = *send;
}

static struct stream_life *
life_new(struct stream_channel *c)
{
	c->lives = xgrow(c->lives, c->n, &c->cap, sizeof *c->lives);
	c->lives[c->n] = xcalloc(1, sizeof **c->lives);
	return c->lives[c->n++];
}

static void
life_send(struct stream_life *l, struct stream_send *send)
{
	l->sent += send->len;
	send->end = l->sent;
	sends_add(&l->sends, send);
}

static int64_t
time_apart(const struct stream_end *a, const struct stream_end *b)
{
	return a->t > b->t ? a->t - b->t : b->t - a->t;
}

/*
 * E opens C, as X says.  The other end of the same channel may have said so, or say
 * it later; but an end that says it twice opens it anew.
 */
static void
channel_opens(struct stream_channel *c, const struct node *e, const struct constraint *x)
{
	const struct stream_end end = { emitter_of(e), e->t, e->off };
	struct stream_life *l = NULL;

	for (size_t i = 0; i < c->n; i++) {
		struct stream_life *o = c->lives[i];

		if (o->n_ends == 1 && o->ends[0].emitter != end.emitter && time_apart(&o->ends[0], &end) <= x->n &&
		    (!l || time_apart(&o->ends[0], &end) < time_apart(&l->ends[0], &end)))
			l = o;
	}
	if (l) {
		l->ends[l->n_ends++] = end;
		return;
	}
	l = life_new(c);
	l->ends[l->n_ends++] = end;
	/* What another end said before may have been said of this opening. */
	for (size_t i = 0; i + 1 < c->n; i++) {
		struct stream_life *o = c->lives[i];

		if (o->n_ends == 2 && l->n_ends == 1 && o->ends[1].emitter != end.emitter &&
		    time_apart(&o->ends[1], &end) < time_apart(&o->ends[1], &o->ends[0]))
			l->ends[l->n_ends++] = o->ends[--o->n_ends];
	}
	for (size_t i = 0; i < c->early.n; i++)
		if (c->early.v[i].emitter != end.emitter && c->early.v[i].t >= e->t - x->n)
			life_send(l, &c->early.v[i]);
	c->early.n = 0;
}

static const struct stream_end *
end_of(const struct stream_life *l, uint64_t emitter)
{
	for (unsigned k = 0; k < l->n_ends; k++)
		if (l->ends[k].emitter == emitter)
			return &l->ends[k];
	return NULL;
}

/*
 * The opening of C that a send or receive of E is behind; NULL for none.  An emitter
 * that says when a channel opens says it each time; for others it is told by time.
 */
static struct stream_life *
life_of(const struct stream_channel *c, const struct node *e)
{
	const uint64_t emitter = emitter_of(e);
	struct stream_life *by_time = NULL;
	bool says = false;

	for (size_t i = c->n; i-- > 0;) {
		const struct stream_end *own = end_of(c->lives[i], emitter);

		if (own && own->off <= e->off)
			return c->lives[i];
		says |= own != NULL;
		if (!by_time && (i == 0 || c->lives[i]->n_ends == 0 || c->lives[i]->ends[0].t <= e->t))
			by_time = c->lives[i];
	}
	return says ? NULL : by_time;
}

static void
stream_admit(void *state, struct node *e, const struct constraint *x)
{
	struct streams *s = state;
	struct stream_channel *c = channel_get(s, x->id);
	struct stream_send send = { .node = e, .emitter = emitter_of(e), .t = e->t, .len = x->n, .end = x->n };
	struct stream_life *l;

	if (x->what == CONSTRAINT_STREAM_OPEN) {
		channel_opens(c, e, x);
		return;
	}
	if (x->what != CONSTRAINT_STREAM_SEND)
		return;
	l = x->absolute && c->n == 0 ? life_new(c) : life_of(c, e);
	if (l && x->absolute)
		sends_add(&l->sends, &send);
	else if (l)
		life_send(l, &send);
	else if (c->early.n < EARLY_MAX)
		sends_add(&c->early, &(struct stream_send){ .node = e, .emitter = send.emitter, .t = e->t, .len = x->n });
	if (s->env.live)
		dag_answer(s->env.dag, e, missing_id(x));
}

/* The send of the byte before END; NULL where it was not sent. */
static struct stream_send *
find_send(struct stream_sends *v, int64_t end)
{
	size_t lo = 0, hi = v->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->v[mid].end < end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < v->n ? &v->v[lo] : NULL;
}

/* Sends of bytes that were received are not looked for any more. */
static void
forget_received(struct stream_sends *v, int64_t end)
{
	size_t n = 0;

	while (n < v->n && !v->v[n].node && v->v[n].end < end)
		n++;
	if (n * 2 < v->n || n == 0)
		return;
	memmove(v->v, v->v + n, (v->n - n) * sizeof *v->v);
	v->n -= n;
}

/* The receive E is of bytes that were not sent. */
static void
lose_channel(struct streams *s, struct stream_life *l, struct node *e, const struct constraint *x)
{
	s->env.count->unmatched++;
	node_mark(e, "unmatched");
	l->given_up = !x->absolute;
	if (l->given_up && s->env.lost_channel)
		s->env.lost_channel(x->rule, e, s->env.cookie);
}

static void
stream_check_due(void *state, struct node *e, const struct constraint *x, bool again)
{
	struct streams *s = state;
	struct stream_channel *c;
	struct stream_life *l;
	struct stream_send *sent;
	int64_t end;

	if (x->what != CONSTRAINT_STREAM_RECV || again)
		return;
	c = channel_get(s, x->id);
	l = life_of(c, e);
	if (!l || l->given_up || c->current == e)
		return;
	end = x->absolute ? x->n : l->received + x->n;
	sent = find_send(&l->sends, end);
	if (!sent) {
		exchange_wait_once(s->env.exchange, e, missing_id(x), x);
		if (!e->judged)
			return;			/* it is asked once more */
		lose_channel(s, l, e, x);
	} else if (sent->node) {
		dag_wait_on(s->env.dag, e, sent->node, (enum constraint_class)x->class, x->rule);
	} else {
		dag_tell_sent(s->env.dag, e, &sent->entry, 0, (enum constraint_class)x->class, x->rule);
	}
	c->current = e;
	if (x->absolute)
		return;
	l->received = end;
	forget_received(&l->sends, end);
}

static bool
mark_printed(struct stream_sends *v, const struct node *e)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].node == e) {
			v->v[i].node = NULL;
			v->v[i].entry = (struct index_entry){ .state = INDEX_SENT, .source = e->rank, .where = e->where, .t = e->t };
			return true;
		}
	return false;
}

static void
stream_retire(void *state, struct node *e, const struct constraint *x)
{
	struct streams *s = state;
	struct stream_channel *c = channel_get(s, x->id);
	bool found = x->what != CONSTRAINT_STREAM_SEND || mark_printed(&c->early, e);

	if (c->current == e)
		c->current = NULL;
	for (size_t i = 0; !found && i < c->n; i++)
		found = mark_printed(&c->lives[i]->sends, e);
}

static void
channel_free(struct stream_channel *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->lives[i]->sends.v);
		free(c->lives[i]);
	}
	free(c->lives);
	free(c->early.v);
	free(c);
}

static void
stream_release(void *state)
{
	struct streams *s = state;

	for (size_t i = 0; i < s->channels.cap; i++)
		if (s->channels.v[i].id && s->channels.v[i].value)
			channel_free((struct stream_channel *)(uintptr_t)s->channels.v[i].value);
	idmap_release(&s->channels);
	free(s);
}

const struct kind stream_kind = {
	.name = "stream", .plans_due = true,
	.takes = KIND_TAKES(CONSTRAINT_STREAM_OPEN) | KIND_TAKES(CONSTRAINT_STREAM_SEND) | KIND_TAKES(CONSTRAINT_STREAM_RECV),
	.open = stream_open, .window_ns = stream_window, .admit = stream_admit,
	.check_due = stream_check_due, .retire = stream_retire, .release = stream_release,
};
