/*
 * taskset - taskrecords by their ids.
 */
#ifndef TASK_TASKSET_H
#define TASK_TASKSET_H

#include <stddef.h>
#include <stdint.h>

#include "task/taskrecord.h"

/* Open; empty when zeroed.  Reading ITEMS and N is free. */
struct taskset {
	struct taskrecord **items;	/* by id, ascending */
	size_t n, cap;
};

/* The taskrecords are freed, too. */
void taskset_free(struct taskset *s);

/* T, whose id is in it not yet, is given to it. */
void taskset_insert(struct taskset *s, struct taskrecord *t);

/* T is freed. */
void taskset_remove(struct taskset *s, struct taskrecord *t);

/* NULL where there is none. */
struct taskrecord *taskset_find(const struct taskset *s, int64_t id);

size_t taskset_count(const struct taskset *s, enum taskrecord_state state);

#endif
