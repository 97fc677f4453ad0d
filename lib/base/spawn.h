/*
 * spawn - run a command, with a deadline, and hear how it ended.
 *
 * The command gets a process group of its own, the default signal mask and
 * disposition, and /dev/null or the bytes of IN on stdin.  At its deadline, or
 * when it is ended early, the group gets SIGTERM and after the grace period
 * SIGKILL; so does every process that carries its mark in its environment, so
 * that a child which left the group is found as well.  What a background child
 * of a command that ended still holds open is not waited for.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"

/* Statuses of a command that could not be run, as env(1) has them. */
enum { SPAWN_CANNOT_RUN = 126, SPAWN_NOT_FOUND = 127 };

/* N bytes that the command wrote on its stdout (FD 1) or stderr (2); gone after the call. */
typedef void spawn_output(int fd, const char *p, size_t n, void *cookie);

struct spawn_spec {
	char *const *argv;	/* argv[0] is looked for in PATH where it has no slash */
	const char *in;		/* for its stdin, copied; NULL for /dev/null */
	size_t in_len;
	const char *dir;	/* its working directory; NULL for ours */
	const char *mark;	/* REJOIN_RUN in its environment; NULL for none */
	int64_t timeout_ms;	/* 0 for no deadline */
	int64_t grace_ms;	/* between SIGTERM and SIGKILL */
	size_t out_max;		/* bytes kept of its stdout, and of its stderr; the rest is counted */
	bool out_tail;		/* keep the last of them, at least half OUT_MAX, not the first */
	bool out_inherit;	/* its stdout is ours */
	bool err_inherit;	/* its stderr is ours */
	bool err_to_out;	/* its stderr goes where its stdout goes */
	spawn_output *output;	/* told of both as they come, instead of keeping them; NULL */
};

struct spawn_result {
	int status;		/* as the shell has it: exit status, or 128 + signal */
	int signo;		/* the signal that killed it, or 0: a shell's 130 is not a SIGINT */
	int error;		/* errno where it could not be run (status 126, 127), else 0 */
	int in_error;		/* errno where it was not given all of IN, though it would have read it */
	bool timed_out;		/* ended at its deadline */
	bool ended;		/* ended by spawn_end() */
	struct buf out, err;	/* what it wrote, up to OUT_MAX; the spawn's */
	int64_t out_lost, err_lost;	/* bytes beyond */
};

struct spawn;

/* R is the spawn's, and gone after the call. */
typedef void spawn_done(const struct spawn_result *r, void *cookie);

/*
 * Start it; DONE is called once, from the loop, also where it could not be run.
 * The spawn frees itself after that call.
 */
struct spawn *spawn_start(struct loop *l, const struct spawn_spec *spec, spawn_done *done,
    void *cookie);

/* End it as at its deadline; DONE is still called. */
void spawn_end(struct spawn *s);

/* SIGKILL it and forget it: DONE is not called. */
void spawn_kill(struct spawn *s);

/* Run it to its end, in a loop of its own; buf_release() both buffers of R. */
void spawn_run(const struct spawn_spec *spec, struct spawn_result *r);

/* SIGKILL every process whose environment has REJOIN_RUN=MARK..., a prefix; returns how many. */
int spawn_kill_marked(const char *mark);

/* The same with another signal. */
int spawn_signal_marked(const char *mark, int signo);

/* "exited with 3", "was killed by SIGSEGV", "did not end within 5000 ms", ... */
void spawn_describe(const struct spawn_result *r, struct buf *out);

#endif
