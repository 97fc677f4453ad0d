/*
 * log_probe - find a line that matches [restart] ready = log:REGEX in the logs of
 * a profile's [log.NAME] sections: files by their patterns, units by their
 * journals.
 *
 * In a file that existed before, only lines added since log_probe_skip() count; a
 * new file counts as a whole, and so does one that was truncated or rewritten.
 * A rewritten file is recognised by its size, by the bytes before the position
 * or, at the same size, by its modification time.  A line counts once it has its
 * newline.  In the journal of the profile's own unit, restarted by systemd, only
 * lines of the new invocation count.
 */
#ifndef RESTART_LOG_PROBE_H
#define RESTART_LOG_PROBE_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"

struct log_probe;

/* Begin at the present end of all logs.  NULL with F filled in if none can be read. */
struct log_probe *log_probe_open(const struct profile *p, struct fail *f);
void log_probe_close(struct log_probe *l);

/* Ignore all lines written so far. */
void log_probe_skip(struct log_probe *l);

/*
 * Was a matching line written: 1, 0, or an error.  INVOCATION is the systemd
 * invocation id of the new instance, or NULL.
 */
int log_probe_check(struct log_probe *l, const char *invocation, int64_t timeout_ms,
    struct fail *f);

#endif
