/*
 * outcome - how a run ended: the file `status` of its directory, one line of
 * JSON that the shim writes when no process of the run is left.
 *
 *	{"exit":N | "signal":N, "why":"lease"|"kill"|"timeout"|"oom",
 *	 "error":"reason","errno":N, "start":"TIME","end":"TIME",
 *	 "out":BYTES,"err":BYTES,"out_dropped":BYTES,"err_dropped":BYTES,
 *	 "output_error":"reason","output_errno":N}
 *
 * TIME is RFC 3339.  "why" is there if the end was caused from outside, "error"
 * if the command could not be executed (exit 126 or 127), "output_error" if
 * output was lost to an error.
 */
#ifndef SUPERVISE_OUTCOME_H
#define SUPERVISE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

enum outcome_why { WHY_ITSELF, WHY_KILL, WHY_LEASE, WHY_TIMEOUT, WHY_OOM };

struct outcome {
	int exit;		/* -1: ended by a signal */
	int signo;		/* 0: exited */
	enum outcome_why why;
	int error;		/* errno: could not be executed */
	int output_error;	/* errno: output was lost */
	char start[CLOCK_TEXT], end[CLOCK_TEXT];
	int64_t bytes[2], dropped[2];	/* of standard output and standard error */
};

/* -EBADMSG where TEXT is none. */
int outcome_parse(const char *text, size_t len, struct outcome *o);
void outcome_format(const struct outcome *o, struct buf *out);

/* The exit status as the shell has it: 128 + n for signal n. */
int outcome_status(const struct outcome *o);

const char *outcome_why_name(enum outcome_why w);
bool outcome_why_parse(const char *name, enum outcome_why *w);

/* "exited with 3", "was killed by SIGKILL (timeout)", ... added to OUT. */
void outcome_describe(const struct outcome *o, struct buf *out);

#endif
