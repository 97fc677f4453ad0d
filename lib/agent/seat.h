/*
 * seat - who holds an agent's place, where nobody supervises it that could be
 * asked: the process of the pid file of [restart], else the one that the status
 * file of our own agent names, else the unit's main process.
 *
 * A process that runs another program than [restart] exe, or that began after
 * the pid file was written, is not the agent; the agent is then not running, or
 * it cannot be told.
 */
#ifndef AGENT_SEAT_H
#define AGENT_SEAT_H

#include <stdint.h>

#include "agent/life.h"
#include "agent/profile.h"
#include "base/fail.h"

/* As a method's look(): agent/method.h. */
int seat_look(const struct profile *p, int64_t end_ms, struct life *l, struct fail *f);

/*
 * Is PID what seat_look() found as L?  For whoever holds its pidfd, and is about
 * to signal it.  EXIT_DENIED where it is not.
 */
int seat_check(const struct profile *p, pid_t pid, const struct life *l, struct fail *f);

#endif
