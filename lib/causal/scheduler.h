/*
 * scheduler - the causal merge: by time, but no record before one that caused it.
 *
 * Kahn's algorithm on the records as they are read.  Records whose predecessors
 * are all printed stand in a heap by time; a record leaves the order of time only
 * as far as a constraint makes it necessary: it is delayed until its predecessor
 * is printed, or advanced to its dependent's place where the two times differ by
 * less than its resolution.
 *
 * A record that needs an id which no record sent waits until every other source is
 * more than PATIENCE beyond it, or at its end, and is then printed, marked
 * "unmatched".  A sender that turns up after all is "late".  With a prescan it is
 * known which ids are sent, and no record waits for one that is not.
 *
 * The struct is open to the policies (batch, live) and the planner.
 */
#ifndef CAUSAL_SCHEDULER_H
#define CAUSAL_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "causal/count.h"
#include "causal/kind.h"
#include "causal/lane.h"
#include "causal/queue.h"

/* A record that is printed. */
struct printed {
	struct source *source;
	const struct record *record;
	const char *mark;		/* NULL for none */
	const char *why;		/* NULL for nothing but its time */
	int64_t moved_ns;		/* how much later than its time it stands */
	const struct fields *fields;	/* NULL unless they were asked for */
	int64_t line;			/* of the source; 0 unless lines are counted */
	int64_t where;			/* as in struct relation */
	const struct relation *relations;	/* to records that are printed; none unless they were asked for */
	size_t n_relations;
};

struct scheduler_spec {
	const struct rules *rules;
	int64_t patience_ns;
	int64_t remember_ns;		/* a need is met by a record sent that long before at most */
	size_t buffer;			/* bytes that may be held for others, about */
	const struct known_ids *known;	/* NULL: one pass */
	bool by_time;			/* nothing counts but times, and the order of each source */
	bool minimax;
	bool lines;			/* count lines */
	bool explain;			/* the same, and say why */
	bool relations;			/* say which constraints were kept and which violated */
	bool verify;			/* print by time and the order of each source; constraints are only looked at */
	bool live;
	unsigned workers;		/* threads beside the merging one */
	size_t block;			/* bytes that are decoded at once; 0: chosen */
	bool fields;			/* the emitter and the level of each record are wanted */
	struct clockmodel *clocks;	/* is told of the constraints of rules; or NULL */
	/* Print it, and its further pieces by source_rest(); false where it is left out. */
	bool (*print)(const struct printed *p, void *cookie);
	/* Instead of PRINT, for records that are printed as they are and have nothing to be said of; or NULL. */
	void (*print_bytes)(const struct span *records, size_t n, void *cookie);
	void (*print_piece)(struct span piece, void *cookie);	/* with PRINT_BYTES */
	bool (*stopped)(void *cookie);	/* printing failed: there is no use in going on; or NULL */
	void (*dropped)(const struct scheduler_dropped *d, void *cookie);	/* or NULL */
	/* Too many messages of a rule with match = nth have no other side; bytes of a stream are missing; or NULL. */
	void (*unsafe)(const struct rule *r, int64_t pairs, int64_t lost_sends, int64_t lost_receives, void *cookie);
	void (*lost_channel)(const struct rule *r, const struct source *s, int64_t off, void *cookie);
	/* The learned rule R is not used any more: AGAINST of the last PAIRS were dropped; or NULL. */
	void (*refuted)(const struct rule *r, int64_t pairs, int64_t against, void *cookie);
	void (*idle)(void *cookie);	/* before it sleeps; or NULL */
	void *cookie;
};

struct clockmodel;
struct lookahead;

