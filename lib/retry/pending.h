/*
 * mark - what remembers that a retry was asked for: files in the directory
 * retry/NAME of the runtime directory, one of them for each profile.
 *
 *	pending		asked for; a line "TIME REASON" for each who asked, as far
 *			as 4 KiB reach
 *	sending		being delivered, or its deliverer died
 *	lock		held by the one process that delivers
 *	delivered	what the last delivery recorded (retry/delivery.h)
 *
 * The directory belongs to root, and the profile's group may write there where
 * it has one (2770), else nobody else (0755).  Neither links nor anything but
 * regular files are followed in it: EXIT_DENIED.  Marks need no fsync: they
 * need not survive a reboot, as an agent evaluates its goal when it starts.
 */
#ifndef RETRY_PENDING_H
#define RETRY_PENDING_H

#include <stdbool.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

struct pending {
	char *dir;	/* where they are */
	char *pending, *sending, *lock, *delivered;	/* their paths */
	gid_t gid;	/* whose group may write there, (gid_t)-1 for none */
	uid_t uid;	/* whose files there are trusted besides root's and the caller's */
	mode_t mode;	/* of the files */
};

/* P's marks; nothing is looked at or made. */
void pending_init(struct pending *m, const struct profile *p);
void pending_release(struct pending *m);

#define _cleanup_pending_	__attribute__((cleanup(pending_release)))

/* Make the directory where it is missing; see that it is ours. */
int pending_open(const struct pending *m, struct fail *f);

/* Ask, because of REASON (agent/reason.h; empty for none). */
int pending_add(const struct pending *m, const char *reason, struct fail *f);

/* Is a retry asked for and not delivered? */
bool pending_exists(const struct pending *m);

/* Only "pending", that is since the last pending_claim(). */
bool pending_is_new(const struct pending *m);

/* Turn "pending", if it is there, into "sending". */
int pending_claim(const struct pending *m, struct fail *f);

/* The last reason in "sending" into REASON; empty for none. */
void pending_reason(const struct pending *m, char *reason, size_t size);

/* "sending" could not be delivered: it is pending again, for who watches for that. */
void pending_unclaim(const struct pending *m);

/* "sending" was delivered. */
int pending_clear(const struct pending *m, struct fail *f);

/* The lock's descriptor; not yet locked (base/lock.h). */
int pending_open_lock(const struct pending *m, struct fail *f);

/* The record of the last delivery; by the lock's holder only. */
int pending_write_delivery(const struct pending *m, const char *text, size_t len, struct fail *f);
int pending_read_delivery(const struct pending *m, struct buf *out, struct fail *f);

#endif
