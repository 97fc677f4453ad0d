/*
 * output - what a task wrote, for the answers of the task agent.
 *
 * One stream is sent as it is.  Several streams are sent in frames:
 *
 *	out OFFSET LENGTH\n BYTES		GET /1/tasks/ID/output
 *	ID out OFFSET LENGTH\n BYTES		GET /1/output?session=S
 *
 * where "out" may be "err".  A range that is no longer there is told once, with
 * its exact bounds.
 */
#ifndef TASK_OUTPUT_H
#define TASK_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "task/store.h"

enum { OUTPUT_MAX = 1 << 20 };	/* bytes of one answer */

/* Where a reader is in the two streams of a task. */
struct output_place {
	int64_t at[2];
};

enum output_result {
	OUTPUT_SOME,	/* bytes were added, and the place moved */
	OUTPUT_NONE,	/* none yet */
	OUTPUT_END,	/* none, and none will come */
	OUTPUT_GAP,	/* the bytes of a stream from its place on are missing */
	OUTPUT_BEYOND,	/* a place is behind the last byte that was written */
};

struct output_gap {
	int stream;
	int64_t first;		/* the first offset that is there, or the end; BEYOND: the end */
};

/*
 * The bytes of stream I (0 or 1; -1: of both, in frames) of T from P on, added
 * to OUT up to MAX bytes.  PREFIX stands before each frame.
 */
enum output_result output_read(const struct taskrecord *t, int i, struct output_place *p, const char *prefix,
    size_t max, struct buf *out, struct output_gap *gap);

#endif
