/*
 * kind - a kind of constraint: what a record demands of the records before it.
 *
 * One file a kind, and one row in the table of kind.c.  A kind has state of its
 * own, made by open().  The scheduler calls, for each constraint of a record:
 *
 *	admit()		the record is read: what it sends, what it needs
 *	check_due()	the record is about to be printed: does it have to wait for
 *			records that were admitted since?  AGAIN: it was asked before
 *	retire()	the record is printed
 *	plan()		--order=minimax: all records are admitted
 *	release()	the end: the state is freed
 *
 * and window_ns() for the rules of a source: how much later than a record another
 * may be that has to be known before the record is printed.  Members that a kind
 * does not have are NULL.
 */
#ifndef CAUSAL_KIND_H
#define CAUSAL_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "causal/count.h"
#include "causal/exchange.h"
#include "causal/dag.h"
#include "record/rule.h"

/* What kinds share.  Borrowed by their states. */
struct kind_env {
	struct dag *dag;
	struct index *index;
	struct exchange *exchange;
	const struct prescan *prescan;	/* NULL: one pass */
	struct causal_count *count;
	bool live;
	bool verify;			/* records stand in a given order, and nothing waits: see causal/verify */
	/* Of a rule with match = nth more than 1 % of the sends and receives have no other side; or NULL. */
	void (*unsafe)(uint16_t rule, int64_t pairs, int64_t lost_sends, int64_t lost_receives, void *cookie);
	/* More bytes were received, by E, than were sent: nothing is known of the channel any more; or NULL. */
	void (*lost_channel)(uint16_t rule, const struct node *e, void *cookie);
	void *cookie;
};

struct kind {
	const char *name;
	void *(*open)(const struct kind_env *env);
	int64_t (*window_ns)(const struct rule *r);
	void (*admit)(void *state, struct node *e, const struct constraint *x);
	void (*check_due)(void *state, struct node *e, const struct constraint *x, bool again);
	void (*retire)(void *state, struct node *e, const struct constraint *x);
	void (*plan)(void *state);
	void (*release)(void *state);
};

/* As many kinds as constraints can name: see kind_of(). */
enum { KIND_MESSAGE, KIND_VECTOR, KIND_SEQUENCE, KIND_SPAN, KIND_LIFECYCLE, KIND_NTH, KIND_STREAM, KINDS };

extern const struct kind message_kind, vector_kind, sequence_kind, span_kind, lifecycle_kind, nth_kind, stream_kind;

/* The table, by the numbers above. */
extern const struct kind *const kind_table[KINDS];

/* Which kind a constraint belongs to. */
unsigned kind_of(const struct constraint *x);

#endif
