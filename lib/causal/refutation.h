/*
 * refutation - learned rules that records refute.
 *
 * A learned rule says what was always before what in the records that it was learned
 * from.  Where it closes a cycle with what is known better, its constraint is
 * dropped, and counts against it: after more than REFUTATION_SHARE % of the
 * REFUTATION_WINDOW records that followed it, or are to, the rule is not used any
 * more.
 */
#ifndef CAUSAL_REFUTATION_H
#define CAUSAL_REFUTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "record/rule.h"

enum { REFUTATION_WINDOW = 200, REFUTATION_SHARE = 2 };

struct refutations;

/* RULES is borrowed. */
struct refutations *refutations_new(const struct rules *rules);
void refutations_free(struct refutations *x);

/* A record that follows another by RULE, which may be any, is printed. */
void refutations_follow(struct refutations *x, uint16_t rule);

/* A constraint of RULE was dropped.  true: the rule is refuted now, by *AGAINST of *PAIRS since it was counted anew. */
bool refutations_drop(struct refutations *x, uint16_t rule, int64_t *pairs, int64_t *against);

/* Is RULE, which may be any, refuted? */
bool refutations_has(const struct refutations *x, uint16_t rule);

#endif
