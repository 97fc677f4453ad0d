/*
 * sourcebuf - the bytes of a source: its buffer, and where they come from.
 *
 * A file is read by offset, a pipe in order, a feed as events come; a view of what
 * cannot be read twice reads what the source holds.  The buffer grows as long as
 * its first byte is needed (struct source: LO).
 *
 * Errors: reading stops as at the end; the source's ERROR then holds an errno.
 */
#ifndef RECORD_SOURCEBUF_H
#define RECORD_SOURCEBUF_H

#include "record/source.h"

enum { SOURCE_SAMPLE = 65536 };	/* the first bytes, at most, from which the format is told */

/* More bytes behind HI; false at the end, or where none are there yet. */
bool sourcebuf_fill(struct source *s);

/* Wait until something is there to be read, or its end.  A FIFO to which nothing wrote yet is not at its end. */
void sourcebuf_wait(const struct source *s);

/* Would reading it not wait?  Of a source with a descriptor. */
bool sourcebuf_is_ready(const struct source *s);

/* Bytes at the offset OFF, past the buffer: how many, 0 at the end, or -errno. */
ssize_t sourcebuf_read_at(const struct source *s, char *p, size_t n, int64_t off);

/* The first bytes are in the buffer, as far as they can be had at once: how many. */
size_t sourcebuf_sample(struct source *s);

#endif
