/*
 * process - which process an agent is, from outside: the one that its pid file
 * names, else the main process of its unit.
 *
 * A process id says little: it is used again.  So whoever signals one opens it
 * first (pidfd_open(2)) and then looks at what it is; what was looked at is
 * then what is signalled.
 */
#ifndef AGENT_PROCESS_H
#define AGENT_PROCESS_H

#include <sys/types.h>

#include "agent/profile.h"
#include "base/fail.h"

/*
 * The process of P's agent, by PID_FILE, or where that is NULL by the unit.
 * EXIT_ABSENT where it is not running, EXIT_DENIED for a file that
 * others could have written, EXIT_TROUBLE where it cannot be told.
 */
int process_find(const struct profile *p, const char *pid_file, pid_t *pid, struct fail *f);

/*
 * Does PID run EXE, or did it before an upgrade replaced the file?  EXIT_DENIED
 * (-ENOEXEC) where it runs something else, -ENOENT or -ESRCH where it is gone.
 */
int process_check_exe(pid_t pid, const char *exe, struct fail *f);

/*
 * Did PID begin before PID_FILE was written?  Whoever began later did not write
 * it and has a number that was used again: EXIT_DENIED.
 */
int process_check_age(pid_t pid, const char *pid_file, struct fail *f);

#endif
