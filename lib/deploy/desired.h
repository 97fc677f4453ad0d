/*
 * desired - the "desired" twin: the goal as it was last taken from the hub.
 *
 * It is kept on disk before it is acted on, so that a crash forgets nothing and
 * a hub that does not answer changes nothing.  Without a signature the file
 * alone says what is to be run; it must then be one that nobody else could have
 * written.
 *
 * Errors: EXIT_USAGE for what is no goal, EXIT_DENIED for one that is not to be
 * trusted.
 */
#ifndef DEPLOY_DESIRED_H
#define DEPLOY_DESIRED_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/fail.h"
#include "deploy/goal.h"

struct desired {
	char *source;		/* the goal's file, or NULL where there is none to be had */
	char *kept;		/* the twin's file */
	bool allow_unsigned;
	bool refused;		/* what SOURCE holds now was refused */
	struct buf text;	/* what was last taken */
};

/* SOURCE may be NULL; STATE is the state directory. */
void desired_init(struct desired *d, const char *source, const char *state, bool allow_unsigned);
void desired_release(struct desired *d);

/* The goal that was kept: 0 with it in OUT, -ENOENT where there is none. */
int desired_load(struct desired *d, struct goal **out, struct fail *f);

/*
 * Look at the source: 1 with a goal in OUT that says something else than the
 * last one (it is kept by then), 0 where there is nothing new, < 0 refused.
 */
int desired_look(struct desired *d, struct goal **out, struct fail *f);

#endif
