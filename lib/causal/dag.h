/*
 * dag - the records that are admitted and not printed, and which of them must
 * be printed before which.
 *
 * A dependency has a node that waits and a node it waits for, its predecessor;
 * the predecessor of an id that no record sent yet is absent.  A node is
 *
 *	ready	all its predecessors are printed: it stands in a heap by key
 *	blocked	otherwise
 *
 * A predecessor is advanced to the key of its dependent where the two times
 * differ by less than the predecessor's resolution, and so are its own
 * predecessors.  This is Kahn's algorithm with a priority; a weaker constraint of
 * a cycle is dropped.
 *
 * Nodes belong to the graph, from dag_add() to dag_retire().
 */
#ifndef CAUSAL_DAG_H
#define CAUSAL_DAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "causal/index.h"
#include "causal/node.h"
#include "record/rule.h"

struct dag;

/* A dependency that was dropped: AFTER does not wait for BEFORE any more. */
struct dag_dropped {
	const struct node *before, *after;
	enum constraint_class class;
	uint16_t rule;			/* UINT16_MAX for none */
	bool quiet;			/* it was less sure than others, and nothing is said of it */
};

/* What is reported to the owner of a graph; each may be NULL. */
struct dag_callbacks {
	void (*dropped)(const struct dag_dropped *d, void *cookie);
	/* WAITER follows PREDECESSOR, which is printed, by a dependency that is met now.  ID is 0 without one. */
	void (*met)(struct node *waiter, const struct node *predecessor, uint64_t id, enum constraint_class class,
	    uint16_t rule, void *cookie);
	/* E needs ID, which is sent: X is its entry; NULL where ID is forgotten. */
	void (*sent)(struct node *e, const struct index_entry *x, uint64_t id, enum constraint_class class, uint16_t rule,
	    void *cookie);
	/* E waits for one more predecessor. */
	void (*waits)(struct node *e, void *cookie);
	void *cookie;
};

/*
 * ADVANCE false: keys are planned by the owner (causal/planner).  LIVE: blocked
 * nodes are given up in the order in which they arrived, not of their times.
 */
struct dag *dag_new(struct index *index, const struct dag_callbacks *cb, bool advance, bool live);
void dag_free(struct dag *g);

/* A new node, blocked until dag_enter(). */
struct node *dag_add(struct dag *g);

/* All constraints of E are known: it is ready where nothing blocks it. */
void dag_enter(struct dag *g, struct node *e);

/* E is printed, or dropped; its memory is used again. */
void dag_retire(struct dag *g, struct node *e);

/* E waits for BEFORE; for the record before it in the source where CLASS is CONSTRAINT_PROGRAM. */
void dag_wait_on(struct dag *g, struct node *e, struct node *before, enum constraint_class class, uint16_t rule);

/* The same by a constraint that is less sure than all others. */
void dag_wait_softly(struct dag *g, struct node *e, struct node *before, enum constraint_class class, uint16_t rule);

/* E waits for the record that sends ID.  QUIET: if none does, or only behind E, E is neither marked nor counted. */
void dag_wait_on_id(struct dag *g, struct node *e, uint64_t id, enum constraint_class class, uint16_t rule,
    bool quiet);

/*
 * E sends ID, and all nodes that need ID wait for E, unless ID was sent before or
 * is sent by an admitted record that stands before E.  true: E is the first to
 * send ID.
 */
bool dag_send(struct dag *g, struct node *e, uint64_t id);

/* E follows the printed record of X, which is reported where a reason is wanted; X is NULL for none. */
void dag_tell_sent(struct dag *g, struct node *e, const struct index_entry *x, uint64_t id, enum constraint_class class,
    uint16_t rule);

/* The nodes that wait for ID now wait for E; later ones do not. */
void dag_answer(struct dag *g, struct node *e, uint64_t id);

/* E, which sends ID, is printed. */
void dag_sent(struct dag *g, struct node *e, uint64_t id);

/* The nodes that wait for ID wait for it no longer. */
void dag_waive(struct dag *g, uint64_t id);

/* What the index has of ID; NULL for nothing. */
const struct index_entry *dag_entry(const struct dag *g, uint64_t id);

/* Is ID sent by a record that is printed and remembered, as E asks? */
bool dag_is_sent(struct dag *g, const struct node *e, uint64_t id);

/* E is printed: the nodes that wait for it do so no longer. */
void dag_print(struct dag *g, struct node *e);

/* The ready node with the first key, or NULL; it stays ready. */
struct node *dag_first(const struct dag *g);

/* All that are ready, in no order: V has *N. */
struct node *const *dag_ready(const struct dag *g, size_t *n);
bool dag_is_ready(const struct node *e);
bool dag_is_blocked(const struct node *e);

/* The number of nodes, ready and blocked. */
size_t dag_count(const struct dag *g);

/* The blocked node that is to be given up first: the earliest with an absent predecessor; or NULL. */
struct node *dag_first_blocked(struct dag *g);

/* When it is looked at again: its time, or a later one by dag_requeue(). */
int64_t dag_first_blocked_at(const struct dag *g);

/* E, which is first, is not looked at before NS; false where it is not before NS already. */
bool dag_requeue(struct dag *g, struct node *e, int64_t ns);

/* Where E, which is first, also waits for present nodes: it is looked at when those are printed.  false: it does not. */
bool dag_defer(struct dag *g, struct node *e);

/* A need of WAITER that was not met when it stopped waiting; PREDECESSOR is NULL where it is absent. */
struct dag_left {
	const struct node *waiter;
	struct node *predecessor;
	uint64_t id;
	enum constraint_class class;
	uint16_t rule;
};

typedef void dag_left_fn(const struct dag_left *d, void *cookie);

/*
 * E does not wait for absent predecessors any longer and is marked MARK; returns
 * how many there were that are neither quiet nor forgotten.  LOST is called for
 * each of these.
 */
unsigned dag_give_up(struct dag *g, struct node *e, const char *mark, dag_left_fn *lost, void *cookie);

/* E is printed now, whatever it waits for: LEFT is called for each predecessor that is not printed. */
void dag_leave(struct dag *g, struct node *e, dag_left_fn *left, void *cookie);

/* The id of absent predecessor number I of E, from 0 on; 0 for none. */
uint64_t dag_absent_id(const struct node *e, unsigned i);

#endif
