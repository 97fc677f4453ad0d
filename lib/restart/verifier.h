/*
 * proof - see what came of a restart: wait for an incarnation other than the
 * old one, for it to be ready, and for it to stay so.
 *
 * An incarnation that does not stay is no success, however often it is started
 * again: one must have come before the deadline, and stay.
 */
#ifndef RESTART_VERIFIER_H
#define RESTART_VERIFIER_H

#include "agent/instance_state.h"
#include "base/fail.h"
#include "restart/method.h"
#include "restart/readiness_probe.h"

struct restart_verifier {
	const struct profile *p;
	const struct restart_method *m;
	struct readiness_probe *sign;
	const char *old;	/* the incarnation that is to go; "" for none */
	int64_t begun_ms;	/* the restart, on the monotonic clock */
	int64_t end_ms;		/* until then it must be ready */
	int acted;		/* what the method's restart() returned */
	const struct fail *why;	/* and why, where that is an error */
	struct instance_state life;	/* the last one seen */
	int64_t ready_ms;	/* since BEGUN_MS, where it was */
	const char *outcome;	/* agent/history.h's word for it */
};

int restart_verifier_wait(struct restart_verifier *w, struct fail *f);

#endif
