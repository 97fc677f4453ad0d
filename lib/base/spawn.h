/*
 * spawn - run a program: stdin from memory, stdout and stderr kept or passed on
 * in pieces, with a deadline.
 *
 * The program starts with default signal dispositions and an empty signal mask.
 * It gets descriptors 0, 1 and 2, and, where its stdout is ours, also those that
 * were passed to us: then it runs in our place, as under xargs(1).  It leads a process group, or a session where
 * SESSION is set.  The loop owns the process (base/loop.h): at the deadline, by
 * spawn_end() and at shutdown it gets SIGTERM, after GRACE_MS SIGKILL, and so do
 * the descendants that are in its group, its session or have its MARK.  With GUARD so
 * do all its descendants, also where we are killed: it runs below the program rejoin-guard.
 * When the program has ended, output that its descendants still hold open is not
 * waited for.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"

/* Statuses of a program that could not be run, as of env(1). */
enum { SPAWN_CANNOT_RUN = 126, SPAWN_NOT_FOUND = 127 };

/* N bytes that the program wrote to its stdout (FD 1) or stderr (2); valid during the call. */
typedef void spawn_output(int fd, const char *p, size_t n, void *cookie);

struct spawn_spec {
	char *const *argv;	/* argv[0] is looked for in PATH where it has no slash */
	const char *in;		/* for its stdin, copied; NULL for /dev/null */
	size_t in_len;
	const char *dir;	/* its working directory; NULL for ours */
	const char *mark;	/* REJOIN_RUN in its environment (base/procset.h); NULL for none */
	char *const *env;	/* its whole environment beside MARK; NULL for ours */
	bool session;		/* a session of its own, without our terminal */
	bool guard;		/* none of its descendants gets away; not with OUT_INHERIT */
	int64_t timeout_ms;	/* 0 for no deadline */
	int64_t grace_ms;	/* between SIGTERM and SIGKILL */
	size_t out_max;		/* bytes kept of its stdout, and of its stderr; the rest is counted */
	bool out_tail;		/* keep the last of them, at least half OUT_MAX, not the first */
	bool out_inherit;	/* its stdout is ours */
	bool err_inherit;	/* its stderr is ours */
	bool err_to_out;	/* its stderr goes where its stdout goes */
	spawn_output *output;	/* called for each piece, instead of keeping it; NULL */
};

struct spawn_result {
	int status;		/* as the shell has it: exit status, or 128 + signal */
	int signo;		/* the signal that killed it, or 0: a shell's 130 is not a SIGINT */
	int error;		/* errno where it could not be run (status 126, 127), else 0 */
	int in_error;		/* errno of a failed write of IN; 0 also where the program did not read it all */
	bool timed_out;		/* ended at its deadline */
	bool ended;		/* ended by spawn_end() */
	struct buf out, err;	/* its output, up to OUT_MAX; the spawn's */
	int64_t out_lost, err_lost;	/* bytes beyond OUT_MAX */
};

struct spawn;

/* R is the spawn's, valid during the call. */
typedef void spawn_done(const struct spawn_result *r, void *cookie);

/*
 * Start the program.  DONE is called once, from the loop, also where it could not
 * be run; the spawn is freed after that call.
 */
struct spawn *spawn_start(struct loop *l, const struct spawn_spec *spec, spawn_done *done,
    void *cookie);

/* End it as its deadline does; DONE is still called. */
void spawn_end(struct spawn *s);

/* SIGKILL it and free the spawn: DONE is not called. */
void spawn_kill(struct spawn *s);

/* Run it to its end, in a loop of its own; buf_release() both buffers of R. */
void spawn_run(const struct spawn_spec *spec, struct spawn_result *r);

/* "exited with 3", "was killed by SIGSEGV", "did not end within 5000 ms", ... */
void spawn_describe(const struct spawn_result *r, struct buf *out);

#endif
