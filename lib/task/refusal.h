/*
 * refusal - why a request was not carried out: an HTTP status, a word for
 * programs, and a text for people.
 */
#ifndef TASK_REFUSAL_H
#define TASK_REFUSAL_H

#include "base/diag.h"

struct refusal {
	int status;
	const char *name;	/* a literal */
	char text[400];
	char hint[120];		/* the one thing that can be done; empty: none */
};

/* Fill R; returns -1, for the caller to return. */
int refusal_set(struct refusal *r, int status, const char *name, const char *fmt, ...) PRINTF(4, 5);

/* Add the hint of R, after refusal_set(); returns -1 as well. */
int refusal_hint(struct refusal *r, const char *fmt, ...) PRINTF(2, 3);

/* For errno ERR (either sign) of a write to the state directory: 507 where it is full, else 500. */
int refusal_errno(struct refusal *r, int err, const char *what);

#endif
