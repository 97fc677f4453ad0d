/*
 * segment - the output of a run, in files that are bounded and never truncated.
 *
 * A stream ("out" or "err") is a sequence of bytes numbered from 0.  The file
 * STREAM.OFFSET holds its bytes from OFFSET on, at most SEGMENT_SIZE of them.
 * When both streams together pass their maximum the oldest segment is unlinked.
 * A byte that could not be written keeps its number: the next segment begins
 * behind it.  So a reader that asks by offset gets each byte once, and learns
 * the exact bounds of what is missing.
 *
 * The file "index" has a line "STREAM OFFSET MICROSECONDS\n" (since 1970) for
 * each 64 KiB or second of output: when the byte OFFSET was read.
 * Errors: a negative errno.
 */
#ifndef SUPERVISE_SEGMENT_H
#define SUPERVISE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SEGMENT_SIZE = 1 << 20 };

struct segment_stream {
	const char *name;
	int fd;			/* of the last segment; -1 for none */
	int64_t end;		/* offset of the next byte */
	int64_t dropped;	/* bytes that are no longer there, or never were */
	int64_t *starts;	/* of the segments that are there, oldest first */
	int64_t *sizes;
	size_t n, starts_cap, sizes_cap;
	int64_t indexed, indexed_us;
};

struct segment_log {
	int dir;			/* borrowed */
	int index_fd;
	int64_t index_size;
	struct segment_stream streams[2];	/* out, err */
	int64_t max;			/* bytes of both streams that are kept */
	int error;			/* the first errno that lost output, or 0 */
};

void segment_log_open(struct segment_log *l, int dir, int64_t max);

/* N bytes of stream I (0 or 1) at NOW_US.  An error is counted in L, not returned: the command continues. */
void segment_log_write(struct segment_log *l, int i, const void *p, size_t n, int64_t now_us);

/* All that is kept is on disk. */
int segment_log_sync(struct segment_log *l);
void segment_log_close(struct segment_log *l);

/* Reading, also while it is written. */
struct segment_reader {
	int dir;		/* borrowed */
	const char *name;	/* "out" or "err" */
	int fd;			/* of a segment; -1 for none */
	int64_t start;
};

#define SEGMENT_READER_INIT(d, s)	{ (d), (s), -1, 0 }

/*
 * At most N bytes of the stream from offset FROM on.  0: none there yet.
 * -ENODATA: the byte FROM is missing, and *NEXT is the offset of the first one
 * after it that is there.
 */
ssize_t segment_read(struct segment_reader *r, int64_t from, void *p, size_t n, int64_t *next);
void segment_reader_close(struct segment_reader *r);

/* The offset behind the last byte that is there, and of the first that is; 0 and 0 for none. */
int segment_bounds(int dir, const char *name, int64_t *first, int64_t *end);

#endif
