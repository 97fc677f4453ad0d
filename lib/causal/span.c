/*
 * Spans: a child's beginning stands behind its parent's, which is a message; and
 * a span's end behind the ends of its children.
 *
 * Children are known by their beginnings.  The end of a span waits for those
 * that began by the time its turn has come, or would have by their time, and
 * have not ended.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/idmap.h"
#include "causal/kind.h"

/* A child that is open: its end, as an id; its beginning, while that is not printed, and the time of that. */
struct span_child {
	uint64_t end;
	const struct node *begin;
	int64_t t;
	bool asked;		/* the end of its parent waits for it, or did */
};

struct span_children {
	struct span_child *v;		/* that are open */
	struct index_entry *ended;	/* where the ends of the others are */
	size_t n, cap, n_ended, ended_cap;
};

struct spans {
	struct kind_env env;
	struct idmap children;	/* of each span: pointers */
	struct idmap parents;	/* by the id that a child's end sends */
};

static bool
is_any(uint64_t id, uint64_t value, void *cookie)
{
	(void)id;
	(void)cookie;
	return value != 0;
}

static void *
span_open(const struct kind_env *env)
{
	struct spans *s = xcalloc(1, sizeof *s);

	s->env = *env;
	s->children.keep = s->parents.keep = is_any;
	return s;
}

static struct span_children *
children_find(const struct spans *s, uint64_t span)
{
	const uint64_t *slot = idmap_find(&s->children, span);

	return slot ? (struct span_children *)(uintptr_t)*slot : NULL;
}

static void
child_begins(struct spans *s, const struct node *e, const struct constraint *x)
{
	uint64_t *slot = idmap_put(&s->children, x->id), end = (uint64_t)x->n;
	struct span_children *c;

	if (!*slot)
		*slot = (uint64_t)(uintptr_t)xcalloc(1, sizeof *c);
	c = (struct span_children *)(uintptr_t)*slot;
	slot = idmap_put(&s->parents, end);
	if (*slot)
		return;			/* the first beginning counts */
	*slot = x->id;
	c->v = xgrow(c->v, c->n, &c->cap, sizeof *c->v);
	c->v[c->n++] = (struct span_child){ end, e, e->t, false };
}

/* The beginning E of a child is printed. */
static void
child_began(struct spans *s, const struct node *e, const struct constraint *x)
{
	struct span_children *c = children_find(s, x->id);

	for (size_t i = 0; c && i < c->n; i++)
		if (c->v[i].begin == e)
			c->v[i].begin = NULL;
}

/* The child whose end E sends END is over. */
static void
child_ended(struct spans *s, const struct node *e, uint64_t end)
{
	uint64_t *parent = idmap_find(&s->parents, end);
	struct span_children *c;

	if (!parent || !*parent)
		return;
	c = children_find(s, *parent);
	*parent = 0;
	for (size_t i = 0; c && i < c->n; i++)
		if (c->v[i].end == end) {
			c->v[i] = c->v[--c->n];
			c->ended = xgrow(c->ended, c->n_ended, &c->ended_cap, sizeof *c->ended);
			c->ended[c->n_ended++] = (struct index_entry){ .id = end, .state = INDEX_SENT, .source = e->rank,
			    .where = e->where };
			break;
		}
}

static void
children_free(struct span_children *c)
{
	free(c->v);
	free(c->ended);
	free(c);
}

static void
span_ended(struct spans *s, uint64_t span)
{
	uint64_t *slot = idmap_find(&s->children, span);
	struct span_children *c = slot ? (struct span_children *)(uintptr_t)*slot : NULL;

	if (!c)
		return;
	*slot = 0;
	children_free(c);
}

static void
span_admit(void *state, struct node *e, const struct constraint *x)
{
	struct spans *s = state;

	if (x->what == CONSTRAINT_CHILD)
		child_begins(s, e, x);
	else if (x->what == CONSTRAINT_SEND)
		exchange_send(s->env.exchange, e, x->id);
}

