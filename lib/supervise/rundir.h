/*
 * rundir - the files of a run's directory, as the shim reads and writes them.
 * They are listed in supervise/shim.h.
 *
 * DIR is a descriptor of the directory.  Errors: a negative errno.
 */
#ifndef SUPERVISE_RUNDIR_H
#define SUPERVISE_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "supervise/outcome.h"
#include "supervise/started.h"

enum { RUNDIR_SMALL = 4096 };	/* bytes of `end` and `lease` */

/* The regular file NAME into OUT; -EFBIG where it is over MAX. */
int rundir_load(int dir, const char *name, size_t max, struct buf *out);

/* `started`, by O_EXCL and on disk when this returns; -EEXIST.  After an error it is not there. */
int rundir_write_started(int dir, const struct started *s);

/* Room for the status, so that a disk that fills up meanwhile cannot hide the end. */
int rundir_reserve_status(int dir);

/* `status`, by rename and on disk when this returns. */
int rundir_write_status(int dir, const struct outcome *o);

/* What the supervisor wants: SIGNO first, SIGKILL after GRACE_MS. */
struct rundir_end {
	enum outcome_why why;
	int signo;
	int64_t grace_ms;
};

/*
 * `end`, the request for an end; -ENOENT.  One that cannot be understood is a request as well: SIGTERM,
 * GRACE_MS, WHY_KILL.
 */
int rundir_load_end(int dir, int64_t grace_ms, struct rundir_end *e);

/* The directory was removed: no file can be made in it any more. */
bool rundir_is_removed(int dir);

/*
 * Nanoseconds that the run's lease has left, 0 where it has expired, is missing
 * or cannot be read; -1 where the run has none.  REQUIRED: it had one at the start.
 */
int64_t rundir_lease_left(int dir, bool required, const char *boot);

#endif
