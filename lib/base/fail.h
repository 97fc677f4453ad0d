/*
 * fail - why something of lib/ could not be done, for the tool to report.
 *
 * A function that takes a struct fail fills it wherever it returns an error:
 * TEXT names the object and the reason ("FILE:LINE: key 'x' is not known"),
 * STATUS is what the tool should end with, HINT is the one thing that the user
 * can do about it, and empty where there is none.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include "base/diag.h"

struct fail {
	enum exit_status status;
	char text[512];
	char hint[512];
};

/* Fill F, without a hint; returns a negative errno that goes with STATUS, for the caller to pass on. */
int fail_set(struct fail *f, enum exit_status status, const char *fmt, ...) PRINTF(3, 4);

/*
 * Fill F with the text and the meaning of ERR (either sign), which also
 * decides the status: EXIT_DENIED for EACCES and EPERM, else EXIT_TROUBLE.
 * Returns -ERR.
 */
int fail_errno(struct fail *f, int err, const char *fmt, ...) PRINTF(3, 4);

/* Give F, which is filled, its hint; an empty one is none. */
void fail_hint(struct fail *f, const char *fmt, ...) PRINTF(2, 3);

/*
 * Report F and its hint: an error, or with EXIT_OK what the user should know.
 * COOKIE is not used; it makes this a callback for modules that report problems.
 */
void fail_tell(const struct fail *f, void *cookie);

/*
 * For a tool's main(): the hint that fail_end() and fail_die() give from here on where
 * F has none of its own.  It is given with EXIT_TROUBLE, EXIT_TIMEOUT and EXIT_ABSENT;
 * of the others the text says all.
 */
void fail_set_next_step(const char *fmt, ...) PRINTF(1, 2);

/* Report F, with its hint or else the next step, and return its status. */
enum exit_status fail_end(const struct fail *f);

/* The same, and end with the status. */
void fail_die(const struct fail *f) NORETURN;

#endif
