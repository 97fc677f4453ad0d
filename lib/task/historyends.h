/*
 * historyends - the tasks whose end the history holds, by id.
 */
#ifndef TASK_HISTORYENDS_H
#define TASK_HISTORYENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct historyend {
	int64_t task, record;	/* ids of the task and of the record of its end */
	uid_t owner;
};

/* Open; empty when zeroed. */
struct historyends {
	struct historyend *items;	/* by task, ascending */
	size_t n, cap;
};

void historyends_free(struct historyends *e);
void historyends_add(struct historyends *e, const struct historyend *end);

/* The end of TASK, NULL where there is none; valid until E is changed. */
const struct historyend *historyends_find(const struct historyends *e, int64_t task);

/* Remove those for which FN is true. */
void historyends_remove(struct historyends *e, bool (*fn)(const struct historyend *end, void *cookie), void *cookie);

#endif
