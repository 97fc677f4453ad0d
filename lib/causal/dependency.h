/*
 * dependency - the inside of causal/dag, shared by what searches it: the graph
 * itself, cycles and the planner of --order=minimax.
 */
#ifndef CAUSAL_DEPENDENCY_H
#define CAUSAL_DEPENDENCY_H

#include "causal/dag.h"

/* WAITER stands behind PREDECESSOR, or behind the record that sends ID: PREDECESSOR is then NULL. */
struct dependency {
	struct node *waiter, *predecessor;
	struct dependency *next;	/* of the dependents of the same predecessor or absent id */
	struct dependency *mine;	/* of the same waiter */
	uint64_t id;
	uint16_t rule;
	uint8_t class;
	bool done;
	bool quiet;
	bool embedded;			/* the one of program order, which lives in its vertex */
};

/* A node with what the graph knows of it; the node comes first. */
struct vertex {
	struct node node;
	struct dependency *needs, *dependents;
	struct dependency program;
	unsigned unmet;			/* of NEEDS */
	bool entered;
	bool deferred;
	size_t heap;			/* its place among the ready ones, from 1; 0: not ready */
	uint64_t serial;		/* differs for each use of the memory */
	uint64_t visited;		/* by a search */
	struct dependency *via;		/* which dependency the search came by */
};

static inline struct vertex *
vertex_of(const struct node *e)
{
	return (struct vertex *)(uintptr_t)e;
}

/* Blocked nodes by a time; those that are gone or ready since are still in it. */
struct blocked {
	int64_t t, off;
	unsigned rank;
	struct node *node;
	uint64_t serial;
};

struct blocked_heap {
	struct blocked *v;		/* from 1 on */
	size_t n, cap;
};

void heap_blocked_push(struct blocked_heap *h, const struct blocked *x);
void heap_blocked_pop(struct blocked_heap *h);

/* Ready nodes by key. */
struct ready_heap {
	struct node **v;
	size_t n, cap;
};

void heap_ready_push(struct ready_heap *h, struct node *e);
void heap_ready_remove(struct ready_heap *h, struct node *e);

/* The key of E became an earlier one. */
void heap_ready_rise(struct ready_heap *h, struct node *e);

struct dag {
	struct index *index;
	struct dag_callbacks cb;
	bool advance, live;
	struct ready_heap ready;
	struct blocked_heap blocked;	/* nodes with an absent predecessor */
	struct blocked_heap suspects;	/* nodes that may stand in a cycle, by when that is searched */
	struct vertex *free_vertices;
	struct dependency *free_dependencies;
	struct node **spread;		/* stacks of searches */
	struct node **path;
	size_t spread_cap, path_cap;
	uint64_t serial, visit;
	size_t n;			/* nodes */
};

/* D does not count any more, which is reported. */
void dag_drop(struct dag *g, struct dependency *d);

/* D is met, or does not matter any more. */
void dag_settle(struct dag *g, struct dependency *d);

/* Search for a cycle that E stands in: as soon as can be, or when a later record may be printed. */
void dag_suspect(struct dag *g, struct node *e, bool now);

#endif
