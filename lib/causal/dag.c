#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "causal/dependency.h"

struct dag *
dag_new(struct index *index, const struct dag_callbacks *cb, bool advance, bool live)
{
	struct dag *g = xcalloc(1, sizeof *g);

	g->index = index;
	g->cb = *cb;
	g->advance = advance;
	g->live = live;
	return g;
}

void
dag_free(struct dag *g)
{
	struct vertex *v;
	struct dependency *d;

	if (!g)
		return;
	while ((v = g->free_vertices)) {
		g->free_vertices = (struct vertex *)(uintptr_t)v->dependents;
		free(v->node.own.v);
		free(v->node.relations.v);
		free(v);
	}
	while ((d = g->free_dependencies)) {
		g->free_dependencies = d->next;
		free(d);
	}
	free(g->ready.v);
	free(g->blocked.v);
	free(g->suspects.v);
	free(g->spread);
	free(g->path);
	free(g);
}

struct node *
dag_add(struct dag *g)
{
	struct vertex *v = g->free_vertices;
	struct constraints own = { NULL, 0, 0 };
	struct relations relations = { NULL, 0, 0 };

	if (v) {
		g->free_vertices = (struct vertex *)(uintptr_t)v->dependents;
		own = v->node.own;
		relations = v->node.relations;
	} else {
		v = xcalloc(1, sizeof *v);
	}
	memset(v, 0, sizeof *v);
	v->node.own = (struct constraints){ own.v, 0, own.cap };
	v->node.relations = (struct relations){ relations.v, 0, relations.cap };
	v->serial = ++g->serial;
	g->n++;
	return &v->node;
}

void
dag_enter(struct dag *g, struct node *e)
{
	struct vertex *v = vertex_of(e);

	v->entered = true;
	if (v->unmet == 0)
		heap_ready_push(&g->ready, e);
}

static void
forget_needs(struct dag *g, struct vertex *v)
{
	for (struct dependency *d = v->needs, *next; d; d = next) {
		next = d->mine;
		if (d->embedded)
			continue;
		d->next = g->free_dependencies;
		g->free_dependencies = d;
	}
	v->needs = NULL;
}

void
dag_retire(struct dag *g, struct node *e)
{
	struct vertex *v = vertex_of(e);

	if (v->heap)
		heap_ready_remove(&g->ready, e);
	forget_needs(g, v);
	free(e->reason);
	e->reason = NULL;
	v->serial = 0;
	v->dependents = (struct dependency *)(uintptr_t)g->free_vertices;
	g->free_vertices = v;
	g->n--;
}

static void
blocked_enter(struct dag *g, struct node *e)
{
	heap_blocked_push(&g->blocked, &(struct blocked){ g->live ? e->awaits_ms : e->t, e->off, e->rank, e,
	    vertex_of(e)->serial });
}

void
dag_suspect(struct dag *g, struct node *e, bool now)
{
	heap_blocked_push(&g->suspects, &(struct blocked){ now ? INT64_MIN : e->t, e->off, e->rank, e, vertex_of(e)->serial });
}

static struct dependency *
dependency_new(struct dag *g, struct node *e, uint64_t id, enum constraint_class class, uint16_t rule)
{
	struct vertex *v = vertex_of(e);
	struct dependency *d = g->free_dependencies;
	bool embedded = class == CONSTRAINT_PROGRAM && !v->program.waiter;

	if (embedded)
		d = &v->program;
	else if (d)
		g->free_dependencies = d->next;
	else
		d = xcalloc(1, sizeof *d);
	*d = (struct dependency){ .waiter = e, .id = id, .class = (uint8_t)class, .rule = rule, .mine = v->needs,
	    .embedded = embedded };
	v->needs = d;
	if (v->heap)
		heap_ready_remove(&g->ready, e);
	v->unmet++;
	if (g->cb.waits)
		g->cb.waits(e, g->cb.cookie);
	return d;
}

/* P moves to the key of its dependent BY, unless its time is too exact for that; false where it does not move. */
static bool
advance(struct dag *g, struct node *p, const struct node *by)
{
	if (p->t - by->key.t >= p->res || node_key_before(&p->key, &by->key))
		return false;
	p->key = by->key;
	p->key.depth--;
	if (vertex_of(p)->heap)
		heap_ready_rise(&g->ready, p);
	return true;
}

