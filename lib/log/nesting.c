/*
 * Nesting of log/node.h: a span's end stands behind the ends of its children.
 *
 * Who the children are is told by their beginnings.  What they wait for is
 * known when the turn of their parent's end has come: those that have begun by
 * then, or would have by their time, and have not ended.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "log/node.h"

/* The end, as an id, of an open child of a span; its beginning, while that is not out, and the time of that. */
struct child {
	uint64_t end;
	const struct node *begin;
	int64_t t;
	bool asked;		/* its parent's end waits for it, or did */
};

struct children {
	struct child *v;
	size_t n, cap;
};

void
nesting_enter(struct order *o, struct node *e, const struct constraint *edge)
{
	uint64_t *slot = ids_put(&o->children, edge->id), end = (uint64_t)edge->n;
	struct children *c;

	if (!*slot)
		*slot = (uint64_t)(uintptr_t)xcalloc(1, sizeof *c);
	c = (struct children *)(uintptr_t)*slot;
	slot = ids_put(&o->parents, end);
	if (*slot)
		return;			/* its first beginning counts */
	*slot = edge->id;
	c->v = xgrow(c->v, c->n, &c->cap, sizeof *c->v);
	c->v[c->n++] = (struct child){ end, e, e->r.t, false };
}

void
nesting_begun(struct order *o, const struct node *e, const struct constraint *edge)
{
	const uint64_t *slot = ids_find(&o->children, edge->id);
	struct children *c = slot ? (struct children *)(uintptr_t)*slot : NULL;

	for (size_t i = 0; c && i < c->n; i++)
		if (c->v[i].begin == e)
			c->v[i].begin = NULL;
}

void
nesting_end(struct order *o, struct node *e, const struct constraint *edge)
{
	const uint64_t *slot = ids_find(&o->children, edge->id);
	struct children *c = slot ? (struct children *)(uintptr_t)*slot : NULL;

	for (size_t i = 0; c && i < c->n; i++) {
		struct child *x = &c->v[i];

		if (x->asked || (x->begin && x->t > e->r.t))
			continue;
		x->asked = true;
		order_need(o, e, x->end, CONSTRAINT_SPAN, edge->rule, false);
	}
}

/* The span whose end is ID is over. */
static void
leave_parent(struct order *o, uint64_t id)
{
	uint64_t *parent = ids_find(&o->parents, id), *slot;
	struct children *c;

	if (!parent || !*parent)
		return;
	slot = ids_find(&o->children, *parent);
	*parent = 0;
	c = slot ? (struct children *)(uintptr_t)*slot : NULL;
	for (size_t i = 0; c && i < c->n; i++)
		if (c->v[i].end == id) {
			c->v[i] = c->v[--c->n];
			break;
		}
}

void
nesting_leave(struct order *o, const struct constraint *edge)
{
	uint64_t *slot;
	struct children *c;

	if (edge->what == CONSTRAINT_SEND) {
		leave_parent(o, edge->id);
		return;
	}
	slot = ids_find(&o->children, edge->id);
	c = slot ? (struct children *)(uintptr_t)*slot : NULL;
	if (!c)
		return;
	*slot = 0;
	free(c->v);
	free(c);
}

/* What is nothing any more need not be remembered. */
static bool
is_any(uint64_t id, uint64_t value, void *cookie)
{
	(void)id;
	(void)cookie;
	return value != 0;
}

void
nesting_init(struct order *o)
{
	o->children.keep = o->parents.keep = is_any;
}

void
nesting_release(struct order *o)
{
	for (size_t i = 0; i < o->children.cap; i++) {
		struct children *c = (struct children *)(uintptr_t)o->children.v[i].value;

		if (o->children.v[i].id && c) {
			free(c->v);
			free(c);
		}
	}
	ids_release(&o->children);
	ids_release(&o->parents);
}
