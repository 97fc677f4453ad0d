/*
 * helper - the side of input/protocol.h that a helper has: a program that follows a
 * log elsewhere.  Without FEED it prints the text of each event as a line, and
 * reports on stderr.  When its reader closes the pipe it exits with status 0.
 */
#ifndef INPUT_HELPER_H
#define INPUT_HELPER_H

#include <stdbool.h>

#include "base/loop.h"
#include "input/protocol.h"

struct helper {
	struct loop *loop;
	bool feed;
	struct buf out;
	struct buf known;		/* the ids that were read, each ended by NUL */
	enum exit_status status;	/* with which it is over */
};

void helper_init(struct helper *h);
void helper_release(struct helper *h);

/* With FEED, read the ids that are known already; then watch for the reader closing the pipe. */
void helper_begin(struct helper *h);

/* The first of the ids, and the one after ID; NULL at the end. */
const char *helper_first(const struct helper *h);
const char *helper_next(const struct helper *h, const char *id);

void helper_event(struct helper *h, const char *id, const char *text, size_t n);

/* For the callbacks of what is followed: COOKIE is the helper. */
void helper_gap(const char *why, void *cookie);
void helper_tell(const struct fail *f, void *cookie);

/* It is over: stop the loop, with the status of F, or EXIT_OK for NULL. */
void helper_done(const struct fail *f, void *cookie);

#endif
