/*
 * method - a way to restart an agent: one entry of a table for each.
 *
 * A method looks (which incarnation is there?) and acts (have it replaced); to
 * see what came of it is restart/restart.h's.  To add one: a file
 * method_NAME.c with its entry, and a line in method.c.
 *
 * Errors: EXIT_USAGE for a profile that lacks what it needs, EXIT_DENIED,
 * EXIT_ABSENT where there is nothing to restart and nothing to start it,
 * EXIT_NO where the restart was refused or failed, EXIT_TIMEOUT, EXIT_TROUBLE.
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
	const struct instance_state *before;	/* what was there before */
	bool conditional;		/* only what runs, or as the other side defines it */
	const char *reason;		/* empty for none */
	int64_t end_ms;			/* on the monotonic clock */
};

struct restart_method {
	const char *name;		/* [restart] method */

	/* What is there now.  Not running is a life, not an error. */
	int (*inspect)(const struct profile *p, int64_t end_ms, struct instance_state *l, struct fail *f);

	/* Have it replaced; 0 as soon as that was accepted. */
	int (*restart)(const struct restart_method_call *c, struct fail *f);

	/* What restart() would do: lines "WHAT<tab>HOW". */
	void (*describe)(const struct profile *p, bool conditional, struct buf *out);

	/* When restart() returns the old incarnation is gone, or was not replaced at all. */
	bool is_prompt;

	int64_t inspect_ms;	/* between two looks, at least; 0 where one costs little */
};

/* P's method; NULL with F filled (EXIT_USAGE) where its profile has none. */
const struct restart_method *restart_method_find(const struct profile *p, struct fail *f);

extern const struct restart_method restart_method_systemd, restart_method_signal, restart_method_exec, restart_method_http,
    restart_method_impcentral, restart_method_s6;

/* What is left until END_MS on the monotonic clock, at least 1 ms. */
int64_t restart_method_left_ms(int64_t end_ms);

/* The words of ARGV, one blank between two, after "WHAT<tab>". */
void restart_method_describe_argv(const char *what, char *const *argv, struct buf *out);

#endif
