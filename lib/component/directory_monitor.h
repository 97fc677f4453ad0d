/*
 * directory_monitor - report changes in directories and below, by inotifywait(1).
 *
 * inotifywait runs as a child.  When it ends it is started again, at once or
 * after a pause (base/backoff); when its watches are in place again, anything
 * may have changed.  It does not report an overflow of the kernel's queue
 * (inotify-tools 3.22 was tried), which may have hidden new directories, so after
 * as many events as fill half the queue it is started again.  A directory that
 * does not exist is waited for.
 *
 * Nothing here fails: the problem callback says why nothing is monitored, and
 * each new attempt reports that anything may have changed.
 */
#ifndef COMPONENT_DIRECTORY_MONITOR_H
#define COMPONENT_DIRECTORY_MONITOR_H

#include <stdbool.h>

#include "base/loop.h"

struct directory_monitor;

struct directory_monitor_callbacks {
	/*
	 * PATH changed; REMOVED: it was deleted or renamed.  Where PATH is NULL
	 * anything may have changed.
	 */
	void (*changed)(const char *path, bool removed, void *cookie);
	/* Called once: the watches are in place, or cannot be for now. */
	void (*ready)(void *cookie);
	/* Why nothing is monitored; called when the reason changes. */
	void (*problem)(const char *text, void *cookie);
	/* inotifywait is not installed: nothing more will be reported. */
	void (*missing)(void *cookie);
	void *cookie;
};

/* Monitor DIRS, NULL-terminated and copied, and all directories below them. */
struct directory_monitor *directory_monitor_new(struct loop *l, char *const *dirs,
    const struct directory_monitor_callbacks *callbacks);

/* Begin the shutdown: end inotifywait and do not start it again. */
void directory_monitor_stop(struct directory_monitor *t);

/* T may be NULL; an inotifywait that still runs is killed. */
void directory_monitor_free(struct directory_monitor *t);

#endif
