/*
 * usage - how much of the agent's limits each user has, and may have.
 *
 * The limits `tasks`, `running` and `log-total` (task/store.h) are those of all users
 * together.  One user may have at most a share of each, in percent, so that it cannot
 * take all of them from the others.  Root and the agent's own user may have all.
 */
#ifndef TASK_USAGE_H
#define TASK_USAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "task/taskset.h"

struct usage {
	uid_t owner;
	int64_t tasks, running;		/* not released; of these, running */
	int64_t log_bytes;		/* of their output, as of the last store_sweep() */
};

/* Open; all zero is empty. */
struct usage_table {
	struct usage *items;
	size_t n, cap;
};

#define _cleanup_usage_	__attribute__((cleanup(usage_release)))
void usage_release(struct usage_table *u);

/* What the owners of TASKS have.  U, which is empty, needs usage_release(). */
void usage_count(struct usage_table *u, const struct taskset *tasks);

/* What OWNER has, all 0 where U has nothing of it; valid until the next call. */
struct usage *usage_of(struct usage_table *u, uid_t owner);

/* The part of LIMIT that OWNER may have: PERCENT of it, at least 1. */
int64_t usage_share(int64_t limit, int64_t percent, uid_t owner);

/* The output of all users, of which each counts up to its share of LIMIT: what it has above that is its own affair. */
int64_t usage_log_bytes(const struct usage_table *u, int64_t limit, int64_t percent);

#endif
