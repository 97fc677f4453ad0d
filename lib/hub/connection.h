/*
 * connection - the states of the link to a broker, and when the next one is due.
 * No transport and no clock of its own: every call is given the time.
 *
 *	OFF -> RESOLVING -> CONNECTING -> CONNACK -> SUBSCRIBING -> FETCHING -> SYNCED
 *	           ^                                                              |
 *	           +------------------ BACKOFF <--- any error, any deadline -----+
 *	SYNCED -> DRAINING -> OFF	on a stop
 *
 * Each state before FETCHING has a deadline.  BACKOFF lasts a random time between 0
 * and min(64 s, 1 s * 2^(n-1)) after the n-th failure in a row ("full jitter":
 * Brooker, "Exponential Backoff And Jitter", 2015), so that a fleet does not return
 * to a broker that was restarted all at once.  n is reset only after 30 s in SYNCED.
 * A broker that refuses the client, and another client with the same id, are
 * reasons to wait 64 s at once.
 *
 * The owner does what a state needs when the state is entered: whenever `entered`
 * has changed.
 */
#ifndef HUB_CONNECTION_H
#define HUB_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CONNECTION_STEP_MS = 10000,	/* for each of RESOLVING to SUBSCRIBING */
	CONNECTION_FETCH_MS = 5000,	/* then the request for the goal is repeated, without end */
	CONNECTION_DRAIN_MS = 5000,
	CONNECTION_FIRST_MS = 1000, CONNECTION_MAX_MS = 64000,
	CONNECTION_STABLE_MS = 30000,
	CONNECTION_SHORT_MS = 10000, CONNECTION_SHORT_TIMES = 3,
};

enum connection_state {
	CONNECTION_OFF, CONNECTION_RESOLVING, CONNECTION_CONNECTING, CONNECTION_CONNACK,
	CONNECTION_SUBSCRIBING, CONNECTION_FETCHING, CONNECTION_SYNCED, CONNECTION_DRAINING,
	CONNECTION_BACKOFF,
};

/* Why the link is in BACKOFF. */
enum connection_cause {
	CONNECTION_LOST,	/* an error, or a deadline */
	CONNECTION_DENIED,	/* the broker refuses the client's name, password or certificate */
	CONNECTION_TAKEN_OVER,	/* another client uses the id */
};

struct connection {
	enum connection_state state;
	enum connection_cause cause;	/* of the last BACKOFF */
	unsigned int entered;		/* counts the states entered, repeated requests included */
	unsigned int failures;		/* in a row */
	unsigned int short_losses;	/* losses in a row within 10 s of a CONNACK */
	unsigned int fetches;
	int64_t since_ms;		/* of the state */
	int64_t due_ms;			/* when connection_step() has something to do; INT64_MAX: never */
	int64_t accepted_ms;		/* of the last CONNACK; -1 for none since the last loss */
	uint32_t (*random)(void);	/* uniform */
};

void connection_init(struct connection *c, uint32_t (*random)(void));

/* Start the link, at NOW. */
void connection_start(struct connection *c, int64_t now);

/* The step of the present state is done: the next state.  Not for BACKOFF, DRAINING and OFF. */
void connection_advance(struct connection *c, int64_t now);

/* Any error. */
void connection_fail(struct connection *c, enum connection_cause cause, int64_t now);

/* Stop: from SYNCED by DRAINING, from any other state at once. */
void connection_stop(struct connection *c, int64_t now);

/* DRAINING has nothing left to send. */
void connection_drained(struct connection *c, int64_t now);

/* What is due at NOW. */
void connection_step(struct connection *c, int64_t now);

/* Records may be sent: subscribed, and not stopped. */
bool connection_is_up(const struct connection *c);
const char *connection_state_name(enum connection_state s);

#endif
