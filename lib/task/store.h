/*
 * store - the tasks of a task agent, in a directory from which it can be made
 * again at any time:
 *
 *	store			{"id":HLC,"boot":"ID"}: when the directory was made
 *	history.jsonl		task/taskhistory.h
 *	sessions/S.json		task/sessions.h
 *	ID/			a run (supervise/supervise.h); request.json has a member "task":
 *				{"id","owner","session","on_loss","digest","start_before"}
 *	ID/ended		{"state":"failed"|"expired"|"killed","reason"}: ended without a start
 *
 *	recorded -> starting -> running -> ended | killed | unknown -> released (removed)
 *	    \-> failed | expired | killed
 *
 * A task is recorded when its directory is on disk, and only then acknowledged.
 * The same request again is the same task.
 */
#ifndef TASK_STORE_H
#define TASK_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"
#include "base/hlc.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/sha.h"
#include "supervise/supervise.h"
#include "task/taskhistory.h"
#include "task/refusal.h"
#include "task/sessions.h"

struct store_limits {
	int64_t tasks, running;
	int64_t log_max;	/* bytes of one task's output */
	int64_t log_total;	/* of all */
	int64_t history_max;
};

#define STORE_LIMITS	{ 1000, 256, 64 << 20, INT64_C(1) << 30, 64 << 20 }

enum store_state {
	STORE_RECORDED, STORE_RUNNING, STORE_ENDED, STORE_KILLED, STORE_UNKNOWN, STORE_FAILED, STORE_EXPIRED,
};

struct store;

struct store_task {
	struct store *store;
	int64_t id, session;		/* session 0: none */
	uid_t owner;
	bool leave;
	enum store_state state;
	char *dir, *command;		/* COMMAND: argv, for lists */
	char digest[SHA_TEXT];
	int64_t start_before;		/* wall clock, ms; 0: none */
	char *reason;			/* of failed, expired */
	struct outcome outcome;		/* if ended or killed */
	struct supervise *run;
	int64_t changed;		/* the store's count at its last change of state */
};

/* The state of T, or the bytes of its output, may have changed. */
typedef void store_changed(struct store_task *t, void *cookie);

/*
 * The store in the directory PATH, which is made.  Its tasks are adopted; those
 * that were recorded and not started are started.
 */
struct store *store_open(struct loop *l, const char *path, const struct store_limits *limits,
    struct hlc *clock, store_changed *changed, void *cookie, struct fail *f);

/* The tasks go on running. */
void store_close(struct store *s);

int64_t store_id(const struct store *s);
const char *store_boot(const struct store *s);
struct sessions *store_sessions(struct store *s);
struct taskhistory *store_history(struct store *s);
int64_t store_count(const struct store *s);	/* rises with each change of a state */

size_t store_size(const struct store *s);
struct store_task *store_at(const struct store *s, size_t i);
struct store_task *store_find(const struct store *s, int64_t id);

/* Tasks that are recorded, and not started yet. */
bool store_is_pending(const struct store *s);

/*
 * Record the task that the request V of OWNER describes, and start it.  *T is
 * the task, also where it was there before.
 */
int store_add(struct store *s, uid_t owner, bool is_admin, struct json v, struct store_task **t, struct refusal *r);

/* End it by SIGNO, SIGKILL after GRACE_MS (< 0: the task's own). */
int store_kill(struct store_task *t, int signo, int64_t grace_ms, struct refusal *r);

/* Move it to the session SESSION, or (0) let it run without a lease. */
int store_set_session(struct store_task *t, int64_t session, struct refusal *r);

/* Remove a task that is over. */
int store_release(struct store_task *t, struct refusal *r);

bool store_is_over(const struct store_task *t);
const char *store_state_name(enum store_state s);

/* What is known of T, as an object. */
struct json store_describe(const struct store_task *t);

/* Forget sessions and tasks whose time is over; to be called now and then. */
void store_sweep(struct store *s);

#endif
