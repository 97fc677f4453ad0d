/*
 * twins - records that an agent writes both to its file and to the journal.
 *
 * A record is left out if all of its lines came from the other of the two already.
 * Lines are compared from the agent's own time stamp on; each counts as often as it
 * is there, so that a line which the agent wrote twice is printed twice.  A record
 * without a stamp of the agent's is left out only behind one that was.
 */
#ifndef LOG_TWINS_H
#define LOG_TWINS_H

#include <stdbool.h>

#include "causal/scheduler.h"

struct twins;

struct twins *twins_new(void);
void twins_free(struct twins *t);

/* Was P, of a source that is one of two, printed from the other one? */
bool twins_is_known(struct twins *t, const struct printed *p);

#endif
