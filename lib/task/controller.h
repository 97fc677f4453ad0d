/*
 * controller - what a controller remembers of a target, in the directory
 * STATE/controller/TARGET/:
 *
 *	run		{"run":N}: a random number, made once with the directory
 *	ids		the last id that was given, 20 digits; locked while one is
 *	tasks/ID	{"session":HLC}: the session of a task that is not released
 *	history.jsonl	the agent's history, each record once
 *	adopted		which records of which store are in it: task/adopted.h
 *
 * A controller that was killed takes up its session by them.
 */
#ifndef TASK_CONTROLLER_H
#define TASK_CONTROLLER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "task/adopted.h"

struct controller;

/* The directory of the target KEY is made. */
struct controller *controller_open(const char *key, struct fail *f);
void controller_close(struct controller *c);

int64_t controller_run(const struct controller *c);

/*
 * An id of at least AT_LEAST that no process with this directory has got before,
 * or gets afterwards; or a negative errno with F filled.  After the clock was set
 * back by more than an hour this is left to the nonce of a task (task/submit.h).
 */
int64_t controller_claim_id(struct controller *c, int64_t at_least, struct fail *f);

/* The session of TASK; 0 where none is known. */
int64_t controller_session(const struct controller *c, int64_t task);
int controller_keep_session(struct controller *c, int64_t task, int64_t session);
void controller_forget_task(struct controller *c, int64_t task);

/* The last history record that was merged, and the store that it is of: the one that answered last. */
struct adopted_mark controller_adopted(struct controller *c);

/*
 * Add the records of TEXT (JSON Lines, ids rising) of STORE that are not there yet;
 * of store 0, that of an agent which does not name its store, none: EXIT_TROUBLE.  On disk when this returns 0: only then may the tasks be released.
 */
int controller_adopt(struct controller *c, int64_t store, const char *text, size_t len, struct fail *f);

/* The whole local history. */
int controller_history(struct controller *c, struct buf *out, struct fail *f);

#endif
