/*
 * precedence - which slot is before which, by the order in one source and by the
 * directions that are known; and the rules that follow from others.
 */
#ifndef LEARN_PRECEDENCE_H
#define LEARN_PRECEDENCE_H

#include "learn/candidate.h"
#include "learn/template.h"

/* How the slots A and B stand in one source: 1 where A is before B in nearly all instances, -1 behind it, 0 in no order. */
int precedence_of(const struct candidates *c, uint32_t a, uint32_t b);

/* Drop the direction of those from A to C where A leads to B, and B to C. */
void precedence_drop_implied(struct candidates *c);

/* Of several with the same two kinds of records, that with most instances stays; then that of the innermost value. */
void precedence_drop_doubles(struct candidates *c, const struct templates *t);

#endif