/* The end E of a span waits for the ends of its children. */
static void
span_check_due(void *state, struct node *e, const struct constraint *x, bool again)
{
	struct spans *s = state;
	struct span_children *c = x->what == CONSTRAINT_END ? children_find(s, x->id) : NULL;

	for (size_t i = 0; c && !again && i < c->n_ended; i++)
		dag_tell_sent(s->env.dag, e, &c->ended[i], c->ended[i].id, CONSTRAINT_SPAN, x->rule);
	for (size_t i = 0; c && i < c->n; i++) {
		struct span_child *k = &c->v[i];

		if (k->asked || (k->begin && k->t > e->t))
			continue;
		k->asked = true;
		exchange_need(s->env.exchange, e, k->end, CONSTRAINT_SPAN, x->rule, false);
	}
}

static void
span_retire(void *state, struct node *e, const struct constraint *x)
{
	struct spans *s = state;

	if (x->what == CONSTRAINT_CHILD) {
		child_began(s, e, x);
	} else if (x->what == CONSTRAINT_END) {
		span_ended(s, x->id);
	} else if (x->what == CONSTRAINT_SEND) {
		child_ended(s, e, x->id);
		dag_sent(s->env.dag, e, x->id);
	}
}

static void
span_release(void *state)
{
	struct spans *s = state;

	for (size_t i = 0; i < s->children.cap; i++) {
		struct span_children *c = (struct span_children *)(uintptr_t)s->children.v[i].value;

		if (s->children.v[i].id && c) {
			children_free(c);
		}
	}
	idmap_release(&s->children);
	idmap_release(&s->parents);
	free(s);
}

/* A child needs to be known to end. */
static void
span_ids(const struct constraint *x, uint64_t *sent, uint64_t *needed)
{
	if (x->what == CONSTRAINT_SEND)
		*sent = x->id;
	else if (x->what == CONSTRAINT_CHILD)
		*needed = (uint64_t)x->n;
}

static void
span_clock(struct clockmodel *m, const struct clockmodel_stamp *at, const struct constraint *x)
{
	struct clockmodel_stamp end = *at;

	/* N is how long it took, which a log may say as it likes */
	if ((x->what == CONSTRAINT_SPAN_END || x->what == CONSTRAINT_CHILD_END) &&
	    __builtin_add_overflow(at->t, x->n, &end.t))
		return;
	if (x->what == CONSTRAINT_SPAN_END) {
		clockmodel_end(m, &end, x->id);
	} else if (x->what == CONSTRAINT_CHILD_END) {
		clockmodel_span_child_end(m, &end, x->id);
	} else if (x->what == CONSTRAINT_CHILD) {
		clockmodel_child(m, (uint64_t)x->n, x->id);
	} else if (x->what == CONSTRAINT_END) {
		clockmodel_end(m, at, x->id);
	} else {
		clockmodel_child_end(m, at, x->id);
		clockmodel_sent(m, at, x->id);
	}
}

/* The ends of spans. */
static bool
span_asks(const struct rule *r)
{
	return r->kind == RULE_SPAN && r->send;
}

const struct kind span_kind = {
	.name = "span", .takes = KIND_TAKES(CONSTRAINT_CHILD) | KIND_TAKES(CONSTRAINT_END),
	.takes_of_spans = KIND_TAKES(CONSTRAINT_SEND) | KIND_TAKES(CONSTRAINT_CHILD) | KIND_TAKES(CONSTRAINT_END) |
	    KIND_TAKES(CONSTRAINT_SPAN_END) | KIND_TAKES(CONSTRAINT_CHILD_END),
	.plans_due = true, .ids = span_ids, .note_clock = span_clock, .asks = span_asks,
	.open = span_open, .admit = span_admit, .check_due = span_check_due, .retire = span_retire,
	.release = span_release,
};
