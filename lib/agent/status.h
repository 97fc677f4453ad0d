/*
 * status - what an agent is doing, as far as it can be seen from outside.
 *
 * The reference agent replaces a status file (agent/status_text.h) atomically at
 * each change, in its runtime directory.
 *
 * Beside it lie "busy", which the agent holds locked while a cycle runs, and
 * "lock", which it holds locked while it lives; a status file whose lock is free
 * was left by an agent that is dead.
 *
 * Of the other agents less is seen: with busy-path, busy while a path matches;
 * or they are queried (agent/status_method.h).
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/profile.h"
#include "base/fail.h"

enum agent_state {
	AGENT_UNKNOWN, AGENT_STOPPED, AGENT_STARTING, AGENT_IDLE, AGENT_BUSY, AGENT_FAILED,
	AGENT_STOPPING,
	AGENT_NEEDS_REBOOT,	/* a retry is delivered, and kept by the agent for afterwards */
	AGENT_HUNG,		/* its process is stopped, or stays in uninterruptible sleep */
};

enum { STATUS_TEXT = 256, STATUS_PATH = 4096 };

struct status {
	enum agent_state state;
	int running;			/* 1, 0, or -1 where it cannot be told */
	bool pending;
	bool is_unsigned;
	bool paused;			/* modules and instances are left as they are */
	pid_t pid;			/* 0 where not known */
	int64_t cycle, retries, covered, settled, settled_cycle;
	int64_t waiting;
	int32_t result;
	char agent[STATUS_TEXT], incarnation[STATUS_TEXT], since[STATUS_TEXT];
	char state_since[STATUS_TEXT], workflow[STATUS_TEXT], phase[STATUS_TEXT];
	char progress[STATUS_TEXT], note[STATUS_TEXT];
	char call[STATUS_TEXT];		/* the last call of a link: module/agent_calls.h */
	char report[STATUS_PATH];
	uid_t owner;			/* of the status file, whose report must have it, too */
};

/*
 * What P's agent is doing now.  Not running is a state, not an error; an
 * error is a status that is there but cannot be read.
 */
int status_read(const struct profile *p, struct status *s, struct fail *f);

/*
 * Wait until P's agent is not busy: for our agent by its lock, without polling.
 * FOR_REQUEST: it is to take a request, so one that is queried must not start, stop
 * or reboot either.  0, or -ETIMEDOUT; -ENODATA where its state cannot be told.
 */
int status_wait_idle(const struct profile *p, bool for_request, int64_t timeout_ms, struct fail *f);

/* Does it rest, with no request pending or taken and not evaluated: an agent that counts its cycles? */
bool status_is_settled(const struct status *s);

/* Put the id of its last evaluation into TEXT of SIZE bytes. */
void status_evaluation(const struct status *s, char *text, size_t size);

#endif
