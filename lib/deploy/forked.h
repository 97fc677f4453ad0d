/*
 * forked - a function that runs in a child process, for work that may block for long.
 *
 * The child is a fork of the agent in a process group of its own, dies with the
 * agent, and is owned by the loop.  Its argument is a copy in memory that both
 * processes share: what the function writes there, the caller reads at the end.
 */
#ifndef DEPLOY_FORKED_H
#define DEPLOY_FORKED_H

#include <stddef.h>

#include "base/fail.h"
#include "base/loop.h"

struct forked;

/* In the child, with the shared copy; returns 0 or a negative errno, with F filled. */
typedef int forked_fn(void *shared, struct fail *f);

/* SHARED as the child left it; F is why it failed, or NULL.  Called once, from the loop; the child is gone then. */
typedef void forked_done(const void *shared, const struct fail *f, void *cookie);

/* Run FN on a copy of the SIZE bytes of ARG.  WHAT names it in messages.  NULL with F filled where no child can be made. */
struct forked *forked_start(struct loop *l, const char *what, forked_fn *fn, const void *arg, size_t size,
    forked_done *done, void *cookie, struct fail *f);

/* The memory that it shares with the child while that runs. */
const void *forked_shared(const struct forked *j);

/* End it; DONE is still called, with a failure. */
void forked_end(struct forked *j);

#endif
