/*
 * taskrecord - one task of a task agent: what is known of it, and how that is
 * read from the task's directory.
 *
 *	ID/request.json	supervise/launch.h, with a member "task":
 *			{"id","owner","session","on_loss","digest","nonce","start_before"}
 *	ID/lease	{"file":"../sessions/S.json"}, or null: runs without a lease
 *	ID/ended	{"state":"failed"|"expired"|"killed","reason"}: ended without a start
 *
 * The other files of the directory are the shim's (supervise/shim.h).
 */
#ifndef TASK_TASKRECORD_H
#define TASK_TASKRECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/sha.h"
#include "supervise/supervise.h"
#include "task/submit.h"

enum taskrecord_state {
	TASK_RECORDED, TASK_RUNNING, TASK_ENDED, TASK_KILLED, TASK_UNKNOWN, TASK_FAILED, TASK_EXPIRED,
};

/* Their names, which taskrecord_state_name() returns. */
#define TASKRECORD_STATES	"recorded running ended killed unknown failed expired"

struct taskrecord {
	struct store *store;		/* the store's */
	int64_t id, session;		/* session 0: none */
	uid_t owner;
	bool leave;
	enum taskrecord_state state;
	char *dir, *command;		/* COMMAND: argv, for lists */
	char digest[SHA_TEXT], nonce[SUBMIT_NONCE];
	int64_t start_before;		/* wall clock, ms; 0: none */
	char *reason;			/* of failed, expired */
	struct outcome outcome;		/* if ended or killed */
	int64_t log_bytes;		/* of its output, as of the last store_sweep() */
	struct supervise *run;		/* the store's */
	int64_t changed;		/* the store's count at its last change of state */
	int endings;			/* so many are on their way (task/ending.h) */
};

/* The directory DIR, which is copied. */
struct taskrecord *taskrecord_new(int64_t id, const char *dir);
void taskrecord_free(struct taskrecord *t);

/*
 * Read the request and the session of T; false where the directory holds no
 * whole request, which is what a crash left before anything was acknowledged.
 */
bool taskrecord_load(struct taskrecord *t);

/* Is the file there and whole that names the lease of T, for its shim? */
bool taskrecord_names_lease(const struct taskrecord *t);

/* Did it end without a start?  Then its state and reason are set. */
bool taskrecord_load_ended(struct taskrecord *t);

/* Write that T ends without a start, in STATE for REASON.  On disk when this returns 0. */
int taskrecord_write_ended(const struct taskrecord *t, enum taskrecord_state state, const char *reason);

/* The state and the outcome of a run that has ended. */
void taskrecord_set_outcome(struct taskrecord *t, const struct outcome *o);

bool taskrecord_is_over(const struct taskrecord *t);
const char *taskrecord_state_name(enum taskrecord_state s);

/* The bytes of its output that are on the disk. */
int64_t taskrecord_log_bytes(const struct taskrecord *t);

/* The outcome as an object; and all that is known of T. */
struct json taskrecord_outcome(const struct taskrecord *t);
struct json taskrecord_describe(const struct taskrecord *t);

#endif
