#include <stdlib.h>

#include "base/xalloc.h"
#include "causal/cycle.h"
#include "causal/dependency.h"
#include "causal/planner.h"
#include "causal/scheduler.h"

struct bounds {
	struct node *node;
	int64_t late, early;
	unsigned open;		/* dependencies on nodes whose bounds are not known yet */
	size_t walk;		/* the last search for a cycle that came by */
};

struct planning {
	struct dag *dag;
	struct bounds *v;	/* of all nodes; a node's VISITED is its number */
	size_t n;
	size_t *sorted;		/* numbers, each behind what it waits for */
};

static struct bounds *
bounds_of(const struct planning *p, const struct node *e)
{
	return &p->v[vertex_of(e)->visited];
}

static void
list_nodes(struct planning *p, struct scheduler *s)
{
	p->v = xcalloc(dag_count(s->dag) + 1, sizeof *p->v);
	for (unsigned i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->queues[i]->nodes; k++) {
			struct node *e = queue_slot(s->queues[i], k)->node;

			vertex_of(e)->visited = p->n;
			p->v[p->n++] = (struct bounds){ e, e->t, e->t, vertex_of(e)->unmet, 0 };
		}
	p->sorted = xcalloc(p->n + 1, sizeof *p->sorted);
}

/* A dependency of B on a node whose bounds are not known; NULL for none. */
static struct dependency *
open_dependency(const struct planning *p, const struct bounds *b)
{
	for (struct dependency *d = vertex_of(b->node)->needs; d; d = d->mine)
		if (!d->done && d->predecessor && bounds_of(p, d->predecessor)->open)
			return d;
	return NULL;
}

/* From B on all nodes wait, so there is a cycle: its weakest dependency. */
static struct dependency *
weakest_dependency(const struct planning *p, struct bounds *b, size_t walk)
{
	struct dependency *d, *worst;
	struct bounds *start;

	while (b->walk != walk) {
		b->walk = walk;
		d = open_dependency(p, b);
		if (!d)
			return NULL;
		b = bounds_of(p, d->predecessor);
	}
	start = b;
	worst = open_dependency(p, b);
	do {
		d = open_dependency(p, b);
		worst = cycle_weaker(worst, d);
		b = bounds_of(p, d->predecessor);
	} while (b != start);
	return worst;
}

/* The bounds of B are known: those of its dependents are later than its. */
static size_t
pass_late(struct planning *p, const struct bounds *b, size_t known)
{
	for (struct dependency *d = vertex_of(b->node)->dependents; d; d = d->next) {
		struct bounds *x = bounds_of(p, d->waiter);

		if (d->done)
			continue;
		if (b->late > x->late)
			x->late = b->late;
		if (--x->open == 0)
			p->sorted[known++] = (size_t)(x - p->v);
	}
	return known;
}

/* Sort the nodes so that each is behind what it waits for; the weakest dependency of each cycle is dropped. */
static size_t
sort(struct planning *p)
{
	size_t done = 0, known = 0, walk = 0, i = 0;

	for (size_t j = 0; j < p->n; j++)
		if (p->v[j].open == 0)
			p->sorted[known++] = j;
	while (done < p->n) {
		struct dependency *d;
		struct bounds *b;

		if (done < known) {
			known = pass_late(p, &p->v[p->sorted[done++]], known);
			continue;
		}
		while (p->v[i].open == 0)
			i++;
		d = weakest_dependency(p, &p->v[i], ++walk);
		if (!d)
			break;
		b = bounds_of(p, d->waiter);
		dag_drop(p->dag, d);
		if (--b->open == 0)
			p->sorted[known++] = (size_t)(b - p->v);
	}
	return done;
}

/* In reverse: the key of each node lies between its bounds. */
static void
set_keys(struct planning *p, size_t n)
{
	while (n-- > 0) {
		struct bounds *b = &p->v[p->sorted[n]];

		for (struct dependency *d = vertex_of(b->node)->dependents; d; d = d->next)
			if (!d->done && bounds_of(p, d->waiter)->early < b->early)
				b->early = bounds_of(p, d->waiter)->early;
		b->node->key.t = b->early + (b->late - b->early) / 2;
	}
}

/* Constraints that are otherwise found when a record is due. */
static void
add_due_constraints(struct scheduler *s)
{
	for (unsigned k = 0; k < KINDS; k++)
		if (s->states[k] && kind_table[k]->plan)
			kind_table[k]->plan(s->states[k]);
	for (unsigned i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->queues[i]->nodes; k++) {
			struct node *e = queue_slot(s->queues[i], k)->node;

			for (size_t j = 0; j < e->n; j++) {
				const unsigned kind = kind_of(&s->kinds, &e->v[j]);

				if (kind_table[kind]->plans_due)
					kind_table[kind]->check_due(s->states[kind], e, &e->v[j], false);
			}
		}
}

void
planner_run(struct scheduler *s)
{
	struct planning p = { .dag = s->dag };
	struct node *e;
	size_t n;

	scheduler_look_ahead(s, QUEUE_FAR_NS);
	add_due_constraints(s);
	while ((e = dag_first_blocked(s->dag)))
		exchange_give_up(s->exchange, e, "unmatched");
	list_nodes(&p, s);
	set_keys(&p, sort(&p));
	/* The keys have changed, so the heap is none any more. */
	n = s->dag->ready.n;
	s->dag->ready.n = 0;
	for (size_t i = 0; i < n; i++)
		heap_ready_push(&s->dag->ready, s->dag->ready.v[i]);
	for (size_t i = 0; i < p.n; i++)
		vertex_of(p.v[i].node)->visited = 0;
	s->dag->visit = 0;
	free(p.sorted);
	free(p.v);
}
