/*
 * fd_owners - the processes that have a file open or locked, found in
 * /proc/PID/fdinfo without touching the file.
 *
 * The reader of a FIFO that waits for a writer is still in open(2) and has no
 * descriptor yet; it is found by its system call and the path in its memory.
 * Only root can see the descriptors of other users' processes, and a process of
 * another pid namespace cannot be seen at all.
 */
#ifndef AGENT_FD_OWNERS_H
#define AGENT_FD_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct fd_owner {
	pid_t pid, parent;
	uid_t uid;		/* effective user of the process */
	char command[32];
	bool reads, writes;
	bool locks;		/* holds a lock on the file */
	bool waits;		/* is in open(2), waiting for the other end of the FIFO */
};

/*
 * Find the processes, other than this one, that have the file of descriptor FD
 * open (an O_PATH descriptor will do).  Stores at most MAX of them in OUT and
 * returns how many there are.  *HIDDEN is the number of processes whose
 * descriptors this process may not see.
 */
size_t fd_owners_find(int fd, struct fd_owner out[], size_t max, size_t *hidden);

/* The number of inotify(7) instances of user UID. */
size_t fd_owners_count_inotify(uid_t uid);

#endif
