/*
 * waiters - requests that wait for output or for a change of state.
 *
 * A waiter is tried at once, whenever something may have changed, and a last
 * time at its deadline.  Output is noticed by inotify(7) on the directories of
 * the tasks that are waited for, and where that cannot be had, by polling.
 */
#ifndef TASK_WAITERS_H
#define TASK_WAITERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "task/server.h"

struct waiters;

/* Reply to Q if there is something to say, or if LAST.  True: it has its reply. */
typedef bool waiters_try(struct server_request *q, bool last, void *cookie);

/* COOKIE is given to each try. */
struct waiters *waiters_new(struct loop *l, void *cookie);
void waiters_free(struct waiters *w);	/* without a reply: the server answers them */

/* The directories whose output concerns Q now: NULL-terminated, to be freed; the strings are borrowed. */
typedef char **waiters_dirs(struct server_request *q, void *cookie);

/*
 * Try Q for at most WAIT_MS, and GATHER_MS after output has come into one of
 * DIRS (NULL: none concerns it) or a state has changed.
 */
void waiters_add(struct waiters *w, struct server_request *q, waiters_try *fn, waiters_dirs *dirs, int64_t gather_ms,
    int64_t wait_ms);

/* A state has changed. */
void waiters_wake(struct waiters *w);

#endif
