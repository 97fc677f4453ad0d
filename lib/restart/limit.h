/*
 * limit - so many in so long: a bucket of tokens that survives a reboot, in
 * the file restart/NAME.limit of the state directory.
 *
 * The bucket holds N tokens and gains N of them evenly in WINDOW.  Time is
 * counted on the clock of boot, so setting the wall clock gains nothing; over a
 * reboot by the wall clock, or where that went back, from the boot on.
 */
#ifndef RESTART_LIMIT_H
#define RESTART_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"

struct limit {
	int64_t left;		/* tokens that are there */
	int64_t wait_ms;	/* until there is one; 0 where there is */
};

/* How things are; nothing is taken. */
int limit_read(const struct profile *p, struct limit *l, struct fail *f);

/* What limit_take() would say. */
int limit_check(const struct profile *p, struct fail *f);

/*
 * Take one, on disk when this returns.  EXIT_BUSY, naming when there will be
 * one, where there is none.  Without a limit in P it is 0.
 */
int limit_take(const struct profile *p, struct fail *f);

/* The bucket's text, at a time: for tests. */
struct limit_clock {
	char boot[64];		/* this boot's id */
	int64_t boot_ms, wall_ms;
};

/* The credit, in ms of WINDOW_MS at most, that TEXT tells of at time NOW. */
int64_t limit_credit(const char *text, size_t len, const struct limit_clock *now,
    int64_t window_ms);

#endif
