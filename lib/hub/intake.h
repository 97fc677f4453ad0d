/*
 * intake - submissions received: the files of in/ read, checked, and made records.
 *
 * A file is opened without following a link or waiting, must be regular, with one
 * link, at most SUBMISSION_MAX long, and named as a submission.  Its owner is the
 * sender.  What is not so is refused, removed, and counted.  Files are read in the
 * order of their names.
 *
 * The records of one file are of one queue.  A queue that is full leaves its files
 * where they are, and the file of which it took a part is continued.
 *
 * One call takes a slice: at most INTAKE_FILES files, and no further one after
 * INTAKE_MS, so that a sender that submits without end does not keep the caller
 * from its other work.  The slices of a pass go through all names in their order.
 */
#ifndef HUB_INTAKE_H
#define HUB_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "hub/authority.h"
#include "hub/submission.h"

enum { INTAKE_FILES = 256, INTAKE_MS = 100 };

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
	INTAKE_FULL,		/* leave it where it is, and the later ones of its queue */
};

struct intake_callbacks {
	/* Queue ITEM.  It is durable after COMMIT. */
	enum intake_verdict (*accept)(const struct intake_item *item, void *cookie, struct fail *f);
	/* All that was accepted is on disk; after a failure no file is removed. */
	int (*commit)(void *cookie);
	/* N records, or a whole file, were refused: F names the file and the reason of the first. */
	void (*refused)(const struct fail *f, int64_t n, void *cookie);
	void *cookie;
};

struct intake_file {
	char name[SUBMISSION_NAME];
	int64_t hlc;
};

/* A file of which a queue took the first LINES. */
struct intake_part {
	char name[SUBMISSION_NAME];
	int lines;
};

struct intake {
	const char *dir;		/* of the link */
	struct authority authority;
	int64_t accepted, refused;	/* counts */
	bool more;			/* the pass is not over: scan again, at once */
	bool full, left;		/* the last pass left urgent files; it left files */
	/* its own */
	struct intake_file at;		/* the last file of the pass so far */
	bool waiting[2];		/* in this pass: the bulk, the urgent queue is full */
	struct intake_part parts[2];	/* of the bulk, of the urgent queue */
	char **answered;		/* calls that the batch answers */
	size_t n_answered, answered_cap;
};

/*
 * Take a slice of what is in in/; a pass begins where none is under way.  Returns the
 * number of files read, or a negative errno: no file was removed, and the pass is over.
 */
int intake_scan(struct intake *in, const struct intake_callbacks *cb);

/* Remove what senders that were killed have left: no submission, and older than SUBMISSION_DONE_MS at NOW_MS. */
void intake_sweep(struct intake *in, int64_t now_ms);
void intake_release(struct intake *in);

#endif
