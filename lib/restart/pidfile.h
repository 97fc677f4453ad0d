/*
 * pidfile - the instance of an agent that no supervisor can be asked about: the
 * process of [restart] pid-file, or else of the status file of the reference
 * agent, or else the main process of the unit.
 *
 * A pid file that is older than its process names a pid that was used again:
 * the agent is not running.  A process that does not run [restart] exe and is not
 * younger than its pid file is an error, not an absent agent: a second agent
 * beside the first would be the result.
 */
#ifndef RESTART_PIDFILE_H
#define RESTART_PIDFILE_H

#include <stdint.h>

#include "agent/instance_state.h"
#include "agent/profile.h"
#include "base/fail.h"

/* As inspect() of restart/method.h. */
int pidfile_inspect(const struct profile *p, int64_t end_ms, struct instance_state *l, struct fail *f);

/*
 * Is PID still the process that pidfile_inspect() found as L?  For a caller that
 * holds a pidfd of it and is about to signal it.  EXIT_DENIED if not.
 */
int pidfile_check(const struct profile *p, pid_t pid, const struct instance_state *l, struct fail *f);

#endif
