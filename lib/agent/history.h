/*
 * history - the restarts of an agent, one JSON object a line:
 *
 *	{"id","time","agent","reason","method","before","after","outcome","status","detail"}
 *
 * in the file restart/NAME.jsonl of the state directory, on disk as soon as it
 * is written; when it is full it becomes NAME.jsonl.1.  "before" and "after" name
 * incarnations, null for none: a systemd unit's by its invocation, others as
 * agent/incarnation.h has them.  "outcome" is restarted, started, unchanged
 * (the old incarnation is still there), not-ready, not-stable, absent, refused
 * or trouble; "status" what the restart ended with, "detail" why.
 *
 * Neither this file's writer nor its reader needs more than libc.
 */
#ifndef AGENT_HISTORY_H
#define AGENT_HISTORY_H

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

/* The file that P's restarts are in.  To be freed. */
char *history_path(const struct profile *p);

/*
 * The last N lines into OUT, oldest first, each with its newline; fewer where
 * there are not so many.  Where none can be read OUT is empty.
 */
int history_tail(const struct profile *p, size_t n, struct buf *out, struct fail *f);

/*
 * Of the restarts of P the last one that INCARNATION came out of, its line into
 * OUT: -ENOENT where it is not known that it was restarted on purpose.
 */
int history_find(const struct profile *p, const char *incarnation, struct buf *out, struct fail *f);

/* The line of E, with its newline, added to OUT. */
void history_format(const struct profile *p, const struct history_entry *e, int64_t id,
    const char *time, struct buf *out);

#endif
