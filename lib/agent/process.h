/*
 * process - the process of an agent, found from outside: the one that a pid file
 * names, or the main process of the unit.
 *
 * A pid is used again after its process has ended.  So a caller that signals
 * the process opens a pidfd (pidfd_open(2)) first and checks the process
 * afterwards: the process that was checked is then the one that is signalled.
 */
#ifndef AGENT_PROCESS_H
#define AGENT_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/profile.h"
#include "base/fail.h"

/*
 * Find the process of P's agent by PID_FILE, or by the unit if that is NULL.
 * EXIT_ABSENT if it is not running, EXIT_DENIED for a pid file that others may
 * write, EXIT_TROUBLE if it cannot be told.
 */
int process_find(const struct profile *p, const char *pid_file, pid_t *pid, struct fail *f);

/*
 * Does PID run the program EXE?  Compares device and inode, so the name that the
 * program was started by does not matter (merged /usr); a program that was
 * replaced by an upgrade is compared by its name.  EXIT_DENIED (-ENOEXEC) if it
 * runs another program; EXIT_DENIED (-ESTALE) if its program was removed and had
 * another name at last; -ENOENT or -ESRCH if it has ended.
 */
int process_check_exe(pid_t pid, const char *exe, struct fail *f);

/*
 * Did PID start before PID_FILE was written?  A process that started later has a
 * pid that was used again: EXIT_DENIED (-ESTALE).  RUNS_EXE: it is known to run the
 * agent's program.  Then times that a step of the clock explains are accepted, too:
 * a file changed (ctime) since the start, or written before this boot.
 */
int process_check_age(pid_t pid, const char *pid_file, bool runs_exe, struct fail *f);

/*
 * Does PID hang: is it stopped, or in uninterruptible sleep in 5 checks 1 s
 * apart?  The reason goes to WHY ("stopped", ...).  Takes 4 s for a process that
 * sleeps so, and no time for others.
 */
bool process_is_hung(pid_t pid, const char **why);

#endif
