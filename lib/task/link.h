/*
 * link - the controller's side of a session with a task agent: when to send a
 * heartbeat, when to send it again, when the agent is suspect, and when it is
 * lost.  No transport, no clock of its own: every call is given the time.
 *
 *	NEW -> COUPLED <-> SUSPECT -> LOST
 *
 * One beat at a time is unanswered.  Until its answer comes only that beat is
 * sent again (same number), 1, 3, 6, 10, 10, ... seconds after each timeout.
 * Two periods without an answer: SUSPECT.  Any answer: COUPLED.
 *
 * The agent renews the lease to `seen` + lease, where `seen` is the agent's own
 * time in the last answer that the controller had when it first sent the beat.
 * `seen` is never later than that sending.  So at first sending + lease + grace
 * + slack no process of the session is alive, and only then is it LOST.  After
 * a cut of one direction alone this holds as well: a beat sent again renews nothing.
 *
 * Times are milliseconds of CLOCK_BOOTTIME on either side, never compared with each other.
 */
#ifndef TASK_LINK_H
#define TASK_LINK_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LINK_PERIOD_MS = 5000, LINK_ANSWER_MS = 5000, LINK_LEASE_MS = 40000, LINK_GRACE_MS = 10000,
	LINK_SLACK_MS = 1000,	/* clocks and scheduling */
};

struct link_timing {
	int64_t period_ms, answer_ms, lease_ms, grace_ms, slack_ms;
	bool leave;		/* no lease: never LOST */
};

#define LINK_TIMING	{ LINK_PERIOD_MS, LINK_ANSWER_MS, LINK_LEASE_MS, LINK_GRACE_MS, LINK_SLACK_MS, false }

enum link_state { LINK_NEW, LINK_COUPLED, LINK_SUSPECT, LINK_LOST };

struct task_link {
	struct link_timing timing;
	enum link_state state;
	int64_t n;		/* number of the last beat */
	int64_t seen;		/* the agent's time in the last answer */
	bool unanswered;	/* beat N is */
	bool in_flight;		/* it was sent, and may yet be answered in time */
	int64_t first_ms;	/* its first sending */
	int64_t sent_ms;	/* its last sending */
	int64_t due_ms;		/* when to send next */
	int64_t answered_ms;	/* the last answer */
	unsigned int tries;	/* how often it was sent again */
};

/* -EINVAL where 2 x period is more than the lease. */
int link_init(struct task_link *l, const struct link_timing *timing);

/* The answer to the coupling came at NOW, with the agent's time SEEN. */
void link_couple(struct task_link *l, int64_t seen, int64_t now);

/* What is due at NOW: true to send beat l->n with l->seen, now.  May change the state. */
bool link_step(struct task_link *l, int64_t now);

/* Beat N was answered; false where the answer is a late one that changes nothing. */
bool link_answer(struct task_link *l, int64_t n, int64_t seen, int64_t now);

/* The sending failed: there will be no answer. */
void link_fail(struct task_link *l, int64_t now);

/* When link_step() has something to do next; INT64_MAX for never. */
int64_t link_next(const struct task_link *l);

/* When no process of the session can be alive any more; -1: not known, there is no lease. */
int64_t link_safe_after(const struct task_link *l);

const char *link_state_name(enum link_state s);

/* The delay before sending for the TRIES-th time again (0 is the first): 1, 3, 6, 10, 10, ... s. */
int64_t link_resend_ms(unsigned int tries);

#endif
