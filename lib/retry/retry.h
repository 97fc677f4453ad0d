/*
 * retry - deliver the pending retry requests of an agent (retry/pending.h) and
 * follow the evaluation that they cause.
 *
 * One process at a time delivers, under the lock of the agent.  A caller that
 * finds the lock held by its own user, by root or by a process that it may not
 * see leaves its request to the holder, because the holder checks for new
 * requests once more after it has released the lock.  If root finds the lock
 * held by another user's process for LOCK_FOREIGN_MS, it delivers without the
 * lock: a request that is delivered twice is one more evaluation, and does no
 * harm.
 *
 * A request that could not be delivered stays pending.  A process that is killed
 * between a delivery and the removal of its request causes a second delivery;
 * no request is lost.
 */
#ifndef RETRY_RETRY_H
#define RETRY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"
#include "retry/delivery.h"
#include "retry/pending.h"

struct retry_spec {
	int64_t debounce_ms;	/* wait so long for more requests before each delivery */
	int64_t timeout_ms;	/* for the lock; then for an idle agent and the delivery */
	bool wait_lock;		/* wait for the holder of the lock, and use its delivery */
	bool force;		/* deliver also if the agent is not idle */
	/* called after each delivery with the reasons of its requests, "" for none */
	void (*delivered)(const char *reasons, void *cookie);
	/* called if the lock is not respected: the holder's pid, user and command */
	void (*lock_ignored)(const char *holder, void *cookie);
	void *cookie;
};

struct retry_outcome {
	int delivered;		/* deliveries made by this call */
	bool coalesced;		/* left to the process that holds the lock */
	bool timed_out;		/* the deadline ended the delivery */
	struct delivery last;	/* the last delivery; with wait_lock also another process's */
	int64_t end_ms;		/* deadline for it, on the monotonic clock */
};

/*
 * Deliver what is pending.  Errors: those of retry/method.h, EXIT_BUSY if the
 * agent stays busy or its state is unknown, EXIT_TIMEOUT.  O is filled in anyway.
 */
int retry_drain(const struct profile *p, const struct pending *m, const struct retry_spec *spec,
    struct retry_outcome *o, struct fail *f);

/* Is there a request, for the agent or for an instance of it? */
bool retry_is_due(const struct profile *p, const struct pending *m);

/* Does P name the command that --again, or --instance, sends?  EXIT_USAGE if not. */
int retry_check_again(const struct profile *p, struct fail *f);
int retry_check_instance(const struct profile *p, struct fail *f);

/* Can the outcome of an evaluation of P's agent be seen?  EXIT_USAGE if not. */
int retry_check_followable(const struct profile *p, struct fail *f);

/*
 * Wait until END_MS for the end of the first evaluation that began after
 * delivery D: 0 if it succeeded, EXIT_NO if it failed, EXIT_TIMEOUT if its end
 * was not seen, EXIT_ABSENT if the agent is not running.
 */
int retry_follow(const struct profile *p, const struct delivery *d, int64_t end_ms,
    struct fail *f);

#endif
