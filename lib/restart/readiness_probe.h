/*
 * sign - what shows that a restarted agent is ready: [restart] ready.
 *
 *	notify		its supervisor was told so
 *	log:REGEX	a line that matches, written since: restart/log_probe.h
 *	probe:ARGV	a command ends with 0
 *	fifo-reader	somebody reads the pipe of [retry]
 *	status		[status] says so
 *
 * A pipe is opened under the agent's retry lock, and no more after the first
 * success, because the Azure agent opens its pipe anew after each writer.
 */
#ifndef RESTART_READINESS_PROBE_H
#define RESTART_READINESS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/instance_state.h"
#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"
#include "restart/log_probe.h"

struct readiness_probe {
	const struct profile *p;	/* borrowed */
	struct log_probe *log;		/* of READY_LOG */
	char old[INSTANCE_NAME];		/* the incarnation that is to go */
};

/*
 * From here on; OLD is the incarnation that is there.  WHATEVER: also what was
 * written before counts, where somebody else has restarted it.
 */
int readiness_probe_begin(struct readiness_probe *s, const struct profile *p, const char *old, bool whatever,
    struct fail *f);

/* Another incarnation than the last one looked at is there: what that one showed does not count. */
void readiness_probe_reset(struct readiness_probe *s);

/*
 * Is L ready: 1, 0, or an error that will not go away: EXIT_DENIED,
 * EXIT_USAGE.  END_MS on the monotonic clock bounds what is asked.
 */
int readiness_probe_check(struct readiness_probe *s, const struct instance_state *l, int64_t end_ms, struct fail *f);

void readiness_probe_release(struct readiness_probe *s);

#define _cleanup_readiness_probe_	__attribute__((cleanup(readiness_probe_release)))

/* "notify", "log:up", ... of P, for people. */
void readiness_probe_describe(const struct profile *p, struct buf *out);

#endif
