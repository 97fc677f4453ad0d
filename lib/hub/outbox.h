/*
 * outbox - records for the other side, kept until it has accepted them.
 *
 * A record is a JSON object.  It gets an id (base/hlc.h) when it is added, and keeps it
 * until it is confirmed, whatever ends the process in between.  There are two queues:
 *
 *	urgent	on disk when outbox_commit() returns; never dropped; when it is full
 *		nothing is added
 *	bulk	survives the death of any process, not a power cut; when it is full the
 *		oldest records are dropped and counted
 *
 * Each queue is given out in the order in which it was filled.  A record comes out as
 *
 *	{"id":ID,"prev":ID,"acked":ID, its own members}
 *
 * PREV is the id of the record before it in its queue (0 for none), ACKED the highest
 * id up to which all was confirmed when it is given out.  For records that were dropped
 * stands {"id","prev","acked","dropped":N}: ID is the last of the range, PREV the one
 * before it, N their number.
 *
 * Files: DIR/urgent and DIR/bulk hold segments ID.jsonl of at most 1 MiB (a larger record
 * has one alone), named by their first record and unlinked when all in them is
 * confirmed; "cursor" says what was confirmed and what was dropped.  A cursor that a
 * power cut took back means that records are given out again, with the same ids.
 *
 * One process at a time has a directory open; the caller has a lock for that.
 * Errors: a negative errno where there is no struct fail.
 */
#ifndef HUB_OUTBOX_H
#define HUB_OUTBOX_H

#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"

enum outbox_queue { OUTBOX_URGENT, OUTBOX_BULK };

enum { OUTBOX_RECORD_MAX = 4 << 20 };	/* bytes of a record */

struct outbox;

/*
 * DIR and its queues, which are made where they are missing (0700).  URGENT_MAX and BULK_MAX are
 * the bytes of each queue's files; 0 for 16 MiB and 64 MiB.
 */
int outbox_open(const char *dir, int64_t urgent_max, int64_t bulk_max, struct outbox **out, struct fail *f);

/* O may be NULL.  What was not committed is forgotten. */
void outbox_close(struct outbox *o);

/*
 * Add RECORD, a copy, to Q; its members "id", "prev" and "acked" are left out.  The id
 * into *ID, which may be NULL.  -ENOBUFS: the queue is full; -EMSGSIZE: the record is too long; else the
 * file's error.  After an error RECORD is not in the queue.
 */
int outbox_add(struct outbox *o, enum outbox_queue q, struct json record, int64_t *id);

/*
 * What was added may now be acknowledged to its sender, and is given out.  After an
 * error nothing that was added since the last commit is in the queues: add it again.
 */
int outbox_commit(struct outbox *o);

/*
 * The first record of Q after the id AFTER, and after all that is confirmed (AFTER 0: from the
 * start): 1 with OUT, to be released; 0 for none.
 */
int outbox_next(struct outbox *o, enum outbox_queue q, int64_t after, struct json *out);

/* The record ID of Q was accepted.  In any order; an id that is not in the queue is ignored. */
int outbox_confirm(struct outbox *o, enum outbox_queue q, int64_t id);

/* All records of Q up to the id ID were accepted. */
int outbox_confirm_to(struct outbox *o, enum outbox_queue q, int64_t id);

struct outbox_level {
	int64_t records;	/* that are not confirmed, without those that were dropped */
	int64_t bytes, max;	/* of the queue's files */
	int64_t dropped;	/* records dropped, and not confirmed as such */
	int64_t dropped_all;	/* since the directory was made */
	int64_t damaged;	/* lines that could not be read when it was opened */
	int64_t confirmed;	/* all up to this id */
	int64_t last;		/* the id of the last record */
};

void outbox_get_level(const struct outbox *o, enum outbox_queue q, struct outbox_level *level);

#endif
