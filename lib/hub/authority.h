/*
 * authority - which submissions a user may make.
 *
 *	report			root, the agent's user, the link's own user
 *	state telemetry log	the same, and for the records of INSTANCE its user
 *	answer			the same, for a call of INSTANCE
 *	call			every submitter; of $agent/ the same as report
 *
 * The users of instances are in the file owners of the agent's state directory,
 * which the agent writes: {"INSTANCE":UID,...}.
 */
#ifndef HUB_AUTHORITY_H
#define HUB_AUTHORITY_H

#include <sys/types.h>

#include "base/fail.h"

struct authority {
	uid_t agent;		/* (uid_t)-1 where it is not known */
	const char *owners;	/* path of the file */
};

/*
 * May UID submit a record of KIND with KEY?  For an answer INSTANCE is that of its call,
 * else NULL.  EXIT_USAGE for a key that is none, EXIT_DENIED.
 */
int authority_check(const struct authority *a, uid_t uid, const char *kind, const char *key, const char *instance,
    struct fail *f);

/* The user of INSTANCE; (uid_t)-1 where there is none. */
uid_t authority_owner(const struct authority *a, const char *instance);

#endif