/* Call MOVE for the predecessors of P, for theirs where it returns true, and so on; each is left once. */
static void
visit_predecessors(struct dag *g, struct node *p, bool (*move)(struct dag *g, struct node *to, const struct node *from))
{
	size_t n = 0;

	g->visit++;
	for (;;) {
		vertex_of(p)->visited = g->visit;
		for (struct dependency *d = vertex_of(p)->needs; d; d = d->mine) {
			struct node *to = d->predecessor;

			if (d->done || !to || vertex_of(to)->visited == g->visit || !move(g, to, p))
				continue;
			g->spread = xgrow(g->spread, n, &g->spread_cap, sizeof *g->spread);
			g->spread[n++] = to;
		}
		if (n == 0)
			return;
		p = g->spread[--n];
	}
}

/* D waits for PREDECESSOR. */
static void
resolve(struct dag *g, struct dependency *d, struct node *predecessor)
{
	struct vertex *p = vertex_of(predecessor);

	d->predecessor = predecessor;
	d->next = p->dependents;
	p->dependents = d;
	if (!g->advance)
		return;
	if (advance(g, predecessor, d->waiter))
		visit_predecessors(g, predecessor, advance);
	/* A cycle is closed only by a waiter that has dependents and a predecessor that waits. */
	if (vertex_of(d->waiter)->dependents && p->unmet)
		dag_suspect(g, d->waiter, true);
}

void
dag_wait_on(struct dag *g, struct node *e, struct node *before, enum constraint_class class, uint16_t rule)
{
	resolve(g, dependency_new(g, e, 0, class, rule), before);
}

void
dag_wait_softly(struct dag *g, struct node *e, struct node *before, enum constraint_class class, uint16_t rule)
{
	struct dependency *d = dependency_new(g, e, 0, class, rule);

	d->quiet = true;
	resolve(g, d, before);
}

const struct index_entry *
dag_entry(const struct dag *g, uint64_t id)
{
	return index_find(g->index, id);
}

bool
dag_is_sent(struct dag *g, const struct node *e, uint64_t id)
{
	struct index_entry *x = index_find(g->index, id);

	if (!x || x->state != INDEX_SENT)
		return false;
	if (index_is_sent(g->index, x, e->t))
		return true;
	index_forget(g->index, x);
	return false;
}

void
dag_tell_sent(struct dag *g, struct node *e, const struct index_entry *x, uint64_t id, enum constraint_class class,
    uint16_t rule)
{
	if (g->cb.sent && x && x->state == INDEX_SENT)
		g->cb.sent(e, x, id, class, rule, g->cb.cookie);
}

void
dag_wait_on_id(struct dag *g, struct node *e, uint64_t id, enum constraint_class class, uint16_t rule, bool quiet)
{
	struct index_entry *x;
	struct dependency *d;

	if (dag_is_sent(g, e, id)) {
		dag_tell_sent(g, e, index_find(g->index, id), id, class, rule);
		return;
	}
	x = index_put(g->index, id);
	if (x->state == INDEX_ADMITTED && x->node == e)
		return;
	d = dependency_new(g, e, id, class, rule);
	d->quiet = quiet;
	if (x->state == INDEX_ADMITTED) {
		resolve(g, d, x->node);
		return;
	}
	d->next = x->state == INDEX_WANTED ? x->first : NULL;
	x->first = d;
	x->state = INDEX_WANTED;
	blocked_enter(g, e);
}

static bool
waits_for_present(const struct node *e)
{
	for (const struct dependency *d = vertex_of(e)->needs; d; d = d->mine)
		if (!d->done && d->predecessor)
			return true;
	return false;
}

void
dag_settle(struct dag *g, struct dependency *d)
{
	struct node *e = d->waiter;
	struct vertex *v = vertex_of(e);

	if (d->done)
		return;
	d->done = true;
	if (--v->unmet == 0) {
		if (v->entered)
			heap_ready_push(&g->ready, e);
	} else if (v->deferred && !waits_for_present(e)) {
		v->deferred = false;
		blocked_enter(g, e);
	}
}

