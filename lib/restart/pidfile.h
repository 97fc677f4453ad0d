/*
 * seat - who holds an agent's place, where nobody supervises it that could be
 * asked: the process of the pid file of [restart], else the one that the status
 * file of our own agent names, else the unit's main process.
 *
 * A process that runs another program than [restart] exe, or that began after
 * the pid file was written, is not the agent; the agent is then not running, or
 * it cannot be told.
 */
#ifndef RESTART_PIDFILE_H
#define RESTART_PIDFILE_H

#include <stdint.h>

#include "agent/instance_state.h"
#include "agent/profile.h"
#include "base/fail.h"

/* As a method's inspect(): restart/method.h. */
int pidfile_inspect(const struct profile *p, int64_t end_ms, struct instance_state *l, struct fail *f);

/*
 * Is PID what pidfile_inspect() found as L?  For whoever holds its pidfd, and is about
 * to signal it.  EXIT_DENIED where it is not.
 */
int pidfile_check(const struct profile *p, pid_t pid, const struct instance_state *l, struct fail *f);

#endif
