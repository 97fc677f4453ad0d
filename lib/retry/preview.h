/*
 * preview - what a retry would do, for rejoin-retry --dry-run.
 *
 * Lines of NAME TAB VALUE: agent, profile, what the method says (retry/method.h),
 * instance, when, state, debounce, pending.  Nothing is recorded or sent; the agent
 * sees the check of its pipe as a writer that opens and closes it.
 */
#ifndef RETRY_PREVIEW_H
#define RETRY_PREVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/diag.h"
#include "retry/pending.h"

struct preview_spec {
	const char *instance;		/* NULL for none */
	int64_t debounce_ms;
	bool force;			/* deliver also if the agent is not idle */
};

/* EXIT_OK, or the status with which a delivery would end now. */
enum exit_status preview_format(const struct profile *p, const struct pending *m, const struct preview_spec *spec,
    struct buf *out);

#endif
