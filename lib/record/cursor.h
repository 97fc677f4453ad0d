/*
 * cursor - the records of several sources, decoded ahead of the merge.
 *
 * Each source has a queue of decoded blocks (record/block.h).  Workers fill the
 * queues: one worker at a time holds a source and publishes its blocks in order.
 * The merging thread takes records from the front of the queues; where the one it
 * needs is empty it decodes itself, that source or another one, instead of
 * waiting.  With no workers (one CPU, or pthread_create() fails) all decoding
 * happens so.  The records do not depend on the number of workers or on the size
 * of blocks.
 *
 * Pipes are read without blocking a worker.  While the merging thread waits for
 * one pipe it also reads the others, up to AHEAD bytes in all, because one
 * writer may feed several of them.
 *
 * All functions are called by the merging thread alone.
 */
#ifndef RECORD_CURSOR_H
#define RECORD_CURSOR_H

#include "record/block.h"

struct cursor_spec {
	unsigned workers;		/* threads beside the merging one */
	size_t block;			/* bytes of a block, about; 0: chosen by the number of sources and the caches */
	size_t ahead;			/* bytes of pipes that may be held beyond their queues */
	const struct rules *rules;	/* NULL: no constraints by rules */
	bool **used;			/* of each source: which rules apply; borrowed */
	bool fields, lines;		/* as in struct block_spec */
	bool shown;			/* fields, of sources whose records may have an emitter or a level */
	void (*idle)(void *cookie);	/* called before the merging thread sleeps; or NULL */
	void *cookie;
};

struct cursor;

/* Decode the N sources V, which are borrowed and read by nothing else until cursor_close(). */
struct cursor *cursor_open(struct source **v, unsigned n, const struct cursor_spec *spec);
void cursor_close(struct cursor *c);

/* One more source joins a cursor without workers, as the last one; USED as in the spec. */
void cursor_add(struct cursor *c, struct source *s, const bool *used);

/* Offset of the record of source I that cursor_peek() gives next, as far as it is known. */
int64_t cursor_offset(const struct cursor *c, unsigned i);

/*
 * The current record of source I, with its block and its number in it: 1; 0 at
 * the end; -EAGAIN where a live source has nothing yet.  The block lives until
 * cursor_advance() leaves it, and longer while it is pinned.
 */
int cursor_peek(struct cursor *c, unsigned i, const struct block **b, size_t *k);

/* Leave the current record of source I, which cursor_peek() gave. */
void cursor_advance(struct cursor *c, unsigned i);

/* Leave the current record of source I and N - 1 of its block after it; that block lives until the next is given. */
void cursor_skip(struct cursor *c, unsigned i, size_t n);

/* As source_next(): the next record of source I, borrowed until the next call for that source. */
int cursor_next(struct cursor *c, unsigned i, struct record *r);

/* Keep B after its last record was left; each pin needs one unpin, before cursor_close(). */
void cursor_pin(const struct block *b);
void cursor_unpin(struct cursor *c, const struct block *b);

/* Bytes of all blocks that are queued, current or pinned. */
size_t cursor_bytes(const struct cursor *c);

#endif
