/*
 * started - the file `started` of a run's directory, which the shim writes
 * before the command is executed: one line of JSON.
 *
 *	{"pid":N,"start":TICKS,"shim":N,"shim_start":TICKS,"boot":"ID",
 *	 "cgroup":"/DIR","time":"RFC 3339"}
 *
 * PID leads its own session.  TICKS is proc(5)'s field 22, so that a pid that is
 * used again is not mistaken for the run's.
 */
#ifndef SUPERVISE_STARTED_H
#define SUPERVISE_STARTED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bootid.h"
#include "base/buf.h"
#include "base/clock.h"
#include "supervise/cgroup.h"
#include "supervise/procs.h"

struct started {
	pid_t pid, shim;		/* 0: not known */
	uint64_t ticks, shim_ticks;
	char boot[BOOTID_SIZE];		/* empty: not known */
	char cgroup[CGROUP_PATH];	/* empty: none */
	char time[CLOCK_TEXT];
};

/* -EBADMSG where TEXT is none; a file that cannot be read still means that the run had begun. */
int started_parse(const char *text, size_t len, struct started *s);
void started_format(const struct started *s, struct buf *out);

enum { STARTED_MARK = 96 };

/* REJOIN_RUN in the environment of the run's processes, found again by base/spawn's marks. */
void started_mark(const struct started *s, char mark[STARTED_MARK]);

#endif
