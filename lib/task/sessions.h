/*
 * sessions - the sessions that a task agent knows, each with its file
 * sessions/ID.json, which the shims of its tasks read.  sessions/.over says which
 * ones were forgotten (task/oversessions.h): none of them is made anew.
 */
#ifndef TASK_SESSIONS_H
#define TASK_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "task/refusal.h"
#include "task/session.h"

/* Of all users, and of one; it has at most 256 connections, and a client two of them. */
enum { SESSIONS_MAX = 1000, SESSIONS_A_UID = 256 };

struct sessions;

/* Does a task need the session ID to be kept? */
typedef bool sessions_in_use(int64_t id, void *cookie);

/* Those in the directory PATH, which is made; BOOT is the kernel's boot id. */
struct sessions *sessions_open(const char *path, const char *boot, struct fail *f);
void sessions_close(struct sessions *s);

/* NULL where there is none. */
struct task_session *sessions_find(struct sessions *s, int64_t id);

/*
 * Make NEW's session, whose lease begins at NOW, or take up the one with its id,
 * owner and run.  Where its owner has as many as it may have, one that is not IN_USE
 * and was not heard from for longest makes room: its controller, if there is one, couples again.
 */
struct task_session *sessions_couple(struct sessions *s, const struct task_session *new, int64_t now,
    sessions_in_use *in_use, void *cookie, struct refusal *r);

/* The id that a new session of P's owner and run is above. */
int64_t sessions_floor(const struct sessions *s, const struct task_session *p);

/* Write the lease of P, which was renewed. */
int sessions_renew(struct sessions *s, const struct task_session *p);

/* Has any a lease that is valid at NOW?  One without a lease needs no agent until its next request. */
bool sessions_any_valid(const struct sessions *s, int64_t now);

/* Forget those that are over at NOW and that IN_USE (of a session's id) does not need. */
void sessions_sweep(struct sessions *s, int64_t now, sessions_in_use *in_use, void *cookie);

#endif
