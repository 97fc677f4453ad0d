/*
 * cycle - nodes of causal/dag that wait for themselves.
 *
 * The weakest dependency of a cycle is dropped: the one of the weakest class, and
 * of these the one that the times contradict most.
 */
#ifndef CAUSAL_CYCLE_H
#define CAUSAL_CYCLE_H

#include "causal/dag.h"

struct dependency;

/*
 * Some nodes wait for themselves: drop the weakest dependency of one cycle.
 * false: no cycle was found.  NEXT gives all nodes, from 0 on, NULL at the end.
 */
bool cycle_break(struct dag *g, struct node *(*next)(size_t i, void *cookie), void *cookie);

/* The same for a cycle that may have been closed since, before a record with the key TOP is printed (NULL: none can be). */
bool cycle_break_suspect(struct dag *g, const struct sort_key *top);

/* Of two dependencies the one to drop. */
struct dependency *cycle_weaker(struct dependency *a, struct dependency *b);

#endif
