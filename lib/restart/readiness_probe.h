/*
 * readiness_probe - is a restarted agent ready?  [restart] ready says how to tell:
 *
 *	none		it is ready as soon as it runs
 *	notify		its supervisor was notified
 *	log:REGEX	a line that matches was written: restart/log_probe.h
 *	probe:ARGV	a command exits with 0
 *	fifo-reader	the pipe of [retry] has a reader
 *	status		[status] shows it
 *
 * The pipe is opened under the retry lock of the agent, and not again after the
 * first success, because each writer makes the Azure agent reopen its pipe.
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
	struct log_probe *log;		/* of READY_LOG, from the begin on */
	struct log_probe *log_stopped;	/* the same, from the end of the old process on */
	int64_t stopped_ms;		/* that time on the clock of boot */
	char old[INSTANCE_NAME];	/* the incarnation to be replaced */
};

/*
 * Begin before a restart; OLD is the present incarnation.  ANY_LINE: lines written
 * earlier count, too, as after a restart by another process.
 */
int readiness_probe_begin(struct readiness_probe *s, const struct profile *p, const char *old,
    bool any_line, struct fail *f);

/*
 * The old process has ended: what was written so far does not count for an
 * instance that starts later.
 */
void readiness_probe_old_ended(struct readiness_probe *s);

/* Ignore what was shown so far: an earlier instance did that. */
void readiness_probe_reset(struct readiness_probe *s);

/*
 * Is L ready: 1, 0, or an error that will persist (EXIT_DENIED, EXIT_USAGE).
 * END_MS on the monotonic clock bounds the check.
 */
int readiness_probe_check(struct readiness_probe *s, const struct instance_state *l,
    int64_t end_ms, struct fail *f);

void readiness_probe_release(struct readiness_probe *s);

#define _cleanup_readiness_probe_	__attribute__((cleanup(readiness_probe_release)))

/* Append P's setting to OUT, for people: "notify", "log:up", ... */
void readiness_probe_describe(const struct profile *p, struct buf *out);

#endif
