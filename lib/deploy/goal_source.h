/*
 * goal_source - the place that goals come from, and its changes.
 *
 * file:PATH (or file:///PATH) is a file.  Its path is watched, and polled every 5 s
 * where inotify does not report all changes (base/filewatch.h).  A change is a
 * hint: the caller reads the file.
 */
#ifndef DEPLOY_GOAL_SOURCE_H
#define DEPLOY_GOAL_SOURCE_H

#include "base/fail.h"
#include "base/loop.h"

struct goal_source;

/* CHANGED is called from L.  EXIT_USAGE where URL has another form. */
int goal_source_open(struct loop *l, const char *url, loop_fn *changed, void *cookie, struct goal_source **out,
    struct fail *f);
void goal_source_close(struct goal_source *h);

/* The path in the address of a goal, a part of URL; NULL where it is no absolute path of a file. */
const char *goal_source_file(const char *url);

/* The path of the goal's file; borrowed. */
const char *goal_source_path(const struct goal_source *h);

#endif
