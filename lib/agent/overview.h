/*
 * overview - all that can be told of an agent, as one record:
 *
 *	{"agent","running","incarnation","since","state","workflow","phase",
 *	 "progress","waiting":[],"pending","results":[],"restarts":[]}
 *
 * "running" is null where it cannot be told, so is a text that is not known;
 * "waiting" and "results" (the last one of each component) come from the
 * agent's report; "restarts" are the last five of the history (agent/history.h);
 * "pending" is true where a retry is marked, or taken in by the
 * agent and not begun.  "unsigned" and "note" are there where there is
 * something to say.
 */
#ifndef AGENT_OVERVIEW_H
#define AGENT_OVERVIEW_H

#include "agent/profile.h"
#include "agent/status.h"
#include "base/json.h"

/*
 * S is P's status; PENDING is true while a retry request is stored and not delivered.
 * A report that cannot be read becomes a note.
 */
struct json overview_of(const struct profile *p, const struct status *s, bool pending);

/* For a person: lines of words, then a table of who is waited for and one of results. */
void overview_format(struct json record, struct buf *out);

/* KEY=VALUE lines, the lists by their lengths. */
void overview_format_kv(struct json record, struct buf *out);

#endif
