/*
 * lock - advisory locks on files: open file description locks, fcntl(2).
 *
 * A lock belongs to the descriptor, not the process: a crash frees it, two
 * descriptors in one process exclude each other.
 * Errors: a negative errno; -EAGAIN where another holds it, -ETIMEDOUT.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdint.h>
#include <sys/types.h>

/* Descriptor of PATH, made with MODE (whatever the umask) where it is missing; no link is followed. */
int lock_open(const char *path, mode_t mode);

int lock_try(int fd);

/* Wait for it without polling; TIMEOUT_MS < 0 waits for ever.  -EINTR on a signal. */
int lock_wait(int fd, int64_t timeout_ms);

/*
 * Wait until no process holds the lock, without keeping it; FD may be open for
 * reading only.  Waiters do not exclude each other, but for a moment they
 * exclude a process that tries to lock: one that is waited for in this way
 * locks with lock_wait().
 */
int lock_wait_free(int fd, int64_t timeout_ms);

void lock_release(int fd);

/* 1 if another process holds the lock, 0 if none does, or -errno. */
int lock_is_held(int fd);

#endif
