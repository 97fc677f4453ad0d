/*
 * procs - the processes below one process, and signals that reach all of them.
 *
 * A process that called setsid(2) or changed its environment is still below the
 * process that started it, as long as an ancestor is a child subreaper
 * (PR_SET_CHILD_SUBREAPER): the kernel gives it to the nearest such ancestor
 * when its parent dies.  Source: proc(5), prctl(2).
 *
 * A process is named by its pid and its start time (proc(5), field 22, clock
 * ticks since boot), because pids are used again.
 * Errors: a negative errno; -ESRCH where there is no such process.
 */
#ifndef SUPERVISE_PROCS_H
#define SUPERVISE_PROCS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* When PID started.  A zombie counts as gone. */
int procs_start_time(pid_t pid, uint64_t *ticks);

/*
 * A pidfd of PID if it is the process that started at TICKS.  Readable when
 * that process has ended; the caller closes it.
 */
int procs_open(pid_t pid, uint64_t ticks);

/* Send SIGNO to every process below ROOT, not to ROOT itself.  Returns the number reached. */
int procs_signal_below(pid_t root, int signo);

/*
 * SIGKILL every process below ROOT.  They are stopped first, so that none can
 * start another one unseen.  Returns the number found.
 */
int procs_kill_below(pid_t root);

/*
 * SIGKILL every process of session SID that started at or after TICKS, and
 * every process with REJOIN_RUN=MARK in its environment.  This is for processes
 * that have lost the ancestor that procs_kill_below() needs.  Returns the number found.
 */
int procs_kill_session(pid_t sid, uint64_t ticks, const char *mark);

#endif
