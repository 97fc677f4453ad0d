/*
 * remover - the directories of released tasks, on their way out: first each gets
 * the name .released-ID, which is brought to the disk; then its files are removed.
 * A directory with half of its files must not be taken for a task that was never
 * started.
 */
#ifndef TASK_REMOVER_H
#define TASK_REMOVER_H

#include <stdint.h>

#include "task/committer.h"

struct remover;

/* For the tasks of the directory PATH. */
struct remover *remover_new(struct committer *c, const char *path);

/* The committer has been drained.  What is left is removed by remover_clean(). */
void remover_free(struct remover *r);

/* Begin no further removal. */
void remover_stop(struct remover *r);

/* Remove DIR, the directory of the task ID.  0 when it has its other name, or a negative errno. */
int remover_add(struct remover *r, const char *dir, int64_t id);

/* Remove the entry NAME of the directory PATH, if it is what a crash left of a removal. */
void remover_clean(const char *path, const char *name);

#endif
