/*
 * exec - the child of a shim: forked, held back until the shim releases it,
 * then executed as the launch says.
 *
 * The child leads its own session and process group.  It dies with the shim:
 * before the release because its pipe ends, afterwards by PR_SET_PDEATHSIG.
 * It has the default signal dispositions, no descriptor above 2, the
 * environment of the launch, and REJOIN_RUN=MARK.  A signal that it gets between
 * the fork and the execution ends it after the release, as it would end the
 * command: none is lost.
 */
#ifndef SUPERVISE_EXEC_H
#define SUPERVISE_EXEC_H

#include <sys/types.h>

#include "base/fail.h"
#include "supervise/launch.h"
#include "supervise/started.h"

struct exec_spec {
	int dir;			/* of the run: its stdin file is there */
	const struct launch *launch;
	int out[2];			/* its standard output and error; -1: inherited */
	char mark[STARTED_MARK];
};

struct exec_child {
	pid_t pid;
	int go_fd;
	int error_fd;	/* an int, the errno of a failed exec, or nothing; the caller's to close */
};

int exec_prepare(const struct exec_spec *spec, struct exec_child *c, struct fail *f);

/* Let it execute the command; or have it exit. */
void exec_release(struct exec_child *c);
void exec_cancel(struct exec_child *c);

#endif
