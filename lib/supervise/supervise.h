/*
 * supervise - the supervisor's side of a run: start a shim, be notified of the end,
 * end it, and find it again after a restart of the supervisor.
 *
 * A run is a directory, used once (supervise/shim.h lists its files).  The
 * supervisor makes it with supervise_make(), starts it, and removes it when the
 * outcome is recorded elsewhere.  The run does not depend on the supervisor:
 * a supervisor that was killed calls supervise_examine() for each directory that it
 * finds, and supervise_adopt() for those that are running.
 *
 *	struct supervise *s = supervise_start(loop, &spec, done, cookie, &f);
 *
 * Errors: a negative errno with F filled.
 */
#ifndef SUPERVISE_SUPERVISE_H
#define SUPERVISE_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "supervise/launch.h"
#include "supervise/outcome.h"
#include "supervise/started.h"

enum supervise_state {
	SUPERVISE_NEW,		/* nothing was executed: it may be started */
	SUPERVISE_RUNNING,	/* a shim holds the lock */
	SUPERVISE_ENDED,	/* the outcome is known */
	SUPERVISE_INTERRUPTED,	/* it was started, and its end is not known, or its files are gone: never start it again */
};

struct supervise_view {
	enum supervise_state state;
	struct started started;		/* pid 0 where it is not known (yet) */
	struct outcome outcome;		/* if ENDED */
};

/* What the directory DIR says now. */
int supervise_examine(const char *dir, struct supervise_view *v, struct fail *f);

/*
 * Make the directory DIR (mode 0700) with L as its request, and the members of
 * EXTRA (an object or JSON_ABSENT) beside it, on disk when this returns.
 * -EEXIST where it is there.  After another error nothing is left.
 */
int supervise_make(const char *dir, const struct launch *l, struct json extra, struct fail *f);

/* The bytes of its request.json, for a caller that makes the directory itself. */
void supervise_format_request(const struct launch *l, struct json extra, struct buf *out);

struct supervise_spec {
	const char *dir;	/* absolute */
	const char *unit;	/* run the shim as this transient service of systemd; NULL: as a child */
	const char *slice;	/* of the unit */
};

struct supervise;

/*
 * It is over: V's state is ENDED or INTERRUPTED, with every process of the run
 * gone; or NEW, and F says why it could not be started.  INTERRUPTED with a text in F:
 * the files of the run could not be read for two seconds, and may tell its end later.
 * Called once, from the loop.  The handle is gone after the call.
 */
typedef void supervise_done(const struct supervise_view *v, const struct fail *f, void *cookie);

/* Start the run; NULL with F filled, -EBUSY's text where it is running, or has run. */
struct supervise *supervise_start(struct loop *l, const struct supervise_spec *spec,
    supervise_done *done, void *cookie, struct fail *f);

/*
 * Watch a run that another process started, for its end: RUNNING, or
 * INTERRUPTED, whose remaining processes are killed first.
 */
struct supervise *supervise_adopt(struct loop *l, const char *dir, supervise_done *done,
    void *cookie);

/* Free the handle; the run continues. */
void supervise_forget(struct supervise *s);

/*
 * Ask the shim of DIR to end the run: SIGNO (0: SIGTERM) to all its processes,
 * SIGKILL after GRACE_MS (< 0: the launch's).  -ESRCH where none is running.
 */
int supervise_end(const char *dir, enum outcome_why why, int signo, int64_t grace_ms);

/*
 * Give the run of DIR another lease: PATH, absolute or relative to DIR, or NULL
 * for none.
 */
int supervise_set_lease(const char *dir, const char *path);

/* The bytes of the file "lease" that says the same. */
void supervise_format_lease(const char *path, struct buf *out);

#endif
