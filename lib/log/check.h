/*
 * check - does a log that is already merged violate an edge?
 */
#ifndef LOG_CHECK_H
#define LOG_CHECK_H

#include <stdint.h>

#include "record/rule.h"
#include "record/source.h"

/* A record that stands before one that it must follow; lines are counted from 1. */
struct violation {
	const struct source *source;
	int64_t line, cause;
	const char *what;		/* the rule, or "clock" */
};

/*
 * Read S and tell of each violated edge; returns how many there are.  RECORDS
 * is raised by those read.
 */
int64_t check_run(struct source *s, const struct rules *rules,
    void (*tell)(const struct violation *v, void *cookie), void *cookie, int64_t *records);

#endif
