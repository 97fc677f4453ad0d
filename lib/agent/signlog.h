/*
 * signlog - watch an agent's logs for a line that matches: those of its
 * profile's [log.NAME], files by their patterns and units' journals.
 *
 * Of a file that was there at the beginning only what is added counts, of a
 * new one all; a file that shrank is read anew.  A line counts when its newline
 * is there.
 */
#ifndef AGENT_SIGNLOG_H
#define AGENT_SIGNLOG_H

#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"

struct signlog;

/* NULL with F filled where nothing of it can be watched. */
struct signlog *signlog_open(const struct profile *p, struct fail *f);
void signlog_close(struct signlog *l);

/* Pass over what was written by now. */
void signlog_skip(struct signlog *l);

/* Was a line that matches written: 1, 0, or an error. */
int signlog_look(struct signlog *l, int64_t timeout_ms, struct fail *f);

#endif