struct scheduler {
	const struct scheduler_spec *spec;
	struct causal_count *count;
	struct queue **queues;
	unsigned n;
	size_t queues_cap, used_cap;
	struct cursor *cursor;
	bool **used;			/* of each queue: which rules apply */
	struct index *index;
	struct dag *dag;
	struct exchange *exchange;
	struct refutations *refutations;
	struct lane lane;
	struct lookahead *lookahead;	/* of the batch policy; NULL where records are admitted instead */
	size_t lookahead_bytes;		/* that it holds */
	struct kind_index kinds;
	void *states[KINDS];		/* by kind; NULL before it is met */
	bool lines;			/* records are named by them */
	struct relations head_relations;	/* of the head that is printed */
	bool series;			/* a record has had a sequence */
	int64_t now_ns;			/* the latest time that is printed */
	int64_t ahead_ns;		/* windows are admitted up to this time */
	int64_t behind_ns;		/* and behind records that wait */
	int64_t clock_ms;		/* live */
	struct buf why;			/* of the head that is printed */
	int64_t offsets_ms;		/* when offsets were changed last */
	unsigned turns;
};

/* V is sorted by rank; all is borrowed but what scheduler_close() frees. */
void scheduler_open(struct scheduler *s, struct source **v, unsigned n, const struct scheduler_spec *spec,
    struct causal_count *count);
void scheduler_close(struct scheduler *s);

/* With no workers: SOURCE, whose rank may be any, joins the others.  Returns its queue. */
struct queue *scheduler_add(struct scheduler *s, struct source *source);

/* Which rules are for a source: an array of RULES->n, to be freed; *ANY tells whether any is. */
bool *scheduler_rules_for(const struct rules *rules, const struct source *s, bool *any);

/* Do the clocks or sequences of its format count? */
bool scheduler_has_clocks(const struct source *s);

/* Does more than time and position in the file decide about any record of V? */
bool scheduler_is_needed(struct source **v, unsigned n, const struct rules *rules);

/* Admit the next record of Q; false where there is none. */
bool scheduler_admit(struct scheduler *s, struct queue *q);

/* Admit what windows ask for before the time NS is printed; true where any was. */
bool scheduler_look_ahead(struct scheduler *s, int64_t ns);

/* Admit records of all queues, some at once, up to beyond NS; false where there is nothing, or --buffer is full. */
bool scheduler_read_beyond(struct scheduler *s, int64_t ns);

/* The turn of E has come: true where it has to wait after all. */
bool scheduler_check_due(struct scheduler *s, struct node *e);

/* The next record of Q enters the lane, or is admitted. */
void scheduler_begin(struct scheduler *s, struct queue *q);

/* As queue_fetch(), also where the head of Q is in the lane. */
int scheduler_fetch(struct scheduler *s, struct queue *q);

/* Print the head of Q, which is in the lane and needs nothing; the record after it is next. */
void scheduler_print_head(struct scheduler *s, struct queue *q);

/* Print it, and leave it at the head. */
void scheduler_show_head(struct scheduler *s, struct queue *q);

/* Forget what was sent so long ago that no record asks for it. */
void scheduler_forget(struct scheduler *s);

/* Print E, which is ready. */
void scheduler_print(struct scheduler *s, struct node *e);

size_t scheduler_bytes_held(const struct scheduler *s);

/* Node number I of all, for searches; NULL at the end.  COOKIE is the scheduler. */
struct node *scheduler_node(size_t i, void *cookie);

/* --- within the module: what is said of records (causal/scheduler_report.c) */

struct dag_callbacks scheduler_dag_callbacks(struct scheduler *s);
struct kind_env scheduler_kind_env(struct scheduler *s);

/* What the record at the head H of Q, in the lane, follows, for P. */
void scheduler_explain_head(struct scheduler *s, struct queue *q, const struct lane_head *h, struct printed *p);

/* Was the record before E in its source printed behind the time of E, and has nothing else moved E? */
void scheduler_explain_order(struct scheduler *s, struct node *e);

/* Merge all to the end, by event time (causal/batch.c). */
void batch_run(struct source **v, unsigned n, const struct scheduler_spec *spec, struct causal_count *count);

#endif
