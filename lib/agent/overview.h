/*
 * overview - all that is known of an agent, as one record:
 *
 *	{"agent","running","incarnation","since","state","workflow","phase",
 *	 "progress","waiting":[],"held":[],"pending","results":[],"restarts":[]}
 *
 * and of an agent with modules (module/manager.h) "deployment", "reconcileStatus", "modules":[] and
 * "instances":[].
 *
 * "invocation" is present, too, for a unit that systemd runs: it is the name of the
 * incarnation in the history and in rejoin-restart, so that a table shows it alone.
 *
 * Unknown texts are null, and so is "running" if it cannot be told.  "waiting" (components
 * that are offline), "held" (components in back-off, with the time of the next
 * attempt) and "results" (the last one of each component) come from the agent's
 * report, "restarts" are the last five of the history (agent/history.h).
 * "pending" is true while a retry request is not delivered, or was read by the
 * agent and has not begun.  "unsigned" and "note" are left out if there is nothing
 * to say.
 */
#ifndef AGENT_OVERVIEW_H
#define AGENT_OVERVIEW_H

#include "agent/profile.h"
#include "agent/status.h"
#include "base/json.h"

/*
 * The record of P, whose status is S; PENDING: a retry request is not delivered
 * yet.  An error in the report or the history becomes a note.
 */
struct json overview_of(const struct profile *p, const struct status *s, bool pending);

/* The components that the report of S says are waited for: an object with their ids as keys. */
struct json overview_waiting(const struct status *s);

/* The name of the incarnation of S that P's readers are shown: the invocation, else S's own. */
const char *overview_incarnation(const struct profile *p, const struct status *s, char id[64]);

struct overview_style {
	int64_t now_s;		/* seconds since 1970: times are shown as they are seen then */
	int terminal;		/* that the tables fit, with a coloured state; -1 for none */
};

/*
 * Format RECORD for a reader: its texts, then a table for each list that is not
 * empty.  A result with a member "resultName" shows that as well.
 */
void overview_format(struct json record, const struct overview_style *style, struct buf *out);

/* Format RECORD as KEY=VALUE lines; the value of a list is its length. */
void overview_format_kv(struct json record, struct buf *out);

#endif
