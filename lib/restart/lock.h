/*
 * lock - one restart of an agent at a time, and one restart for a burst of
 * requests.
 *
 * The restart runs under the lock restart/NAME.lock in the runtime directory.
 * Each process that asks stores its time in the file, so that the holder can wait
 * for the end of the burst before it restarts: the others then find an instance
 * younger than their request.
 */
#ifndef RESTART_LOCK_H
#define RESTART_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"

/*
 * Take the lock of P.  Returns its descriptor; close(2) releases it.  EXIT_TIMEOUT
 * if another process holds it until END_MS on the monotonic clock.
 */
int restart_lock_take(const struct profile *p, int64_t end_ms, struct fail *f);

/*
 * Wait until no process has asked for some time, longer on a busy machine, at most
 * 10 s.  Returns false if there was nothing to wait for.
 */
bool restart_lock_wait_quiet(int fd);

#endif
