/*
 * shim - runs one command for a supervisor that may die, restart, and find the
 * command again: the whole work of the program rejoin-shim.
 *
 * A run is a directory of the supervisor.  Its files, in order:
 *
 *	request.json	what to run (supervise/launch.h); by the supervisor
 *	lock		an OFD lock on it is held as long as the shim lives
 *	started		O_EXCL, on disk before the command is executed (supervise/started.h)
 *	out.* err.*	output (supervise/segment.h), unless it is inherited
 *	index		when which byte was read
 *	end		{"why","signal","grace_ms"}: end it; by the supervisor
 *	lease		{"file":"PATH"|null}: the lease (supervise/lease.h); by the supervisor
 *	status		by rename, after the end (supervise/outcome.h)
 *
 * Lock held: it runs.  Lock free and `status` there: it ended.  Lock free and
 * only `started` there: the shim was killed, its end is not known.  Neither:
 * nothing was executed, and it may be started again.
 *
 * The command leads its own session, in its own cgroup where one can be had;
 * the shim is a child subreaper, so that nothing that the command starts leaves
 * its reach.  SIGTERM ends the run as `end` does; SIGUSR1 has the shim read
 * `end` and `lease` again.  A run ends by SIGTERM to all of its processes,
 * SIGKILL after the grace period.  The status is written when none is left.
 */
#ifndef SUPERVISE_SHIM_H
#define SUPERVISE_SHIM_H

#include "base/fail.h"

struct shim_spec {
	const char *dir;
	int lock_fd;	/* the lock, held already; -1: take it */
	int report_fd;	/* what `started` says is written to it, then it is closed; -1: none */
};

/*
 * Run it to its end.  Returns 0 once the status is on disk; -EBUSY: another
 * shim holds the lock; -EEXIST: it was started before.  After an error nothing
 * was executed.
 */
int shim_run(const struct shim_spec *spec, struct fail *f);

#endif
