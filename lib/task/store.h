/*
 * store - the tasks of a task agent, in a directory from which it can be made
 * again at any time:
 *
 *	store			{"id":HLC,"boot":"ID"}: when the directory was made
 *	history.jsonl		task/taskhistory.h; its file before, .1, and task/forgotten.h
 *	sessions/S.json		task/sessions.h
 *	ID/			a task: task/taskrecord.h
 *	.released-ID/		a task that is being removed
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
#include "base/loop.h"
#include "task/committer.h"
#include "task/refusal.h"
#include "task/sessions.h"
#include "task/submit.h"
#include "task/taskhistory.h"
#include "task/taskrecord.h"

struct store_limits {
	int64_t tasks, running;
	int64_t log_max;	/* bytes of one task's output */
	int64_t log_total;	/* of all */
	int64_t history_max;
	int64_t user_share;	/* percent of tasks, running and log_total that one user may have (task/usage.h) */
};

#define STORE_LIMITS	{ 1000, 256, 64 << 20, INT64_C(1) << 30, 64 << 20, 50 }

struct store;

/* The state of a task has changed, or the history has more that is on the disk. */
typedef void store_changed(void *cookie);

/* T, as it was asked for; or (T NULL) it was refused, as R says. */
typedef void store_answer(struct taskrecord *t, const struct refusal *r, void *cookie);

/*
 * The store in the directory PATH, which is made.  Its tasks are adopted; those
 * that were recorded and not started are started.
 */
struct store *store_open(struct loop *l, const char *path, const struct store_limits *limits,
    struct hlc *clock, store_changed *changed, void *cookie, struct fail *f);

/* Finish what is on its way to the disk; all answers are given. */
void store_settle(struct store *s);

/* The tasks continue. */
void store_close(struct store *s);

int64_t store_id(const struct store *s);
const char *store_boot(const struct store *s);
struct sessions *store_sessions(struct store *s);
struct taskhistory *store_history(struct store *s);
const struct store_limits *store_limits(const struct store *s);
int64_t store_changes(const struct store *s);	/* rises with each change of a state */

size_t store_task_count(const struct store *s);
struct taskrecord *store_at(const struct store *s, size_t i);
struct taskrecord *store_find(const struct store *s, int64_t id);

/* The task ID while it is being written to the disk, before it is one of the others; NULL for none. */
const struct taskrecord *store_find_recording(const struct store *s, int64_t id);

/*
 * Has OWNER room for one more task within the limits, and within its share of them?
 * A task counts from its request on, also while it is being written to the disk.
 */
int store_check_room(const struct store *s, uid_t owner, struct refusal *r);

/* Tasks that are recorded and not started yet, or something on its way to the disk. */
bool store_is_pending(const struct store *s);

/*
 * Record the task that Q describes for OWNER, with COMMAND for lists, and start
 * it.  task/admission.h says whether that may be.  FN is called when it is on the
 * disk, or refused.
 */
void store_record(struct store *s, uid_t owner, const struct submit *q, const char *command, store_answer *fn,
    void *cookie);

/* Another request for the task ID, which is on its way: FN is called when the first one is. */
void store_await(struct store *s, int64_t id, store_answer *fn, void *cookie);

/* End it by SIGNO, SIGKILL after GRACE_MS (< 0: the task's own). */
void store_kill(struct taskrecord *t, int signo, int64_t grace_ms, store_answer *fn, void *cookie);

/* DONE is told when the history is on the disk. */
void store_commit(struct store *s, committer_done *done, void *cookie);

/* Move it to the session SESSION, whose lease it has from now on; or (LEAVE) none. */
int store_set_session(struct taskrecord *t, int64_t session, bool leave, struct refusal *r);

/* Remove a task that is over, and whose end is on the disk (store_commit()). */
int store_release(struct taskrecord *t, struct refusal *r);

/* sessions_couple(), where the sessions of tasks that are not over are kept. */
const struct task_session *store_couple(struct store *s, const struct task_session *new, struct refusal *r);

/* Forget sessions and tasks whose time is over; to be called now and then. */
void store_sweep(struct store *s);

#endif
