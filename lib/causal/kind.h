/*
 * kind - a kind of constraint: what a record demands of the records before it.
 *
 * One file a kind, with a struct kind called NOUN_kind, and one row in KIND_TABLE.
 * TAKES says which constraints are of the kind.  A kind has state of its own, made
 * by open().  The scheduler calls, for each constraint of a record:
 *
 *	admit()		the record is read: what it sends, what it needs
 *	check_due()	the record is about to be printed: does it have to wait for
 *			records that were admitted since?  AGAIN: it was asked before
 *	retire()	the record is printed
 *	plan()		--order=minimax: all records are admitted.  PLANS_DUE: check_due()
 *			is called then, too, for each record
 *	release()	the end: the state is freed
 *
 * Without a state, what is asked of a constraint alone:
 *
 *	ids()		the id that it sends, and the one that it needs: for what reads records
 *			ahead of the merge (causal/prescan)
 *	note_clock()	what it says of the clock that stamped its record
 *
 * Of the rules for a source: window_ns() is how much later than a record another may
 * be that has to be known before the record is printed; asks(), whether more than the
 * ids of messages decides.
 *
 * A kind may also find constraints of its own in a record of a source for which
 * applies() holds: find() adds them with the number KIND_OWN(), or one that it takes.
 * Members that a kind does not have are NULL.
 */
#ifndef CAUSAL_KIND_H
#define CAUSAL_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "causal/clockmodel.h"
#include "causal/count.h"
#include "causal/exchange.h"
#include "causal/dag.h"
#include "causal/refutation.h"
#include "record/rule.h"

/* What kinds share.  Borrowed by their states. */
struct kind_env {
	struct dag *dag;
	struct index *index;
	struct exchange *exchange;
	struct refutations *refutations;
	const struct known_ids *known;	/* NULL: one pass */
	struct causal_count *count;
	bool live;
	bool verify;			/* records stand in a given order, and nothing waits: see causal/verify */
	/* Of a rule with match = nth more than 1 % of the sends and receives have no other side; or NULL. */
	void (*unsafe)(uint16_t rule, int64_t pairs, int64_t lost_sends, int64_t lost_receives, void *cookie);
	/* More bytes were received, by E, than were sent: nothing is known of the channel any more; or NULL. */
	void (*lost_channel)(uint16_t rule, const struct node *e, void *cookie);
	void *cookie;
};

/* A record in which a kind may find constraints. */
struct kind_record {
	const struct source *source;
	struct span text;		/* without the end of its last line */
	const struct fields *fields;
	const struct event_meta *meta;	/* NULL: nothing is known of it beside its text */
};

#define KIND_TAKES(what)	(UINT32_C(1) << (what))

struct kind {
	const char *name;
	uint32_t takes, takes_of_spans;	/* masks of KIND_TAKES(enum constraint_kind): of all classes but spans, and of spans */
	bool several_sources;		/* a record may follow one of another source without an id that names it */
	bool plans_due;
	void *(*open)(const struct kind_env *env);
	int64_t (*window_ns)(const struct rule *r);
	bool (*asks)(const struct rule *r);
	bool (*applies)(const struct source *s);
	void (*find)(struct node *e, const struct kind_record *r, unsigned own, struct causal_count *count);
	void (*ids)(const struct constraint *x, uint64_t *sent, uint64_t *needed);
	void (*note_clock)(struct clockmodel *m, const struct clockmodel_stamp *at, const struct constraint *x);
	void (*admit)(void *state, struct node *e, const struct constraint *x);
	void (*check_due)(void *state, struct node *e, const struct constraint *x, bool again);
	void (*retire)(void *state, struct node *e, const struct constraint *x);
	void (*plan)(void *state);
	void (*release)(void *state);
};

/* The kinds: a row each. */
#define KIND_TABLE(row) \
	row(message) \
	row(vector) \
	row(sequence) \
	row(span) \
	row(lifecycle) \
	row(nth) \
	row(stream)

#define KIND_NUMBER(noun)	KIND_##noun,
#define KIND_DECLARATION(noun)	extern const struct kind noun##_kind;
enum { KIND_TABLE(KIND_NUMBER) KINDS };
KIND_TABLE(KIND_DECLARATION)

/* By number. */
extern const struct kind *const kind_table[KINDS];

/* What a constraint is that kind number K alone knows. */
#define KIND_OWN(k)	(CONSTRAINT_KINDS + (k))

/* Which kind takes which constraint. */
struct kind_index {
	uint8_t of[2][CONSTRAINT_KINDS + KINDS];
};

void kind_index_init(struct kind_index *x);

static inline unsigned
kind_of(const struct kind_index *x, const struct constraint *c)
{
	return x->of[c->class == CONSTRAINT_SPAN][c->what];
}

#endif
