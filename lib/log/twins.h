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

#include "base/json.h"
#include "causal/scheduler.h"

struct twins;

struct twins *twins_new(void);
void twins_free(struct twins *t);

/* Was P, of a source that is one of two, printed from the other one? */
bool twins_is_known(struct twins *t, const struct printed *p);

/*
 * What came from one of two and is awaited from the other, into the object *STATE,
 * and from it: the next run does not print the other one.  A state is a secret,
 * because a line that is made to have the hash of another would be left out.
 */
void twins_save(const struct twins *t, struct json *state);
void twins_load(struct twins *t, struct json state);

#endif
