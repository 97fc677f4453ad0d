/*
 * session - the task agent's side of a controller's session: which beats renew
 * the lease of its tasks, and to when.  No transport and no clock of its own;
 * task/link.h says why it is so.
 *
 *	- a beat with a number not seen before renews the lease to `seen` + lease,
 *	  not to its arrival + lease: it may have been held up on the way;
 *	- a beat with the last number is a duplicate: it is answered, and renews nothing;
 *	- a lower number is an error;
 *	- a lease that has expired is not renewed: the shims have ended the tasks.
 *
 * Times are milliseconds of this machine's CLOCK_BOOTTIME.
 */
#ifndef TASK_SESSION_H
#define TASK_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"
#include "supervise/lease.h"

enum {
	SESSION_NAME = 256, SESSION_PERIOD_MAX_MS = 3600 * 1000,
	SESSION_LEASE_MIN_MS = 1000, SESSION_LEASE_MAX_MS = 24 * 3600 * 1000,
};

struct task_session {
	int64_t id;			/* an HLC, of the request that made it */
	uid_t owner;
	char controller[SESSION_NAME];	/* for people */
	int64_t run;			/* the controller's */
	int64_t period_ms, lease_ms;
	bool leave;			/* tasks go on without the controller: no lease */
	int64_t n;			/* the highest number seen */
	int64_t deadline_ms;		/* of the lease */
	int64_t heard_ms;		/* the last request */
	int64_t told, told_before;	/* store_changes() at the last beat, and at the one before */
};

enum session_beat { SESSION_RENEWED, SESSION_DUPLICATE, SESSION_DECREASED, SESSION_EXPIRED };

/* The session was made, or taken up again, at NOW. */
void session_open(struct task_session *s, int64_t now);

/* Beat N with SEEN arrives at NOW; deadline_ms is the new one if RENEWED. */
enum session_beat session_beat(struct task_session *s, int64_t n, int64_t seen, int64_t now);

bool session_is_valid(const struct task_session *s, int64_t now);

/*
 * The file sessions/ID.json: the line of its lease (supervise/lease.h), then
 * one of the rest.  BOOT is the kernel's boot id.
 */
void session_format(const struct task_session *s, const char *boot, struct buf *out);

/* -EBADMSG where TEXT is none; a lease of another boot has expired. */
int session_parse(const char *text, size_t len, const char *boot, struct task_session *s);

/* The lease that the file is to begin with. */
struct lease session_lease(const struct task_session *s, const char *boot);

#endif
