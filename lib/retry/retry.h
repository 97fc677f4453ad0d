/*
 * retry - deliver the retries that are marked (retry/pending.h), and follow what
 * comes of them.
 *
 * One process at a time delivers; whoever finds it at work has nothing to do,
 * because its mark is seen: the deliverer looks for marks once more after it
 * has let go of the lock.  What cannot be delivered stays marked.  A crash
 * between a delivery and the clearing of its mark delivers twice, which is one
 * evaluation more; nothing is lost.
 */
#ifndef RETRY_RETRY_H
#define RETRY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "agent/reason.h"
#include "base/fail.h"
#include "retry/delivery.h"
#include "retry/pending.h"

struct retry_spec {
	int64_t debounce_ms;	/* let more marks come before each delivery */
	int64_t timeout_ms;	/* for each of: another's end, and after the debounce a delivery */
	bool wait_lock;		/* wait for who delivers already, and see what that left */
	bool force;		/* do not ask whether the agent is idle */
};

struct retry_outcome {
	int delivered;		/* how many requests this call delivered */
	bool folded;		/* another process delivers, and will see our mark */
	struct delivery last;	/* the last delivery, another's too with WAIT_LOCK */
	int64_t end_ms;		/* when the time for that is over, on the monotonic clock */
	char reason[REASON_MAX + 1];	/* the last of those marked for it */
};

/*
 * Deliver what is marked.  Errors: retry/delivery.h's, EXIT_BUSY where the agent
 * stays busy or cannot be seen to be idle, EXIT_TIMEOUT.  O is filled anyway.
 */
int retry_drain(const struct profile *p, const struct pending *m, const struct retry_spec *spec,
    struct retry_outcome *o, struct fail *f);

/*
 * Wait until END_MS for the end of the first cycle that took delivery D in:
 * 0 where it settled well.  EXIT_NO where it failed, EXIT_TIMEOUT where it was
 * not seen, EXIT_ABSENT where the agent is gone, EXIT_TROUBLE where its end
 * was seen but not its result.
 */
int retry_follow(const struct profile *p, const struct delivery *d, int64_t end_ms,
    struct fail *f);

#endif
