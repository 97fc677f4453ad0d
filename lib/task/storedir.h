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
 * Lock the directory PATH, which is made, into *LOCK_FD, and read or give its
 * *ID; BOOT is the kernel's boot id.  EXIT_BUSY where another agent serves it,
 * EXIT_DENIED where others can write there.
 */
int storedir_open(const char *path, const char *boot, struct hlc *clock, int *lock_fd, int64_t *id, struct fail *f);

#endif
