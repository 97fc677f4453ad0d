/*
 * sign - what shows that a restarted agent is ready: [restart] ready.
 *
 *	notify		its supervisor was told so
 *	log:REGEX	a line that matches, written since: agent/signlog.h
 *	probe:ARGV	a command ends with 0
 *	fifo-reader	somebody reads the pipe of [retry]
 *	status		[status] says so
 *
 * A pipe is opened under the agent's retry lock, and no more after the first
 * success, because the Azure agent opens its pipe anew after each writer.
 */
#ifndef AGENT_SIGN_H
#define AGENT_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/life.h"
#include "agent/profile.h"
#include "agent/signlog.h"
#include "base/buf.h"
#include "base/fail.h"

struct sign {
	const struct profile *p;	/* borrowed */
	struct signlog *log;		/* of READY_LOG */
	char old[LIFE_NAME];		/* the incarnation that is to go */
};

/*
 * From here on; OLD is the incarnation that is there.  WHATEVER: also what was
 * written before counts, where somebody else has restarted it.
 */
int sign_begin(struct sign *s, const struct profile *p, const char *old, bool whatever,
    struct fail *f);

/* Another incarnation than the last one looked at is there: what that one showed does not count. */
void sign_begin_again(struct sign *s);

/*
 * Is L ready: 1, 0, or an error that will not go away: EXIT_DENIED,
 * EXIT_USAGE.  END_MS on the monotonic clock bounds what is asked.
 */
int sign_look(struct sign *s, const struct life *l, int64_t end_ms, struct fail *f);

void sign_release(struct sign *s);

#define _cleanup_sign_	__attribute__((cleanup(sign_release)))

/* "notify", "log:up", ... of P, for people. */
void sign_describe(const struct profile *p, struct buf *out);

#endif
