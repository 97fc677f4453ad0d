/*
 * intake - submissions received: the files of in/ read, checked, and made records.
 *
 * A file is opened without following a link or waiting, must be regular, with one
 * link, at most SUBMISSION_MAX long, and named as a submission.  Its owner is the
 * sender.  What is not so is refused, removed, and counted.  Files are read in the
 * order of their names.
 */
#ifndef HUB_INTAKE_H
#define HUB_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "hub/authority.h"
#include "hub/submission.h"

struct intake_item {
	const char *sub;	/* the submission; of its N-th line "NAME.N" from the second on */
	const char *name;	/* its file */
	struct json value;	/* the line */
	bool wait;		/* the sender wants the result */
	int64_t time_ms;	/* when it was submitted, wall time */
};

enum intake_verdict {
	INTAKE_ACCEPTED,
	INTAKE_REFUSED,		/* F says why */
	INTAKE_FULL,		/* leave it where it is, and the later urgent ones */
};

struct intake_callbacks {
	/* Queue ITEM.  It is durable after COMMIT. */
	enum intake_verdict (*accept)(const struct intake_item *item, void *cookie, struct fail *f);
	/* All that was accepted is on disk; after a failure no file is removed. */
	int (*commit)(void *cookie);
	/* Something was refused: F names it. */
	void (*refused)(const struct fail *f, void *cookie);
	void *cookie;
};

struct intake {
	const char *dir;		/* of the link */
	struct authority authority;
	int64_t accepted, refused;	/* counts */
	bool full;			/* the last scan left something: a queue is full */
	/* its own */
	char partial[SUBMISSION_NAME];	/* a file of which the first lines were taken */
	int partial_lines;
	char **answered;		/* calls that the batch answers */
	size_t n_answered, answered_cap;
};

/* Take what is in in/.  Returns the number of files removed, or a negative errno. */
int intake_scan(struct intake *in, const struct intake_callbacks *cb);

/* Remove what senders that were killed have left: no submission, and older than SUBMISSION_DONE_MS at NOW_MS. */
void intake_sweep(struct intake *in, int64_t now_ms);
void intake_release(struct intake *in);

#endif
