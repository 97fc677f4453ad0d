/*
 * holder - which processes have a file open, or are about to: seen in /proc,
 * without touching the file.
 *
 * A pipe's reader that waits for a writer is still in open(2), and so has no
 * descriptor; it is known by the call it is in and the path it gave.  Other
 * users' processes can be looked into by root alone.
 */
#ifndef DOCTOR_HOLDER_H
#define DOCTOR_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct holder {
	pid_t pid, parent;
	char command[32];
	bool reads, writes;
	bool locks;		/* has a lock on it */
	bool waits;		/* is in open(2), and waits for the other end */
};

/*
 * Into OUT at most MAX of those that hold what FD is open for (O_PATH will do),
 * each once, without ourselves; returns how many there are.  *HIDDEN is how many
 * processes could not be looked into.
 */
size_t holder_find(int fd, struct holder out[], size_t max, size_t *hidden);

/* How many descriptors for inotify(7) the processes of user UID have. */
size_t holder_count_inotify(uid_t uid);

#endif
