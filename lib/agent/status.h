/*
 * status - what an agent is doing, as far as it can be seen from outside.
 *
 * Our agent writes a file of KEY=VALUE lines (as os-release(5)), replaced
 * atomically at each change, in its runtime directory:
 *
 *	agent=rejoin			the profile it runs under
 *	pid=4711
 *	incarnation=...			agent/incarnation.h
 *	since=2026-11-21T20:16:00.1Z	of the incarnation
 *	state=idle			starting idle busy failed stopping stopped
 *	state_since=...
 *	workflow=ID			of the goal, empty for none
 *	phase=install			of a busy agent
 *	progress=3/7			components settled in this cycle
 *	waiting=1			components selected but offline
 *	pending=yes			a retry is asked for and not yet begun
 *	cycle=5				cycles begun by this incarnation
 *	retries=3			retry requests it took from its pipe
 *	covered=3			how many of those the cycle last begun took in
 *	settled=3			how many of those the cycle last ended took in
 *	settled_cycle=5			number of the cycle last ended
 *	result=700			its result code; 0 and below is a failure
 *	unsigned=yes			it takes goals without a signature
 *	note=TEXT			what an operator should know
 *	report=PATH			its JSON report: results and waiting components
 *
 * Beside it lie "busy", which the agent holds locked while a cycle runs, and
 * "lock", which it holds locked while it lives; a status file whose lock is free
 * was left by an agent that is dead.
 *
 * Of the other agents less is seen: with busy-path, busy while a path matches;
 * or they are asked (agent/status_method.h).
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

enum agent_state {
	AGENT_UNKNOWN, AGENT_STOPPED, AGENT_STARTING, AGENT_IDLE, AGENT_BUSY, AGENT_FAILED,
	AGENT_STOPPING,
};

enum { STATUS_TEXT = 256, STATUS_PATH = 4096 };

struct status {
	enum agent_state state;
	int running;			/* 1, 0, or -1 where it cannot be told */
	bool pending;
	bool is_unsigned;
	pid_t pid;			/* 0 where not known */
	int64_t cycle, retries, covered, settled, settled_cycle;
	int64_t waiting;
	int32_t result;
	char agent[STATUS_TEXT], incarnation[STATUS_TEXT], since[STATUS_TEXT];
	char state_since[STATUS_TEXT], workflow[STATUS_TEXT], phase[STATUS_TEXT];
	char progress[STATUS_TEXT], note[STATUS_TEXT];
	char report[STATUS_PATH];
};

const char *status_state_name(enum agent_state s);

/* The file's text; unknown keys and lines without "=" are passed over, long values cut. */
void status_parse(const char *text, size_t len, struct status *s);
void status_format(const struct status *s, struct buf *out);

/*
 * What P's agent is doing now.  Not running is a state, not an error; an
 * error is a status that is there but cannot be read.
 */
int status_read(const struct profile *p, struct status *s, struct fail *f);

/*
 * Wait until P's agent is not busy: for our agent by its lock, without
 * polling.  0, or -ETIMEDOUT; -ENODATA where its state cannot be told.
 */
int status_wait_idle(const struct profile *p, int64_t timeout_ms, struct fail *f);

#endif
