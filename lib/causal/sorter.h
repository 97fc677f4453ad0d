/*
 * sorter - records of one source whose order is not program order, sorted by time.
 *
 * Records stand in runs: those of one emitter, which stay in the order of the
 * source; or, where the source has no order at all, runs of ascending time, to one
 * of which each record is appended.  The first records of all runs are in a heap.
 * So a log that is nearly in order costs nothing for its order, and a record that
 * is held for others costs 32 bytes.
 *
 * No constraint but the order of a run is known here.  A source whose records have
 * others is merged by nodes.
 */
#ifndef CAUSAL_SORTER_H
#define CAUSAL_SORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/block.h"

struct sorter;

/* With EMITTERS each emitter is a run. */
struct sorter *sorter_new(bool emitters);

/* Its records are unpinned in no block: the caller drops them before. */
void sorter_free(struct sorter *s);

size_t sorter_count(const struct sorter *s);
size_t sorter_bytes(const struct sorter *s);

/*
 * May the record K of B, of EMITTER, stand before the last one of that emitter,
 * whose time is not exact enough to tell?  The sorter does not know how to do that.
 */
bool sorter_may_advance(const struct sorter *s, const struct block *b, size_t k, uint64_t emitter);

/* EMITTER is not 0, and ignored without EMITTERS. */
void sorter_push(struct sorter *s, const struct block *b, size_t k, uint64_t emitter);

/* The first record; false where there is none. */
bool sorter_first(const struct sorter *s, const struct block **b, size_t *k);

/* Take the first record out. */
void sorter_pop(struct sorter *s);

#endif
