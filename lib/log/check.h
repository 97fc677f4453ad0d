/*
 * check - does a log that is already merged violate a constraint?
 *
 * The records are looked at by the scheduler in the order in which they stand
 * (causal/verify.h).  Its order is that of no source, so all rules for its format
 * count, and sequences without an id do not.  match = nth counts the receives of
 * each emitter: with order=merged or emitter=, that of each record; else of the log.
 */
#ifndef LOG_CHECK_H
#define LOG_CHECK_H

#include <stdint.h>

#include "causal/scheduler.h"

/* A record that stands before one that it must follow; lines are counted from 1. */
struct violation {
	const struct source *source;
	int64_t line, cause;
	const char *what;		/* the rule, or "clock" */
};

struct check_spec {
	struct scheduler_spec merge;	/* rules, patience and buffer of it count */
	void (*tell)(const struct violation *v, void *cookie);
	void *cookie;
};

/*
 * Read S and tell of each violated constraint; returns how many there are, of which
 * those beyond the buffer are not told.  RECORDS is raised by those read.
 */
int64_t check_run(struct source *s, const struct check_spec *spec, int64_t *records);

#endif
