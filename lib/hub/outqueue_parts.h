/*
 * outqueue_parts - for the files of the outqueue: the struct, and what reading, appending and
 * opening share.
 */
#ifndef HUB_OUTQUEUE_PARTS_H
#define HUB_OUTQUEUE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "hub/outqueue.h"

enum { OUTQUEUE_SEGMENT_NAME = 40 };

struct outqueue_segment {
	int64_t first, last;	/* ids */
	int64_t size, records;	/* bytes and lines */
};

/* What a commit has made readable: all before END bytes of segment N - 1. */
struct outqueue_mark {
	size_t n;
	int64_t end, last, records;
};

struct outqueue {
	char *path;
	int dir;
	int64_t max;
	bool durable, is_new_segment;
	int unsynced;			/* the -errno that left a segment behind which is perhaps not on disk */
	struct outqueue_segment *v;	/* oldest first */
	size_t n, cap;
	int fd;				/* of the last segment, to append; -1 for none */
	struct outqueue_mark committed;
	int64_t last;
	int64_t confirmed;		/* id */
	int64_t head;			/* offset in V[0] of the first line that is not confirmed */
	int64_t *accepted;		/* ids confirmed behind the head, sorted */
	size_t n_accepted, accepted_cap;
	struct { int64_t id, prev, n, all; } dropped;
	struct { int64_t id, n; } given;	/* the range of DROPPED that was given out */
	int64_t damaged;
	int read_fd;			/* of the segment READ_FIRST */
	int64_t read_first;
	struct { int64_t id, first, at; } place;	/* where the item after ID begins */
};

void outqueue_segment_name(char name[OUTQUEUE_SEGMENT_NAME], int64_t first);

/* The id in a line that begins with {"id":ID, and ends as an object; -1 for another. */
int64_t outqueue_line_id(const char *s, size_t n);

/* The line at AT of segment I into LINE, without its newline: 1, 0 at the end, or a negative errno. */
int outqueue_line_read(struct outqueue *q, size_t i, int64_t at, struct buf *line);

/* All up to this id is confirmed or counted as dropped. */
int64_t outqueue_base(const struct outqueue *q);

/* Segment I is unlinked. */
void outqueue_remove_segment(struct outqueue *q, size_t i);

/* What was appended is readable. */
void outqueue_mark_committed(struct outqueue *q);

/* The file cursor: what is confirmed and what was dropped.  DURABLE: on disk at the return, in a durable queue. */
int outqueue_cursor_write(struct outqueue *q, bool durable);

/* Read the cursor and the segments of the directory, and open the last one. */
int outqueue_load(struct outqueue *q);

#endif
