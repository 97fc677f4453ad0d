/*
 * planner - --order=minimax: the order in which the record that moves farthest from
 * its time moves least.
 *
 * With L(e), the latest time of e and all before it, and P(e), the earliest of e
 * and all behind it, the order of (L + P) / 2 violates no constraint, and its
 * farthest move is half of what the worst constraint contradicts the times by; no
 * order can do better (isotonic regression in the maximum norm).
 */
#ifndef CAUSAL_PLANNER_H
#define CAUSAL_PLANNER_H

struct scheduler;

/* Admit all records of S and give each its key. */
void planner_run(struct scheduler *s);

#endif
