/*
 * index - the send index: which record sends an id, or which records wait for it.
 *
 * An entry has one of these states:
 *
 *	INDEX_SENT	the record is printed: its source, position and time
 *	INDEX_HEAD	the record at the head of QUEUE in the fast lane (causal/lane) sends it
 *	INDEX_ADMITTED	NODE is admitted and not printed
 *	INDEX_WANTED	no record sent it yet; FIRST is the first dependency that waits
 *
 * A sent id is remembered for a span of record time.  What was sent longer before
 * the record that asks counts as not sent, however large the table is: the answer
 * depends on times alone.  Forgotten ids go into a Bloom filter, so that a record
 * that needs one is not taken for one whose predecessor never came.
 *
 * Entries are 32 bytes, and 16 more in the order in which ids were sent, by which
 * they are forgotten.  No table is iterated on a way to the output.
 */
#ifndef CAUSAL_INDEX_H
#define CAUSAL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;
struct dependency;
struct queue;

enum index_state { INDEX_NONE, INDEX_SENT, INDEX_HEAD, INDEX_ADMITTED, INDEX_WANTED };

struct index_entry {
	uint64_t id;			/* 0: free */
	union {
		struct queue *queue;		/* INDEX_HEAD */
		struct node *node;		/* INDEX_ADMITTED */
		struct dependency *first;	/* INDEX_WANTED */
		int64_t where;			/* INDEX_SENT: line of the source, or its offset */
	};
	int64_t t;			/* INDEX_SENT: time of the record that sent it last */
	uint32_t source;		/* INDEX_SENT: its rank */
	uint32_t state;
};

struct index;

/* Sent ids are remembered for REMEMBER_NS (INT64_MAX: all of them), in about BYTES at most. */
struct index *index_new(int64_t remember_ns, size_t bytes);
void index_free(struct index *x);

/* The entry of ID or NULL; valid until the next index_put() or index_passed(). */
struct index_entry *index_find(const struct index *x, uint64_t id);

/* The entry of ID, in the state INDEX_NONE where it is new. */
struct index_entry *index_put(struct index *x, uint64_t id);

/* The record at WHERE of the source of rank SOURCE, with the time T, sent the id of E. */
void index_set_sent(struct index *x, struct index_entry *e, int64_t t, uint32_t source, int64_t where);

/* Was E sent so shortly before the time NS that it is remembered? */
bool index_is_sent(const struct index *x, const struct index_entry *e, int64_t ns);

/* The entry of ID is looked up soon. */
void index_prefetch(const struct index *x, uint64_t id);

/* E, which was sent, is forgotten: the entry is INDEX_NONE from here on. */
void index_forget(struct index *x, struct index_entry *e);

/* Was ID sent and forgotten?  Wrong for few ids, see base/bloom.h. */
bool index_is_forgotten(const struct index *x, uint64_t id);

/* What was sent before the time NS need not be remembered, and is forgotten unless the table is small. */
void index_passed(struct index *x, int64_t ns);

/* Entries of ids that KEEP names are never forgotten. */
void index_keep(struct index *x, bool (*keep)(uint64_t id, void *cookie), void *cookie);

#endif
