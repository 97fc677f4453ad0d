/*
 * limit - at most so many restarts in a time: a token bucket that survives a
 * reboot, in the file restart/NAME.limit of the state directory.
 *
 * The bucket holds N tokens and gains N of them evenly in WINDOW.  Time is
 * measured on the clock of boot, so setting the wall clock gains nothing; over a
 * reboot it is measured by the wall clock, or from the boot on if that went back.
 * An empty or damaged file is a bucket that was empty when the file was written.
 */
#ifndef RESTART_LIMIT_H
#define RESTART_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/profile.h"
#include "base/fail.h"

struct limit {
	int64_t left;		/* tokens in the bucket */
	int64_t wait_ms;	/* time until there is one; 0 if there is */
};

/* Read the state; no token is taken. */
int limit_read(const struct profile *p, struct limit *l, struct fail *f);

/* The error that limit_take() would return. */
int limit_check(const struct profile *p, struct fail *f);

/*
 * Take a token; that is on disk when this returns.  EXIT_BUSY with the time of
 * the next token if there is none.  0 if P has no limit.
 */
int limit_take(const struct profile *p, struct fail *f);

/* The clocks, as an argument for tests. */
struct limit_clock {
	char boot[64];		/* boot id */
	int64_t boot_ms, wall_ms;
};

/* The credit of the bucket TEXT at time NOW, in ms, at most WINDOW_MS; -1 if TEXT is damaged. */
int64_t limit_credit(const char *text, size_t len, const struct limit_clock *now,
    int64_t window_ms);

#endif
