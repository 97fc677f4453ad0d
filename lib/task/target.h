/*
 * target - where a task agent is, as a user names it:
 *
 *	unix:PATH			a socket; "" is the default one of this machine
 *	[USER@]HOST, ssh://[USER@]HOST[:PORT]	over ssh(1), which runs "rejoin-taskd --dial" there
 *
 * USER and HOST are [A-Za-z0-9._-]+ and do not begin with "-"; an IPv6 address
 * stands in brackets.
 */
#ifndef TASK_TARGET_H
#define TASK_TARGET_H

#include <stdbool.h>

#include "base/fail.h"

struct target {
	char *name;		/* as given, for messages */
	char *key;		/* the name of its directory in the controller's state */
	char *socket;		/* NULL: over ssh */
	char *host, *port;	/* HOST with its USER; PORT or NULL */
};

/* EXIT_USAGE where TEXT is no target.  target_release() whatever the result. */
int target_parse(const char *text, struct target *t, struct fail *f);
void target_release(struct target *t);

/* Is TEXT meant to be a target, and not a sub-command? */
bool target_is_one(const char *text);

#endif
