/*
 * child - a command run in our place, as env(1) and timeout(1) do: our stdin,
 * stdout and stderr are its own, and its end is ours.
 *
 * It leads a process group of its own, so that a signal reaches all of it and
 * what it leaves behind can be ended; as such a group cannot read from a
 * terminal, its stdin is /dev/null where ours is one.  It gets SIGTERM when we
 * are gone.  Signals that we ignore, it ignores.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <sys/types.h>

struct child {
	pid_t pid;	/* 0 where there is none */
	int fd;		/* a pidfd: readable when it has ended; -1 where there is none */
};

#define CHILD_INIT	{ 0, -1 }

/*
 * Start ARGV, looked for in PATH.  KEEP_FD stays open in it and in whatever it
 * starts, by a high number; -1 for none.  Returns what execvp(3) failed with as a negative errno;
 * base/spawn.h has the exit statuses for that.
 */
int child_start(struct child *c, char *const *argv, int keep_fd);

/* SIGNO to its process group. */
void child_signal(const struct child *c, int signo);

/*
 * It has ended: SIGTERM to what is left of its group; returns its exit status,
 * 128 + n where signal n ended it.
 */
int child_reap(struct child *c);

#endif
