/*
 * pending - the retry requests of one agent that are not delivered yet: files in
 * the directory retry/NAME of the runtime directory.
 *
 *	pending		a retry is requested; one line "TIME REASON" for each
 *			request, up to 4 KiB
 *	sending		the request that is being delivered, or that a killed
 *			process was delivering: it counts as pending
 *	again		the pending request is to use [retry] again-command
 *	again-sending	the same for "sending"
 *	instance-NAME	a retry of one instance is requested; NAME as by file_encode()
 *	sending-NAME	the same being delivered
 *	lock		locked by the process that delivers
 *	delivered	the last delivery (retry/delivery.h)
 *
 * A profile with a group has the directory root:GROUP 2770 and files 0660, so
 * that the members can request and deliver.  Without a group it is 0755 and
 * files are 0644, but for the lock: a file that can be read can be locked, so it
 * is 0600.
 *
 * No link is followed and only regular files are used: EXIT_DENIED.  Nothing is
 * fsynced, as no request needs to survive a reboot: an agent evaluates its
 * deployment when it starts.
 */
#ifndef RETRY_PENDING_H
#define RETRY_PENDING_H

#include <stdbool.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/fail.h"

struct pending {
	char *dir;
	char *pending, *sending, *again, *again_sending, *lock, *delivered;	/* paths */
	gid_t gid;		/* group that may write there, (gid_t)-1 for none */
	uid_t uid;		/* user of the agent: a trusted owner, as root and the caller are */
	mode_t mode, lock_mode;
};

/* Set the paths for P; the file system is not touched.  Free with pending_release(). */
void pending_init(struct pending *m, const struct profile *p);
void pending_release(struct pending *m);

#define _cleanup_pending_	__attribute__((cleanup(pending_release)))

/* Create the directory if it is missing, and check its owner and mode. */
int pending_open(const struct pending *m, struct fail *f);

/*
 * Record a request for REASON (agent/reason.h; may be empty).  AGAIN asks for
 * the again-command.
 */
int pending_add(const struct pending *m, const char *reason, bool again, struct fail *f);

/* Is a request recorded that is not delivered? */
bool pending_exists(const struct pending *m);

/* Was a request recorded since the last pending_claim()? */
bool pending_is_new(const struct pending *m);

/* Rename "pending" to "sending", if it exists; *AGAIN tells which command is wanted. */
int pending_claim(const struct pending *m, bool *again, struct fail *f);

/* Append the reasons in "sending" to OUT, with "; " between two; at most 1 KiB. */
void pending_reasons(const struct pending *m, struct buf *out);

/* The delivery of "sending" failed: make it "pending" again. */
void pending_unclaim(const struct pending *m);

/* "sending" was delivered: remove it; AGAIN is of pending_claim(). */
int pending_clear(const struct pending *m, bool again, struct fail *f);

/* The longest name of an instance, in bytes; a name has neither blanks nor control characters. */
enum { PENDING_INSTANCE_MAX = 48 };

bool pending_is_instance_name(const char *name);

/* Record a request for the instance NAME. */
int pending_add_instance(const struct pending *m, const char *name, const char *reason, struct fail *f);

/* The name of an instance whose request is not delivered, to be freed; NULL for none. */
char *pending_find_instance(const struct pending *m);

/* As the functions for a request without a name. */
int pending_claim_instance(const struct pending *m, const char *name, struct fail *f);
void pending_unclaim_instance(const struct pending *m, const char *name);
int pending_clear_instance(const struct pending *m, const char *name, struct fail *f);

/* A descriptor of the lock file, not locked yet (base/lock.h). */
int pending_open_lock(const struct pending *m, struct fail *f);

/* Replace and read the text of "delivered"; the writer holds the lock. */
int pending_write_delivery(const struct pending *m, const char *text, size_t len, struct fail *f);
int pending_read_delivery(const struct pending *m, struct buf *out, struct fail *f);

#endif
