/*
 * storedir - the directory of a store: one agent at a time has its lock, and it
 * has an id, which is given once:
 *
 *	.lock	held by the agent
 *	store	{"id":HLC,"boot":"ID"}
 */
#ifndef TASK_STOREDIR_H
#define TASK_STOREDIR_H

#include <stdint.h>

#include "base/fail.h"
#include "base/hlc.h"

/*
 * The directory PATH, which is made with mode 0700.  EXIT_DENIED where it is a link,
 * not the caller's, or one where others can write (base/trust.h).
 */
int storedir_make(const char *path, struct fail *f);

/*
 * Lock the directory PATH, which is made, into *LOCK_FD, and read or give its
 * *ID; BOOT is the kernel's boot id.  EXIT_BUSY where another agent serves it;
 * else as storedir_make().
 */
int storedir_open(const char *path, const char *boot, struct hlc *clock, int *lock_fd, int64_t *id, struct fail *f);

#endif
