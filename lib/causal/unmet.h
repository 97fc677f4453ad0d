/*
 * unmet - needs that were given up: how many of each id, and which records had
 * them, so that a record that sends the id after all is known to be late, and for
 * which of them.
 *
 * A place is 40 bytes.  Beyond a limit needs are counted alone.
 */
#ifndef CAUSAL_UNMET_H
#define CAUSAL_UNMET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "causal/relation.h"

struct unmet;

/* Places take LIMIT bytes at most; 0: needs are counted alone. */
struct unmet *unmet_new(size_t limit);
void unmet_free(struct unmet *u);

/* The record of R needed ID, and does not wait for it any more. */
void unmet_add(struct unmet *u, uint64_t id, const struct relation *r);

/* Was ID given up, and not taken since? */
bool unmet_has(const struct unmet *u, uint64_t id);

/* ID is sent after all: how many needs of it were given up, which are forgotten; their places are added to OUT. */
int64_t unmet_take(struct unmet *u, uint64_t id, struct relations *out);

#endif
