/*
 * filewatch - call a function when files may have changed, from the loop.
 *
 * One inotify(7) instance serves all paths of a filewatch.  A call is a hint, and
 * may be for nothing; a change is never missed for longer than the poll interval.
 *
 * What inotify does not report is polled, and nothing else is:
 *	- no instance or no watch is left;
 *	- the file system does not report all changes: network, FUSE and overlay ones;
 *	- the directory does not exist (without FILEWATCH_PATH);
 *	- a component of the path is a link or a mount point (with FILEWATCH_PATH).
 */
#ifndef BASE_FILEWATCH_H
#define BASE_FILEWATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

enum { FILEWATCH_POLL_MS = 500 };

enum {
	FILEWATCH_CONTENT = 1,	/* the file itself: each write to it is reported */
	/*
	 * Each component of the path: one that is made, removed, replaced or
	 * mounted over is reported.
	 */
	FILEWATCH_PATH = 2,
};

struct filewatch;
struct filewatch_item;

/* NAMES: more than the content may have changed: a name, a link, a directory on the way. */
typedef void filewatch_fn(bool names, void *cookie);

/* Never fails: without inotify everything is polled.  POLL_MS is the interval. */
struct filewatch *filewatch_new(struct loop *l, int64_t poll_ms);
void filewatch_free(struct filewatch *w);

/* Watch PATH by its directory, and as FLAGS say. */
struct filewatch_item *filewatch_add(struct filewatch *w, const char *path, int flags,
    filewatch_fn *fn, void *cookie);
void filewatch_remove(struct filewatch_item *i);

/* PATH is another file now; the old one stays watched until the next renewal. */
void filewatch_renew(struct filewatch_item *i);

/* Is it polled, in part or wholly? */
bool filewatch_is_polled(const struct filewatch_item *i);

/*
 * With FILEWATCH_PATH: was PATH, or a directory or link on the way to it, removed
 * or renamed since the last call?  So a file that is back already was absent.
 * Another file that is renamed over PATH is no removal; lost events count as one.
 */
bool filewatch_take_removed(struct filewatch_item *i);

/*
 * Does the file system of DIR change without a report to inotify(7): a network file
 * system, FUSE, sysfs, procfs?  False also where that is unknown.
 */
bool filewatch_is_silent(const char *dir);

/* What keeps W from monitoring all paths: 0, -EMFILE (no instance left), -ENOSPC (no watch left). */
int filewatch_error(const struct filewatch *w);

#endif
