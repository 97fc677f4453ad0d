/*
 * retention - what a rotation of the history has to keep.
 *
 * The history is PATH.kept, PATH.1 and PATH, in the order of their records.  A
 * rotation makes PATH into PATH.1; before that the records of PATH.1 that their
 * owner has not released go to PATH.kept, whose own are dropped when they are
 * released.  A crash in between leaves records in two files: readers pass over
 * an id that is not greater than the one before.
 */
#ifndef TASK_RETENTION_H
#define TASK_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "task/committer.h"
#include "task/releases.h"

/* Open: filled in before the job, read after it. */
struct retention {
	struct taskhistory *history;	/* the caller's */
	const char *path;		/* of the history */
	bool whole;			/* PATH.1 as well; else PATH.kept alone, of which some was released */
	struct buf forgotten;		/* what PATH.forgotten is to hold (task/forgotten.h) */
	struct releases releases;	/* as they are; then with what was dropped and kept */
	int64_t last;			/* id of the last record that was kept */
};

/* A committer's work; COOKIE is a retention.  On the disk when this returns 0. */
int retention_work(struct committer_job *j, void *cookie);

void retention_release(struct retention *r);

#endif
