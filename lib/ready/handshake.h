/*
 * handshake - wait for the verdict on an agent that started, and after it for
 * the peer's further announcements.
 *
 * Woken by the peer's directory (inotify), by the end of the grace period and,
 * where it is asked for, by the poll of a peer that is offline: by nothing else.
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
	int64_t poll_ms;	/* ask again while the peer is offline; 0: never */
	char *const *connected;	/* command: 0 where the peer is connected; NULL: none */
	void (*tell)(const struct fail *f, void *cookie);	/* of what went wrong on the way */
};

/*
 * V is the verdict, NOW what it is from, for the callee to bring up to date.
 * After "peer-offline" there comes another one when the peer is there; after
 * that, "peer-restart" each time that the peer announces another life than
 * that of NOW's cycle.  VERDICT_NONE: it cannot be told, F says why.
 */
typedef void handshake_fn(enum readiness_verdict v, struct readiness_now *now, const struct fail *f,
    void *cookie);

struct handshake;

/* All of SPEC stays the caller's, for as long as this lives. */
struct handshake *handshake_start(struct loop *l, const struct handshake_spec *spec,
    handshake_fn *fn, void *cookie);
void handshake_free(struct handshake *h);

/* The first verdict alone, in a loop of its own. */
int handshake_wait(const struct handshake_spec *spec, enum readiness_verdict *v, struct readiness_now *now,
    struct fail *f);

#endif
