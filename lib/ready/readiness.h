/*
 * readiness - whether a peer is ready, for which agent incarnation the work cycle was
 * begun, and the verdict that follows when an agent starts.
 *
 * Files of KEY=VALUE lines in the directory ready/PEER of the runtime directory:
 *
 *	announced	the peer announced that it is ready: its incarnation and the time
 *	assumed		the peer did not announce itself, and is assumed to be ready
 *
 * and in ready/PEER of the state directory, where nothing that clears /run removes
 * them:
 *
 *	cycle		the agent and peer incarnations of the last cycle
 *	lock		locked by "rejoin-ready run", and by the cycle that it started
 *
 * Each file names the boot in which it was written, and counts as missing in any
 * other.  So nothing is fsynced, and nothing left from before a reboot is used.
 * The directories belong to root or the caller, and are not writable by others.
 * Their lock is 0600, or 0660 where a group may write: a file that can be read can
 * be locked.
 */
#ifndef READY_READINESS_H
#define READY_READINESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"
#include "ready/readiness_note.h"
#include "ready/readiness_self.h"

struct readiness {
	char *dir, *announced, *assumed;	/* in the runtime directory */
	char *state_dir, *cycle, *lock;		/* in the state directory */
	char *old_cycle;		/* where an earlier version kept "cycle" */
	char boot[READINESS_BOOT];
	mode_t mode;			/* of the lock */
};

/*
 * Set the paths of PEER and create its runtime directory.  EXIT_DENIED if others may
 * write there.
 */
int readiness_open(struct readiness *r, const char *peer, struct fail *f);

/* Create the state directory, before a cycle is recorded. */
int readiness_open_state(struct readiness *r, struct fail *f);

void readiness_close(struct readiness *r);

#define _cleanup_readiness_	__attribute__((cleanup(readiness_close)))

int readiness_announce(const struct readiness *r, const char *incarnation, struct fail *f);
int readiness_forget(const struct readiness *r, struct fail *f);

/* All that is known now. */
struct readiness_now {
	struct readiness_note announced, assumed, cycle;
};

int readiness_read(const struct readiness *r, struct readiness_now *now, struct fail *f);

/*
 * Watch the announcement with INOTIFY_FD (base/inotify.h).  To be called again after
 * each event, as the directory may have been removed, and the watch with it.
 */
int readiness_watch(const struct readiness *r, int inotify_fd, struct fail *f);

/* Has the peer announced itself, or is it assumed to be ready? */
bool readiness_is_known(const struct readiness_now *now);

/* The answer of --connected. */
enum connected { CONNECTED_NOT_ASKED, CONNECTED_YES, CONNECTED_NO };

/*
 * The verdict on the agent SELF, in its grace period or after it.  A pure function;
 * test/unit/readiness.c has its table.
 */
enum readiness_verdict readiness_judge(const struct readiness_self *self, const struct readiness_now *now,
    enum connected connected, bool grace_over);

/* Does the peer announce another incarnation than that of the cycle? */
bool readiness_is_peer_restart(const struct readiness_now *now);

/*
 * Record that the cycle begins with verdict V, and that the peer is assumed to be
 * ready if it did not announce itself.  NOW is updated.
 */
int readiness_begin(const struct readiness *r, const struct readiness_self *self, enum readiness_verdict v,
    struct readiness_now *now, struct fail *f);

/*
 * Record that SELF's cycle serves the announced peer from now on, or that it ended.
 * Both do nothing if the cycle of another incarnation has begun since.
 */
int readiness_adopt(const struct readiness *r, const struct readiness_self *self,
    struct readiness_now *now, struct fail *f);
int readiness_end(const struct readiness *r, const struct readiness_self *self,
    struct readiness_now *now, struct fail *f);

#endif
