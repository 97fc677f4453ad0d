/*
 * io - descriptors.
 *
 * Every read and write of the toolkit that is not stdio's goes through here,
 * and so through read(2) and write(2), which test/fault can make fail.
 * Errors: a negative errno.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* Close on leaving the scope; a negative one is left alone. */
#define _cleanup_fd_	__attribute__((cleanup(io_closep)))
void io_closep(int *fd);	/* closed, and -1; errno stays */

/* NAME for reading, close-on-exec; a copy of standard input for "-". */
int io_open(const char *name);

/* As read(2), taken up again after a signal; 0 is the end. */
ssize_t io_read(int fd, void *buf, size_t n);

/* One read(2) into the end of B, of at most 64 KiB; 0 is the end, -EMSGSIZE a full B. */
ssize_t io_read_buf(int fd, struct buf *b);

/* As write(2), taken up again after a signal: one call, which may be short. */
ssize_t io_write(int fd, const void *buf, size_t n);

/* All N bytes. */
int io_write_all(int fd, const void *buf, size_t n);

#endif
