/*
 * status_text - the text of an agent's status file: KEY=VALUE lines in the
 * syntax of os-release(5).
 *
 *	agent=rejoin			name of the profile
 *	pid=4711
 *	incarnation=...			agent/incarnation.h
 *	since=2026-11-21T20:16:00.1Z	start of the incarnation
 *	state=idle			starting idle busy failed stopping stopped
 *	state_since=...
 *	workflow=ID			id of the goal, empty without one
 *	phase=install			of a busy agent
 *	progress=3/7			components settled in this cycle
 *	waiting=1			components selected but offline
 *	pending=yes			a retry was requested and has not begun
 *	cycle=5				cycles begun by this incarnation
 *	retries=3			retry requests read from the command pipe
 *	covered=3			retry requests covered by the cycle begun last
 *	settled=3			retry requests covered by the cycle ended last
 *	settled_cycle=5			number of the cycle ended last
 *	result=700			its result code; 0 and below is a failure
 *	unsigned=yes			goals without a signature are accepted
 *	note=TEXT			anything else an operator should know
 *	report=PATH			JSON report: results and waiting components
 */
#ifndef AGENT_STATUS_TEXT_H
#define AGENT_STATUS_TEXT_H

#include <stddef.h>

#include "agent/status.h"
#include "base/buf.h"

/* The word for state S: "idle", "busy", ... */
const char *status_text_state(enum agent_state s);

/*
 * Parse LEN bytes of TEXT into S.  Unknown keys and lines without "=" are
 * ignored, values that are too long are cut.
 */
void status_text_parse(const char *text, size_t len, struct status *s);

/* Append the text of S to OUT. */
void status_text_format(const struct status *s, struct buf *out);

#endif
