/*
 * log_probe - watch an agent's logs for a line that matches: those of its
 * profile's [log.NAME], files by their patterns and units' journals.
 *
 * Of a file that was there at the beginning only what is added counts, of a
 * new one all; a file that shrank is read anew.  A line counts when its newline
 * is there.
 */
#ifndef RESTART_LOG_PROBE_H
#define RESTART_LOG_PROBE_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"

struct log_probe;

/* NULL with F filled where nothing of it can be watched. */
struct log_probe *log_probe_open(const struct profile *p, struct fail *f);
void log_probe_close(struct log_probe *l);

/* Pass over what was written by now. */
void log_probe_skip(struct log_probe *l);

/* Was a line that matches written: 1, 0, or an error. */
int log_probe_check(struct log_probe *l, int64_t timeout_ms, struct fail *f);

#endif
