/*
 * historyindex - where in a file of the history a record is, so that a reader of
 * the last ones does not read all of it.
 */
#ifndef TASK_HISTORYINDEX_H
#define TASK_HISTORYINDEX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct historyindex_item {
	int64_t id;
	off_t at;
};

/* Open; empty when zeroed. */
struct historyindex {
	struct historyindex_item *items;	/* one a step of some bytes; both ascending */
	size_t n, cap;
	int64_t last;				/* id of the last record; 0: none */
};

void historyindex_free(struct historyindex *x);

/* The record ID begins at AT, the end of what was there before. */
void historyindex_add(struct historyindex *x, int64_t id, off_t at);

/* Where a line begins at or before the first record with an id over AFTER; -1 where there is none. */
off_t historyindex_find(const struct historyindex *x, int64_t after);

#endif