/* D is not among the dependents of its predecessor any more. */
static void
leave_predecessor(struct dependency *d)
{
	for (struct dependency **p = &vertex_of(d->predecessor)->dependents; *p; p = &(*p)->next)
		if (*p == d) {
			*p = d->next;
			break;
		}
	d->predecessor = NULL;
}

void
dag_drop(struct dag *g, struct dependency *d)
{
	if (!d->quiet)
		node_mark(d->waiter, "cycle");
	if (g->cb.dropped)
		g->cb.dropped(&(struct dag_dropped){ d->predecessor, d->waiter, (enum constraint_class)d->class, d->rule,
		    d->quiet }, g->cb.cookie);
	leave_predecessor(d);
	dag_settle(g, d);
}

static void
settle_all(struct dag *g, struct dependency *d)
{
	for (struct dependency *next; d; d = next) {
		next = d->next;
		dag_settle(g, d);
	}
}

/* The list D of dependencies waited for E. */
static void
settle_waiters(struct dag *g, struct node *e, struct dependency *d)
{
	for (struct dependency *next; d; d = next) {
		next = d->next;
		if (d->waiter == e)
			dag_settle(g, d);
		else if (!d->done)
			resolve(g, d, e);
	}
}

void
dag_answer(struct dag *g, struct node *e, uint64_t id)
{
	struct index_entry *x = index_find(g->index, id);

	if (!x || x->state != INDEX_WANTED)
		return;
	x->state = INDEX_NONE;
	settle_waiters(g, e, x->first);
}

/* P goes to where those that still wait for it want it, or back to its own key. */
static bool
go_back(struct dag *g, struct node *p, const struct node *from)
{
	bool ready = vertex_of(p)->heap;

	(void)from;
	if (ready)
		heap_ready_remove(&g->ready, p);
	p->key = node_key(p);
	for (struct dependency *d = vertex_of(p)->dependents; d; d = d->next)
		if (!d->done)
			advance(g, p, d->waiter);
	if (ready)
		heap_ready_push(&g->ready, p);
	return true;
}

/* Not PROVIDER but E counts as the sender of ID. */
static void
provide_instead(struct dag *g, struct node *provider, struct node *e, uint64_t id)
{
	bool any = false;

	for (struct dependency **p = &vertex_of(provider)->dependents, *d; (d = *p);) {
		if (d->done || d->id != id) {
			p = &d->next;
			continue;
		}
		*p = d->next;
		any = true;
		if (d->waiter == e) {
			d->predecessor = NULL;
			dag_settle(g, d);
		} else {
			resolve(g, d, e);
		}
	}
	if (any && g->advance) {
		go_back(g, provider, NULL);
		visit_predecessors(g, provider, go_back);
	}
}

bool
dag_send(struct dag *g, struct node *e, uint64_t id)
{
	struct dependency *d;
	struct index_entry *x;

	if (dag_is_sent(g, e, id))
		return false;
	x = index_put(g->index, id);
	if (x->state == INDEX_ADMITTED) {
		struct node *other = x->node;
		struct sort_key mine = node_key(e), its = node_key(other);

		if (node_key_before(&mine, &its)) {
			x->node = e;
			provide_instead(g, other, e, id);
		}
		return false;
	}
	d = x->state == INDEX_WANTED ? x->first : NULL;
	x->state = INDEX_ADMITTED;
	x->node = e;
	settle_waiters(g, e, d);
	return true;
}

void
dag_sent(struct dag *g, struct node *e, uint64_t id)
{
	struct index_entry *x = index_put(g->index, id);

	if (x->state == INDEX_ADMITTED && x->node != e)		/* E is the first after all */
		provide_instead(g, x->node, e, id);
	else if (x->state == INDEX_WANTED)			/* it is sent again, and the first time is forgotten */
		settle_all(g, x->first);
	index_set_sent(g->index, x, e->t, e->rank, e->where);
}

void
dag_waive(struct dag *g, uint64_t id)
{
	struct index_entry *x = index_find(g->index, id);

	if (!x || x->state != INDEX_WANTED)
		return;
	x->state = INDEX_NONE;
	settle_all(g, x->first);
}

