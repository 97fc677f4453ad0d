/*
 * proof - see what came of a restart: wait for an incarnation other than the
 * old one, for it to be ready, and for it to stay so.
 *
 * An incarnation that does not stay is no success, however often it is started
 * again: one must have come before the deadline, and stay.
 */
#ifndef AGENT_PROOF_H
#define AGENT_PROOF_H

#include "agent/life.h"
#include "agent/method.h"
#include "agent/sign.h"
#include "base/fail.h"

struct proof {
	const struct profile *p;
	const struct method *m;
	struct sign *sign;
	const char *old;	/* the incarnation that is to go; "" for none */
	int64_t begun_ms;	/* the restart, on the monotonic clock */
	int64_t end_ms;		/* until then it must be ready */
	int acted;		/* what the method's act() returned */
	const struct fail *why;	/* and why, where that is an error */
	struct life life;	/* the last one seen */
	int64_t ready_ms;	/* since BEGUN_MS, where it was */
	const char *outcome;	/* agent/history.h's word for it */
};

int proof_wait(struct proof *w, struct fail *f);

#endif
