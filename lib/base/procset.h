/*
 * procset - signal every process of a set, found in /proc.
 *
 * A process group ends where a descendant calls setsid(2) or setpgid(2).  Two
 * sets reach further: a session, which a descendant leaves only by setsid(2),
 * and a mark, REJOIN_RUN=MARK in the environment, which it loses only by
 * clearing its environment.  A descendant that does both is reached by its
 * subreaper or cgroup alone (supervise/, and the program rejoin-guard).
 *
 * Each process is pinned by a pidfd before it is examined, so a reused process
 * id is never signalled.  The caller itself and process 1 are left out.
 */
#ifndef BASE_PROCSET_H
#define BASE_PROCSET_H

#include <sys/types.h>

/*
 * Send SIGNO (0 to count only) to each process whose environment begins
 * REJOIN_RUN= with the prefix MARK.  Returns the number of processes.
 */
int procset_signal_mark(const char *mark, int signo);

/* The same for the processes of the session SID. */
int procset_signal_session(pid_t sid, int signo);

#endif
