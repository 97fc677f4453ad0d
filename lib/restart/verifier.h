/*
 * verifier - verify a restart: wait for another incarnation than the old one, for
 * it to be ready, and for it to stay the same [restart] stable long.
 *
 * An instance that ends again is no success, however often its supervisor starts
 * it: one of them must be ready before the deadline, and stay.
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
	struct readiness_probe *probe;
	const char *old;	/* the incarnation that was replaced; "" for none */
	int64_t begun_ms;	/* time of the restart on the monotonic clock */
	int64_t end_ms;		/* deadline for an instance to be ready */
	int acted;		/* what the method's restart() returned, */
	const struct fail *why;	/* and its error */
	/* results: */
	struct instance_state instance;	/* the last one seen */
	int64_t ready_ms;	/* time from the restart until it was ready */
	const char *outcome;	/* a word of agent/history.h */
};

/* Errors: EXIT_NO, EXIT_TIMEOUT, and those of inspect() and of the readiness probe. */
int restart_verifier_wait(struct restart_verifier *w, struct fail *f);

#endif
