/*
 * submit - the request for a task: the body of POST /1/tasks.
 *
 *	{"id":HLC,"session":HLC,"argv":[...],"env":{...},"cwd":"/DIR","user":"NAME",
 *	 "stdin_b64":"...","on_loss":"kill"|"leave","grace_ms":N,"timeout_ms":N,
 *	 "start_before":MS,"log_max":N,"limits":{...},"new_privileges":true,
 *	 "nonce":"TEXT"}
 *
 * argv and env are those of supervise/launch.h.  The digest is the SHA-256 of
 * all that decides what is executed, so that the same request sent again is
 * told from another one with its id.  Where there is a nonce, the same request
 * has the same nonce: the same command that another controller happened to give
 * the same id is another task.
 */
#ifndef TASK_SUBMIT_H
#define TASK_SUBMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/sha.h"
#include "supervise/launch.h"
#include "task/params.h"
#include "task/refusal.h"

enum { SUBMIT_STDIN_MAX = 1 << 20, SUBMIT_NONCE = 65 };

struct submit {
	int64_t id, session;	/* session 0: none */
	int64_t start_before;	/* ms since 1970; 0: none */
	struct launch launch;
	bool has_stdin;
	struct buf in;
	char digest[SHA_TEXT];
	char nonce[SUBMIT_NONCE];	/* empty: none */
};

/* The members of the body. */
extern const struct params_rule submit_params[];

#define SUBMIT_INIT	{ .launch = LAUNCH_INIT, .in = BUF_INIT }

#define _cleanup_submit_	__attribute__((cleanup(submit_release)))
void submit_release(struct submit *q);

/* V is an object that params_check_body() found good by submit_params.  LOG_MAX is the most that "log_max" may be, and its default. */
int submit_parse(struct json v, int64_t log_max, struct submit *q, struct refusal *r);

/* The member "task" of request.json. */
struct json submit_to_json(const struct submit *q, uid_t owner);

/* The words of V's "argv" in a line of at most MAX bytes, for lists.  To be freed. */
char *submit_command(struct json v, size_t max);

#endif
