/*
 * readiness - who has said to be ready, for which life of the agent the work
 * was begun, and what follows from both when an agent starts.
 *
 * The directory ready/PEER of the runtime directory (mark.h has the same rule
 * for whose it is) holds, each a few lines KEY=VALUE:
 *
 *	announced	the peer said that it is ready: its incarnation, and when
 *	assumed		it did not say so, but is taken to be ready
 *	cycle		the pair of incarnations for which the work was begun last
 *	lock		held by the one "run", and by the cycle that it started
 *
 * All of it is of one boot: each file names the boot that it was written in,
 * and is as good as missing in any other, wherever the directory is.  So a
 * reboot needs no fsync, and nothing left from before it is taken for new.
 */
#ifndef READY_READINESS_H
#define READY_READINESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/fail.h"

enum { READINESS_ID = 129, READINESS_BOOT = 40 };	/* room for the texts and a NUL */

enum readiness_verdict {
	VERDICT_NONE,		/* not yet to be told */
	VERDICT_COLD_START,	/* both started */
	VERDICT_AGENT_RESTART,	/* the agent alone */
	VERDICT_PEER_OFFLINE,	/* the peer is not there */
	VERDICT_PEER_RESTART,	/* the peer alone */
	VERDICTS,
};

const char *readiness_verdict_name(enum readiness_verdict v);

/* One of the four names; -EINVAL. */
int readiness_verdict_parse(const char *name, enum readiness_verdict *v);

/* What one of the files says; members that it has no use for are 0. */
struct readiness_note {
	bool is_there;			/* and of this boot */
	char boot[READINESS_BOOT];
	char agent[READINESS_ID], peer[READINESS_ID];	/* incarnations */
	int64_t made_us;		/* when, on CLOCK_BOOTTIME */
	enum readiness_verdict verdict;		/* what the cycle was begun as */
	bool ended;			/* the cycle has, and it was seen */
};

/* Keys that are not known, and values that cannot be, are passed over. */
void readiness_parse(const char *text, size_t len, struct readiness_note *n);
void readiness_format(const struct readiness_note *n, struct buf *out);

struct readiness {
	char *dir, *announced, *assumed, *cycle, *lock;	/* paths */
	char boot[READINESS_BOOT];
	mode_t mode;			/* of the lock */
};

/* PEER's directory, made where it is missing.  EXIT_DENIED where others may write there. */
int readiness_open(struct readiness *r, const char *peer, struct fail *f);
void readiness_close(struct readiness *r);

#define _cleanup_readiness_	__attribute__((cleanup(readiness_close)))

int readiness_announce(const struct readiness *r, const char *incarnation, struct fail *f);
int readiness_forget(const struct readiness *r, struct fail *f);

/* What is known now. */
struct readiness_now {
	struct readiness_note announced, assumed, cycle;
};

int readiness_read(const struct readiness *r, struct readiness_now *now, struct fail *f);

/*
 * Have INOTIFY_FD (base/inotify.h) report changes; to be renewed after each, as the
 * directory may have been swept away and with it the watch.
 */
int readiness_watch(const struct readiness *r, int inotify_fd, struct fail *f);

/* Has the peer announced itself, or is it taken to have? */
bool readiness_is_known(const struct readiness_now *now);

/* Whose life is it, and since when. */
struct readiness_self {
	char id[READINESS_ID];
	int64_t began_us;	/* on CLOCK_BOOTTIME */
};

/*
 * An agent's: GIVEN, else $INVOCATION_ID, else the process that runs us.  One
 * that is GIVEN begins now.  EXIT_USAGE for a name with controls in it.
 */
int readiness_agent(const char *given, struct readiness_self *s, struct fail *f);

/* A peer's: the same, but in a udev rule it is the event's number. */
int readiness_peer(const char *given, struct readiness_self *s, struct fail *f);

/* Is the peer connected, as far as anybody was asked. */
enum connected { CONNECTED_NOT_ASKED, CONNECTED_YES, CONNECTED_NO };

/*
 * The verdict on agent SELF, in its grace period or after it.  This and what
 * follows from it is a pure function; test/unit/readiness.c has its table.
 */
enum readiness_verdict readiness_judge(const struct readiness_self *self, const struct readiness_now *now,
    enum connected connected, bool grace_over);

/* Does the peer of NOW announce another life than that which the cycle was begun with? */
bool readiness_is_peer_restart(const struct readiness_now *now);

/*
 * The work begins, as V: remember the pair, and that the peer is taken to be
 * ready where it did not say so.  NOW is brought up to that.
 */
int readiness_begin(const struct readiness *r, const struct readiness_self *self, enum readiness_verdict v,
    struct readiness_now *now, struct fail *f);

/*
 * The peer announced in NOW is the one that SELF's cycle serves from now on; it
 * has ended.  Both do nothing where another life's work has been begun since.
 */
int readiness_adopt(const struct readiness *r, const struct readiness_self *self,
    struct readiness_now *now, struct fail *f);
int readiness_end(const struct readiness *r, const struct readiness_self *self,
    struct readiness_now *now, struct fail *f);

#endif
