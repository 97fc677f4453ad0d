/*
 * slot - one restart of an agent at a time, and one for all who ask at once.
 *
 * Who has the turn holds restart/NAME.lock in the runtime directory.  Everybody
 * leaves in it when he asked, so that who has the turn can let a burst of them
 * end first: they then find an incarnation that is younger than themselves.
 */
#ifndef RESTART_LOCK_H
#define RESTART_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"

/*
 * The lock's descriptor, held; close(2) ends the turn.  EXIT_TIMEOUT where
 * another holds it until END_MS on the monotonic clock.
 */
int restart_lock_take(const struct profile *p, int64_t end_ms, struct fail *f);

/*
 * Wait until nobody has asked for a while, longer on a busy machine, and not for
 * ever; false where that was so at once.
 */
bool restart_lock_wait_quiet(int fd);

#endif
