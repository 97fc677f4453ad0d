/*
 * state_dir - the agent's state directory: its lock, its directories, and what a
 * killed agent left in them.
 *
 * Every directory must be the caller's or root's, and not writable by others.
 * deploy/reconcile.h lists what is in it.
 */
#ifndef DEPLOY_STATE_DIR_H
#define DEPLOY_STATE_DIR_H

#include "base/fail.h"

struct state_dir {
	char *path;		/* absolute: it marks the handlers' processes */
	char *twins, *work, *cache, *runs;
	int lock_fd;
};

#define STATE_DIR_INIT	{ .lock_fd = -1 }

/*
 * Make and lock PATH and what is below it.  EXIT_BUSY where another agent works in it.  S is to be
 * released in any case.
 */
int state_dir_open(const char *path, struct state_dir *s, struct fail *f);
void state_dir_release(struct state_dir *s);

/* Remove the work directories, unless a run is there whose files may be in them. */
void state_dir_remove_work(const struct state_dir *s);

/* Remove the temporary files of an agent that was killed. */
void state_dir_remove_temporaries(const struct state_dir *s);

#endif
