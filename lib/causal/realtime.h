/*
 * realtime - when a record of sources that still grow may be printed.
 *
 * As causal/batch, but for this: nothing is known of what has not come yet, so a
 * record waits for
 *
 *	HOLD		if some other source is behind its time, for what that may still bring;
 *	PATIENCE	if a record that belongs before it is known to be missing,
 *
 *
 * both from when it came, by the monotonic clock, which is an argument of every
 * question.  Where sources give watermarks, it waits until these are beyond it.  What was there at the start (the backlog) is merged by event time.
 */
#ifndef CAUSAL_REALTIME_H
#define CAUSAL_REALTIME_H

#include "causal/scheduler.h"

struct realtime {
	struct scheduler scheduler;
	int64_t hold_ms, patience_ms;
	int64_t idle_ms;		/* what was silent for so long is not waited for; 0: it is */
	bool once;			/* the sources end where they end now; what comes is held by HOLD_MS all the same */
	bool draining;			/* nothing waits any longer */
	unsigned unopened;		/* sources that have given nothing yet, so that they have no queue */
	int64_t cycle_ms;		/* of the last search for cycles */
};

/* All is borrowed; SPEC has LIVE set and no workers. */
void realtime_open(struct realtime *r, const struct scheduler_spec *spec, struct causal_count *count);
void realtime_close(struct realtime *r);

/* There may be more of Q at NOW_MS: admit it. */
void realtime_arrive(struct realtime *r, struct queue *q, int64_t now_ms);

/* Does Q have nothing more, ever, but what is admitted? */
bool realtime_is_over(const struct queue *q);

/* The next record to print at NOW_MS; NULL for now. */
struct node *realtime_next(struct realtime *r, int64_t now_ms);

/* When realtime_next() is to be asked again though nothing came; INT64_MAX: never. */
int64_t realtime_deadline(struct realtime *r);

/*
 * The time that all records which are still to be printed are later than, if none
 * comes later than patience allows; false where it is not known.
 */
bool realtime_watermark(const struct realtime *r, int64_t *ns);

/* Records that are admitted and not printed. */
size_t realtime_held(const struct realtime *r);

#endif
