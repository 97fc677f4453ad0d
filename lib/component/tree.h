/*
 * tree - hear of changes in directories, from inotifywait(1).
 *
 * inotifywait runs as a child and is started anew when it ends, whyever, at
 * once or after base/backoff's times; whenever it has its watches in place
 * again everything may have changed.  It says nothing of an overflow of the
 * kernel's queue (3.22 was tried), which may have cost it new directories; so
 * after as many events as could have been one it is started anew.  A
 * directory that is not there is looked for again.
 *
 * Nothing here fails: where there is no hearing, PROBLEM says why, and each
 * attempt to hear again is an edge.
 */
#ifndef COMPONENT_TREE_H
#define COMPONENT_TREE_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/loop.h"

struct tree;

struct tree_hear {
	/* PATH changed, or, where it is NULL, anything may have. */
	void (*edge)(const char *path, void *cookie);
	/* It hears, or cannot for now: told once, at the beginning. */
	void (*ready)(void *cookie);
	/* Why it cannot; told when it changes. */
	void (*problem)(const char *text, void *cookie);
	/* There is no inotifywait; nothing more will come. */
	void (*missing)(void *cookie);
	void *cookie;
};

/* Listen to DIRS, NULL-terminated and copied, and if RECURSIVE to those below them. */
struct tree *tree_new(struct loop *l, char *const *dirs, bool recursive,
    const struct tree_hear *hear);

/* Listen to DIRS from here on. */
void tree_set_dirs(struct tree *t, char *const *dirs);

/* Begin the shutdown: end inotifywait and start it no more. */
void tree_stop(struct tree *t);

/* T may be NULL; an inotifywait that still runs is killed. */
void tree_free(struct tree *t);

#endif
