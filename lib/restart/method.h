/*
 * method - how an agent is restarted: one table entry for each value of
 * [restart] method.
 *
 * A method inspects the agent (which instance is there?) and restarts it; to
 * verify the result is the task of restart/restart.h.  To add a method: a file
 * method_NAME.c with its entry, and a line in method.c.
 *
 * Errors: EXIT_USAGE for a profile that lacks a key, EXIT_DENIED, EXIT_ABSENT if
 * the agent is not running and nothing would start it, EXIT_NO if the restart was
 * refused or failed, EXIT_TIMEOUT, EXIT_TROUBLE.
 */
#ifndef RESTART_METHOD_H
#define RESTART_METHOD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/instance_state.h"
#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

struct restart_method_call {
	const struct profile *p;
	const struct instance_state *before;	/* the instance to be replaced */
	bool conditional;		/* restart only a running agent */
	const char *reason;		/* empty for none */
	int64_t end_ms;			/* deadline on the monotonic clock */
	/* called once when the process of BEFORE has ended, where the method can see that */
	void (*stopped)(void *cookie);
	void *cookie;
	struct fail *warning;		/* set where the caller should know something */
};

struct restart_method {
	const char *name;		/* [restart] method */

	/* Fill L with the present instance.  "Not running" is a state, not an error. */
	int (*inspect)(const struct profile *p, int64_t end_ms, struct instance_state *l, struct fail *f);

	/* Restart the agent; returns as soon as the restart was accepted. */
	int (*restart)(const struct restart_method_call *c, struct fail *f);

	/* Append what restart() would do to OUT: lines "WHAT<tab>HOW". */
	void (*describe)(const struct profile *p, bool conditional, struct buf *out);

	/* When restart() returns, the old instance has ended or will not be replaced. */
	bool is_prompt;

	int64_t inspect_ms;	/* least time between two inspections; 0 if they are cheap */
};

/* P's method; NULL with F filled in (EXIT_USAGE) if its profile has none. */
const struct restart_method *restart_method_find(const struct profile *p, struct fail *f);

extern const struct restart_method restart_method_systemd, restart_method_signal,
    restart_method_exec, restart_method_http, restart_method_impcentral, restart_method_s6;

/* The time left until END_MS on the monotonic clock, at least 1 ms. */
int64_t restart_method_left_ms(int64_t end_ms);

/*
 * Run ARGV until C's deadline, and call C's stopped() when the old process ends.
 * Returns its exit status or an error, as command_capture() does.
 */
int restart_method_run(const struct restart_method_call *c, const char *const *argv, struct fail *f);

/* Append "WHAT<tab>" and the words of ARGV, separated by blanks, to OUT. */
void restart_method_describe_argv(const char *what, char *const *argv, struct buf *out);

#endif
