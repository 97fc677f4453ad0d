/*
 * handshake - waits for the verdict (ready/readiness.h) on an agent that started,
 * and then for further announcements of the peer.
 *
 * It reacts to changes of the peer's directory (inotify), to the end of the grace
 * period and, if POLL_MS is set, to a timer while the peer is offline.
 */
#ifndef READY_HANDSHAKE_H
#define READY_HANDSHAKE_H

#include <stdint.h>

#include "base/loop.h"
#include "ready/readiness.h"

struct handshake_spec {
	const struct readiness *place;
	const struct readiness_self *self;
	int64_t grace_ms;
	int64_t poll_ms;	/* run CONNECTED again at this interval while the peer is offline; 0: never */
	char *const *connected;	/* command: status 0 if the peer is connected; NULL: none */
	void (*report)(const struct fail *f, void *cookie);	/* a failure that does not end the handshake */
};

/*
 * V is the verdict and NOW its input, which the callee updates.  "peer-offline" is
 * followed by another verdict once the peer is ready.  After that, "peer-restart"
 * is reported each time the peer announces another incarnation than that of NOW's
 * cycle.  VERDICT_NONE: there is none, for the reason F.
 */
typedef void handshake_fn(enum readiness_verdict v, struct readiness_now *now, const struct fail *f,
    void *cookie);

struct handshake;

/* SPEC is borrowed until handshake_free(). */
struct handshake *handshake_start(struct loop *l, const struct handshake_spec *spec,
    handshake_fn *fn, void *cookie);
void handshake_free(struct handshake *h);

/* The first verdict alone, in a loop of its own. */
int handshake_wait(const struct handshake_spec *spec, enum readiness_verdict *v, struct readiness_now *now,
    struct fail *f);

#endif
