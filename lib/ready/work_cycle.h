/*
 * work_cycle - a work cycle that outlives the process that started it: a command under the
 * shim (supervise/shim.h), in the directory "run" of a peer's state directory.
 *
 * The shim is the subreaper of all that the command starts, so a command that changes
 * its user, clears its environment and closes its descriptors stays within reach.  The
 * directory is made for one cycle and removed when its end is recorded elsewhere.
 * The caller holds the peer's lock (ready/run_lock.h).
 * Errors: a negative errno with F filled.
 */
#ifndef READY_WORK_CYCLE_H
#define READY_WORK_CYCLE_H

#include "base/fail.h"
#include "base/loop.h"
#include "supervise/supervise.h"

struct work_cycle;

/*
 * It is over: V as of supervise_done.  Called once, from the loop; the handle is still
 * to be released.
 */
typedef void work_cycle_done(const struct supervise_view *v, const struct fail *f, void *cookie);

/* What is in STATE_DIR: NEW where no cycle was started.  EXIT_DENIED if another user made it. */
int work_cycle_examine(const char *state_dir, enum supervise_state *state, struct fail *f);

/* ARGV with the environment, the working directory and the standard descriptors of the caller. */
struct work_cycle *work_cycle_start(struct loop *l, const char *state_dir, char *const *argv, work_cycle_done *done,
    void *cookie, struct fail *f);

/* One that another process started: RUNNING, ENDED or INTERRUPTED. */
struct work_cycle *work_cycle_adopt(struct loop *l, const char *state_dir, work_cycle_done *done, void *cookie);

/* SIGNO to the process group of the command. */
void work_cycle_signal(struct work_cycle *c, int signo);

/* Free the handle; the cycle continues. */
void work_cycle_release(struct work_cycle *c);

/* End whatever runs in STATE_DIR, wait for that, and remove the directory. */
int work_cycle_clear(const char *state_dir, struct fail *f);

/* Remove the directory of a cycle that is over. */
int work_cycle_remove(const char *state_dir, struct fail *f);

#endif
