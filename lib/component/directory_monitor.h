/*
 * tree - callbacks of changes in directories, from inotifywait(1).
 *
 * inotifywait runs as a child and is started anew when it ends, whyever, at
 * once or after base/backoff's times; whenever it has its watches in place
 * again everything may have changed.  It says nothing of an overflow of the
 * kernel's queue (3.22 was tried), which may have cost it new directories; so
 * after as many events as could have been one it is started anew.  A
 * directory that is not there is looked for again.
 *
 * Nothing here fails: where there is no hearing, PROBLEM says why, and each
 * attempt to callbacks again is an edge.
 */
#ifndef COMPONENT_DIRECTORY_MONITOR_H
#define COMPONENT_DIRECTORY_MONITOR_H

#include <stdbool.h>

#include "base/fail.h"
#include "base/loop.h"

struct directory_monitor;

struct directory_monitor_callbacks {
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
struct directory_monitor *directory_monitor_new(struct loop *l, char *const *dirs, bool recursive,
    const struct directory_monitor_callbacks *callbacks);

/* Listen to DIRS from here on. */
void directory_monitor_set_dirs(struct directory_monitor *t, char *const *dirs);

/* Begin the shutdown: end inotifywait and start it no more. */
void directory_monitor_stop(struct directory_monitor *t);

/* T may be NULL; an inotifywait that still runs is killed. */
void directory_monitor_free(struct directory_monitor *t);

#endif
