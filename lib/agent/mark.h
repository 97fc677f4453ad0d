/*
 * mark - what remembers that a retry was asked for: files in the directory
 * retry/NAME of the runtime directory, one of them for each profile.
 *
 *	pending		asked for; a line "TIME REASON" for each who asked, as far
 *			as 4 KiB reach
 *	sending		being delivered, or its deliverer died
 *	lock		held by the one process that delivers
 *	delivered	what the last delivery recorded (agent/deliver.h)
 *
 * The directory belongs to root, and the profile's group may write there where
 * it has one (2770), else nobody else (0755).  Neither links nor anything but
 * regular files are followed in it: EXIT_DENIED.  Marks need no fsync: they
 * need not survive a reboot, as an agent evaluates its goal when it starts.
 */
#ifndef AGENT_MARK_H
#define AGENT_MARK_H

#include <stdbool.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

struct marks {
	char *dir;	/* where they are */
	char *pending, *sending, *lock, *delivered;	/* their paths */
	gid_t gid;	/* whose group may write there, (gid_t)-1 for none */
	uid_t uid;	/* whose files there are trusted besides root's and the caller's */
	mode_t mode;	/* of the files */
};

/* P's marks; nothing is looked at or made. */
void mark_init(struct marks *m, const struct profile *p);
void mark_release(struct marks *m);

#define _cleanup_marks_	__attribute__((cleanup(mark_release)))

/* Make the directory where it is missing; see that it is ours. */
int mark_open(const struct marks *m, struct fail *f);

/* Ask, because of REASON (agent/reason.h; empty for none). */
int mark_set(const struct marks *m, const char *reason, struct fail *f);

/* Is a retry asked for and not delivered? */
bool mark_is_set(const struct marks *m);

/* Only "pending", that is since the last mark_take(). */
bool mark_is_pending(const struct marks *m);

/* Turn "pending", if it is there, into "sending". */
int mark_take(const struct marks *m, struct fail *f);

/* The last reason in "sending" into REASON; empty for none. */
void mark_reason(const struct marks *m, char *reason, size_t size);

/* "sending" could not be delivered: it is pending again, for who watches for that. */
void mark_put_back(const struct marks *m);

/* "sending" was delivered. */
int mark_clear(const struct marks *m, struct fail *f);

/* The lock's descriptor; not yet locked (base/lock.h). */
int mark_open_lock(const struct marks *m, struct fail *f);

/* The record of the last delivery; by the lock's holder only. */
int mark_write_record(const struct marks *m, const char *text, size_t len, struct fail *f);
int mark_read_record(const struct marks *m, struct buf *out, struct fail *f);

#endif
