/*
 * notify - hear that a file may have changed: inotify(7) on its directory.
 *
 * An edge is a hint: whoever is woken looks at the file itself.  The directory
 * is watched, not the file, because files are replaced by rename.
 * Errors: a negative errno; a directory that cannot be watched is for the
 * caller to poll.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/* A descriptor to poll; close(2) it. */
int notify_open(void);

/* Watch the directory that holds PATH; -ENOENT where it is not there. */
int notify_watch(int fd, const char *path);

/* Take all events; 1 where there was any, an overflow included, else 0. */
int notify_read(int fd);

#endif
