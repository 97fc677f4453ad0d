/*
 * history - the restarts of an agent, one JSON object a line:
 *
 *	{"id","time","agent","reason","method","before","after","outcome","status","detail"}
 *
 * in the file restart/NAME.jsonl of the state directory.  A line is on disk when
 * it was added; a full file is renamed to NAME.jsonl.1.  "before" and "after" name
 * incarnations, null for none: the invocation of a systemd unit, else the text
 * of agent/incarnation.h.  "status" is the exit status of the restart, "detail"
 * its error.  "outcome" is one of
 *
 *	asked		about to be restarted; the line that follows has the outcome
 *	restarted	another incarnation is ready and stayed
 *	started		the same, and none ran before
 *	unverified	another incarnation runs; the process that asked for the
 *			restart ended before it could verify it
 *	unchanged	the old incarnation still runs
 *	not-ready	no incarnation was ready in time
 *	not-stable	an incarnation was ready and ended again
 *	absent		none came back
 *	refused		the method refused the restart
 *	trouble		the restart could not be followed
 *
 * Reader and writer link libc alone.
 */
#ifndef AGENT_HISTORY_H
#define AGENT_HISTORY_H

#include <stdbool.h>

#include "agent/instance_state.h"
#include "agent/profile.h"
#include "agent/reason.h"
#include "base/buf.h"
#include "base/fail.h"

struct history_entry {
	const char *reason;	/* "" for none */
	const char *method, *outcome;
	const char *before, *after;	/* "" for none */
	const char *detail;	/* "" for none */
	enum exit_status status;
};

int history_add(const struct profile *p, const struct history_entry *e, struct fail *f);

/* The path of P's history.  To be freed. */
char *history_path(const struct profile *p);

/*
 * Put the last N lines into OUT, oldest first, each with its newline.  An "asked"
 * line that is followed by its outcome is left out.  OUT is empty on error.
 */
int history_tail(const struct profile *p, size_t n, struct buf *out, struct fail *f);

/*
 * Put the line of the last restart that resulted in INCARNATION into OUT; -ENOENT
 * if there is none.
 */
int history_find(const struct profile *p, const char *incarnation, struct buf *out, struct fail *f);

/*
 * The reason and the old incarnation of a restart whose outcome was never added:
 * true if the last line is "asked".  REASON has REASON_MAX + 1 bytes.
 */
bool history_is_open(const struct profile *p, char before[INSTANCE_NAME], char *reason);

/* Append the line of E, with its newline, to OUT. */
void history_format(const struct profile *p, const struct history_entry *e, int64_t id,
    const char *time, struct buf *out);

#endif