void
dag_print(struct dag *g, struct node *e)
{
	struct vertex *v = vertex_of(e);

	if (v->heap)
		heap_ready_remove(&g->ready, e);
	for (struct dependency *d = v->dependents, *next; d; d = next) {
		next = d->next;
		if (g->cb.met && !d->done && d->class != CONSTRAINT_PROGRAM)
			g->cb.met(d->waiter, e, d->id, (enum constraint_class)d->class, d->rule, g->cb.cookie);
		dag_settle(g, d);
		d->predecessor = NULL;
	}
	v->dependents = NULL;
	forget_needs(g, v);
}

struct node *
dag_first(const struct dag *g)
{
	return g->ready.n ? g->ready.v[0] : NULL;
}

struct node *const *
dag_ready(const struct dag *g, size_t *n)
{
	*n = g->ready.n;
	return g->ready.v;
}

bool
dag_is_ready(const struct node *e)
{
	return vertex_of(e)->heap != 0;
}

bool
dag_is_blocked(const struct node *e)
{
	return vertex_of(e)->unmet != 0;
}

size_t
dag_count(const struct dag *g)
{
	return g->n;
}

static bool
needs_absent(const struct node *e)
{
	for (const struct dependency *d = vertex_of(e)->needs; d; d = d->mine)
		if (!d->done && !d->predecessor)
			return true;
	return false;
}

struct node *
dag_first_blocked(struct dag *g)
{
	while (g->blocked.n) {
		struct blocked *x = &g->blocked.v[1];

		if (vertex_of(x->node)->serial == x->serial && needs_absent(x->node))
			return x->node;
		heap_blocked_pop(&g->blocked);
	}
	return NULL;
}

int64_t
dag_first_blocked_at(const struct dag *g)
{
	return g->blocked.v[1].t;
}

bool
dag_requeue(struct dag *g, struct node *e, int64_t ns)
{
	if (g->blocked.v[1].t >= ns)
		return false;
	heap_blocked_pop(&g->blocked);
	heap_blocked_push(&g->blocked, &(struct blocked){ ns, e->off, e->rank, e, vertex_of(e)->serial });
	return true;
}

bool
dag_defer(struct dag *g, struct node *e)
{
	if (!waits_for_present(e))
		return false;
	vertex_of(e)->deferred = true;
	heap_blocked_pop(&g->blocked);
	return true;
}

uint64_t
dag_absent_id(const struct node *e, unsigned i)
{
	for (const struct dependency *d = vertex_of(e)->needs; d; d = d->mine)
		if (!d->done && !d->predecessor && i-- == 0)
			return d->id;
	return 0;
}

/* D is not among those that wait for its id any more. */
static void
leave_wanted(struct dag *g, struct dependency *d)
{
	struct index_entry *x = index_find(g->index, d->id);
	struct dependency **p;

	if (!x || x->state != INDEX_WANTED)
		return;
	for (p = &x->first; *p && *p != d; p = &(*p)->next)
		;
	if (*p)
		*p = d->next;
	if (!x->first)
		x->state = INDEX_NONE;
}

unsigned
dag_give_up(struct dag *g, struct node *e, const char *mark, dag_left_fn *lost, void *cookie)
{
	unsigned n = 0;

	for (struct dependency *d = vertex_of(e)->needs; d; d = d->mine) {
		if (d->done || d->predecessor)
			continue;
		leave_wanted(g, d);
		if (!d->quiet && !index_is_forgotten(g->index, d->id)) {
			e->given_up = true;
			lost(&(struct dag_left){ e, NULL, d->id, (enum constraint_class)d->class, d->rule }, cookie);
			node_mark(e, mark);
			n++;
		} else if (!d->quiet && g->cb.sent) {
			g->cb.sent(e, NULL, d->id, (enum constraint_class)d->class, d->rule, g->cb.cookie);
		}
		dag_settle(g, d);
	}
	return n;
}

void
dag_leave(struct dag *g, struct node *e, dag_left_fn *left, void *cookie)
{
	for (struct dependency *d = vertex_of(e)->needs; d; d = d->mine) {
		struct node *predecessor = d->predecessor;

		if (d->done)
			continue;
		if (predecessor)
			leave_predecessor(d);
		else
			leave_wanted(g, d);
		left(&(struct dag_left){ e, predecessor, d->id, (enum constraint_class)d->class, d->rule }, cookie);
		dag_settle(g, d);
	}
}
