/*
 * client - requests to a task agent, over its Unix socket or over ssh.
 *
 * Over ssh each connection is one child, "ssh HOST rejoin-taskd --dial", whose
 * stdin and stdout are the connection.  Connections are kept and used again.
 * There are two: one request may wait for output, and the others follow each other.
 */
#ifndef TASK_CLIENT_H
#define TASK_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/http.h"
#include "base/json.h"
#include "base/loop.h"
#include "task/target.h"

struct client;

/*
 * An answer.  F is NULL where there is one: STATUS is HTTP's, V its JSON
 * (JSON_ABSENT where it is none), R has its body and headers.  Else F says why
 * there is none, EXIT_ABSENT where nothing listens.
 */
struct client_answer {
	int status;
	struct json v;
	const struct http_response *r;
	const struct fail *f;
};

typedef void client_done(const struct client_answer *a, void *cookie);

struct client *client_new(struct loop *l, const struct target *t, struct fail *f);
void client_free(struct client *c);

/*
 * GET PATH, or POST BODY to it; TIMEOUT_MS for all of it, and 15 s more where a
 * connection over ssh is begun for it.  DONE is called once, from the loop.
 */
struct client_request *client_get(struct client *c, const char *path, int64_t timeout_ms, client_done *done,
    void *cookie);
struct client_request *client_post(struct client *c, const char *path, struct json body, int64_t timeout_ms,
    client_done *done, void *cookie);

/* End Q, which has no answer yet, without a call of DONE.  NULL is none. */
void client_cancel(struct client_request *q);

/*
 * Was a connection over ssh begun since Q was?  To cancel Q then is to begin
 * again: with a slow ssh there would never be a connection.
 */
bool client_is_connecting(const struct client_request *q);

/* The id of the store that A, an answer with history records, is of; 0 where it does not tell. */
int64_t client_store(const struct client_answer *a);

/* Fill F with what answer A means: its status, the agent's reason. */
void client_explain(const struct client_answer *a, const char *name, struct fail *f);

#endif
