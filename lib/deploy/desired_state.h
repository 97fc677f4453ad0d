/*
 * desired_state - the goal as it was last read from its source, kept on disk.
 *
 * A goal is written to KEPT before it is acted on, so a crash loses nothing, and a
 * source that is not there changes nothing.  With allow-unsigned the file alone
 * decides what is run; it must then be trusted (base/file.h).
 *
 * A goal of a link, STATE/hub/NAME/goal.json, is written by the user of rejoin-hub.
 * With trust-hub it needs no signature, must belong to the owner of its directory or to
 * root, and no other user may be able to write to either.
 *
 * Errors: EXIT_USAGE for what is no goal, EXIT_DENIED for one that is not to be
 * trusted.
 */
#ifndef DEPLOY_DESIRED_STATE_H
#define DEPLOY_DESIRED_STATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/fail.h"
#include "deploy/goal.h"

/* What goals are accepted: keys of agent.conf. */
struct desired_policy {
	bool allow_unsigned, allow_modules, trust_hub;
};

struct desired_state {
	char *source;		/* the goal's file, or NULL where there is none to be had */
	char *name;		/* what to call it in messages */
	char *kept;		/* the twin's file */
	struct desired_policy policy;
	bool is_hub;		/* SOURCE is of a link */
	bool refused;		/* the file SOURCE was refused */
	bool missing;		/* there is no file SOURCE */
	bool damaged;		/* KEPT could not be read, and nothing has replaced it */
	bool revoked;		/* TEXT was accepted, and would not be accepted now */
	struct buf text;	/* what was last taken */
};

/* SOURCE may be NULL; NAME is what to call it, NULL for its path; STATE is the state directory. */
void desired_state_init(struct desired_state *d, const char *source, const char *name, const char *state,
    const struct desired_policy *policy);
void desired_state_set_source(struct desired_state *d, const char *source, const char *name,
    const struct desired_policy *policy);
void desired_state_release(struct desired_state *d);

/* The goal that was kept: 0 with it in OUT, -ENOENT where there is none. */
int desired_state_load(struct desired_state *d, struct goal **out, struct fail *f);

/*
 * Read the source: 1 with a goal in OUT that differs from the last one (it is kept
 * by then), 0 where nothing is new, -ENOENT where the file does not exist, another
 * error where it was refused.  After an error the last goal stays.
 */
int desired_state_refresh(struct desired_state *d, struct goal **out, struct fail *f);

/*
 * Is the last goal still accepted, by the policy and the files of rootkeys.d as they
 * are now?  0 with the goal, parsed anew, in OUT (NULL for none); else the error.
 */
int desired_state_check(struct desired_state *d, struct goal **out, struct fail *f);

#endif
