/*
 * lookout - be called when files may have changed, by the loop.
 *
 * One inotify(7) descriptor for all; a file is watched itself, for what is
 * written to it, and its directory, for its name.  Where that does not work
 * (the limit of watches, a directory that is not there, a file system of
 * another machine, which tells nobody here), the file is asked for every
 * LOOKOUT_POLL_MS instead, and only there is anything done without a reason.
 */
#ifndef BASE_LOOKOUT_H
#define BASE_LOOKOUT_H

#include <stdbool.h>

#include "base/loop.h"

enum { LOOKOUT_POLL_MS = 500 };

struct lookout;
struct lookout_post;

/* NAMES: more than the content may have changed.  A call may well be for nothing. */
typedef void lookout_fn(bool names, void *cookie);

struct lookout *lookout_new(struct loop *l);
void lookout_free(struct lookout *o);

/* Look at PATH, or, where CONTENT is false, at its directory alone. */
struct lookout_post *lookout_add(struct lookout *o, const char *path, bool content, lookout_fn *fn, void *cookie);
void lookout_remove(struct lookout *o, struct lookout_post *p);

/* PATH is another file now; the one that it was is watched, too, until the next change. */
void lookout_renew(struct lookout *o, struct lookout_post *p);

#endif
