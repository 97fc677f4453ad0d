/*
 * inotify - the kernel's file change events: inotify(7), in its one place here.
 *
 * An event is a hint: the caller examines the file itself.  Files are replaced
 * by rename(2), so most callers watch the directory that holds one.
 * base/filewatch.h watches a path from a loop and polls where this cannot work.
 *
 * Functions return a negative errno: -EMFILE where the user has no instance
 * left, -ENOSPC where it has no watch left, -ENOENT.
 */
#ifndef BASE_INOTIFY_H
#define BASE_INOTIFY_H

#include <stdint.h>
#include <sys/inotify.h>

/* A descriptor to poll(2) for POLLIN and to close(2). */
int inotify_open(void);

/* Watch PATH for MASK, added to what is watched there already; a watch descriptor. */
int inotify_watch(int fd, const char *path, uint32_t mask);

/* Watch the directory that holds PATH for files written, renamed, made and removed. */
int inotify_watch_parent(int fd, const char *path);

/* Stop watching WD. */
void inotify_unwatch(int fd, int wd);

/* Discard all events; 1 where there was any, an overflow included, else 0. */
int inotify_drain(int fd);

/* NAME is "" for the watched file itself.  WD is -1 where events were lost (IN_Q_OVERFLOW). */
typedef void inotify_fn(int wd, uint32_t mask, const char *name, void *cookie);

/* Call FN for each event that is there. */
void inotify_dispatch(int fd, inotify_fn *fn, void *cookie);

#endif
