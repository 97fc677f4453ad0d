/*
 * coupling - a controller's session with a task agent, over any number of cuts:
 * it makes the session or takes it up again, sends the heartbeats of task/link.h,
 * and reports each change of the link once.
 */
#ifndef TASK_COUPLING_H
#define TASK_COUPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "task/client.h"
#include "task/controller.h"
#include "task/link.h"
#include "task/taskevent.h"

/* Called from the loop; each of them may end with loop_stop(). */
struct coupling_callbacks {
	/*
	 * There is a session, with the agent's ANSWER to POST /1/session.  Again
	 * where the agent did not know the one before: coupling_session() is another.
	 */
	void (*coupled)(struct json answer, void *cookie);
	void (*reconnected)(void *cookie);	/* a heartbeat was answered after SUSPECT */
	void (*lost)(void *cookie);		/* no process of the session can be alive */
	void (*failed)(const struct fail *f, void *cookie);	/* there will be no session */
	void *cookie;
};

struct coupling_spec {
	struct loop *loop;
	struct client *client;
	const char *name;		/* of the target, for messages */
	const char *label;		/* the controller's name, for people at the agent */
	struct controller *controller;
	int64_t session;		/* to be taken up, 0: a new one */
	int64_t above;			/* an id that new ones must be greater than */
	struct link_timing timing;
	struct taskevent_sink events;
	struct coupling_callbacks callbacks;
};

struct coupling;

/* Begin; NULL with F filled where the timing is none. */
struct coupling *coupling_new(const struct coupling_spec *spec, struct fail *f);
void coupling_free(struct coupling *c);

/* The agent does not know the session: make another one. */
void coupling_renew(struct coupling *c);

int64_t coupling_session(const struct coupling *c);
enum link_state coupling_state(const struct coupling *c);

/* A new id, greater than each that the agent has named. */
int64_t coupling_new_id(struct coupling *c);

/* One that no other process of this controller gets, for a task; a negative errno with F filled. */
int64_t coupling_claim_id(struct coupling *c, struct fail *f);

/* May a request that was refused with A succeed later? */
bool coupling_is_final(const struct client_answer *a);

#endif
