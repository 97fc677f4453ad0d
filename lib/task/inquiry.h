/*
 * inquiry - one request to a task agent, and its whole answer: for commands that
 * have nothing else to do meanwhile.
 */
#ifndef TASK_INQUIRY_H
#define TASK_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/json.h"
#include "task/client.h"
#include "task/taskevent.h"

/* Where the requests go.  Open: for the caller to fill in. */
struct inquiry_agent {
	struct loop *loop;
	struct client *client;
	const char *name;		/* of the target, for messages */
	int64_t timeout_ms;
};

struct inquiry {
	int status;			/* HTTP's */
	struct json v;			/* JSON_ABSENT where the answer is none */
	struct buf body;
	bool end;			/* Rejoin-End */
	int64_t store;			/* Rejoin-Store; 0: none */
};

#define INQUIRY_INIT	{ 0, JSON_ABSENT, BUF_INIT, false, 0 }

#define _cleanup_inquiry_	__attribute__((cleanup(inquiry_release)))
void inquiry_release(struct inquiry *q);

/* GET PATH; an answer that is neither 2xx nor 416 is an error. */
int inquiry_get(const struct inquiry_agent *a, const char *path, struct inquiry *q, struct fail *f);

/* What a command that follows knows of its connection.  Open: EVENTS is for the caller to fill in, the rest is 0. */
struct inquiry_link {
	const struct taskevent_sink *events;
	bool answered;			/* the agent has, once */
	bool silent;			/* it does not now, and that was reported */
	unsigned int tries;
};

/* The same; an agent that has answered before, and does not now, is asked again until it does. */
int inquiry_follow(const struct inquiry_agent *a, struct inquiry_link *l, const char *path, struct inquiry *q,
    struct fail *f);

/* POST BODY, which is given an "id", to PATH. */
int inquiry_post(const struct inquiry_agent *a, const char *path, struct json *body, struct inquiry *q,
    struct fail *f);

#endif
