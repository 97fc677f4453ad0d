/*
 * handler - one action of one step on one component, by running a program.
 *
 * The contract is that of Azure Device Update's script handler: the program is
 * given the action, the step's arguments with their placeholders filled in from
 * the component, the work folder and the result file, and leaves
 * {"resultCode","extendedResultCode","resultDetails"} in that file; a status
 * other than 0 is a failure whatever the file says.  For microsoft/script:1 the
 * program is the step's scriptFileName in the work folder, made executable where
 * it is not, and so it is for microsoft/swupdate:2 (deploy/swupdate.h).  microsoft/apt:1 is the program rejoin-apt,
 * unless there is one in handlers.d/, and gets the path of its manifest as --apt-manifest.  Any other handler is an executable in handlers.d/ (configuration,
 * else vendor), named as its id with '_' for every character but [A-Za-z0-9-].
 *
 * It runs with a deadline, in its own session without our terminal, with an
 * environment of a few variables, and everything it started is ended with it at the
 * deadline.  A result file left from before is removed first.  Details are data:
 * they are never a format, and bounded.
 *
 * An action that changes nothing is an attached child: it ends with the agent.  One
 * that changes a component runs under the shim and outlives the agent, which adopts
 * it when it is back (deploy/adoption.h).
 */
#ifndef DEPLOY_HANDLER_H
#define DEPLOY_HANDLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "deploy/handler_result.h"

struct handler_call {
	const char *handler;		/* its id, "microsoft/script:1" */
	const char *program;		/* run this instead of looking for it; NULL */
	enum handler_action action;
	struct json properties;		/* the step's handlerProperties, borrowed */
	struct json config;		/* of microsoft/swupdate:2: deploy/swupdate.h; JSON_ABSENT; borrowed */
	struct json component;		/* a record, or JSON_ABSENT for the host; borrowed */
	const char *work_folder;	/* absolute; the payload files are there */
	const char *file;		/* the file there that it needs for every action (manifest_step_script()); or NULL */
	const char *user;		/* run as, and the work folder's owner then; NULL for ourselves */
	int64_t timeout_ms, grace_ms;
	/* Run it under the shim, in this directory (deploy/handler_run.h); NULL: as an attached child. */
	const char *run_dir;
	const char *workflow, *step;	/* for its record there */
	bool has_backup;		/* for its record: restore can undo it */
	bool new_privileges;		/* there: without NoNewPrivileges */
};

struct handler;

typedef void handler_done(const struct handler_result *r, void *cookie);

/* CALL need not outlive this; DONE is called once, from the loop. */
struct handler *handler_start(struct loop *l, const struct handler_call *call,
    handler_done *done, void *cookie);

/* Cancel: its processes are ended; DONE is still called, with RESULT_CANCELLED. */
void handler_end(struct handler *h);

/* Does ACTION change a component, so that it is to outlive the agent? */
bool handler_is_durable_action(enum handler_action action);

/*
 * Is HANDLER run for ACTION?  Backup, restore and cancel are optional: a handler
 * of microsoft/ has those that the member "actions" of PROPERTIES names, separated
 * by blanks; any other has all, and answers 1001, 1101 and 801 where it has nothing to do.
 */
bool handler_has_action(const char *handler, struct json properties, enum handler_action action);

/*
 * Is a failed install or apply by HANDLER undone by its action cancel, though nothing was backed up?  The restore
 * of microsoft/swupdate:2 is that in the Azure agent: it succeeds, as 1100, if the script answers 800.  A step whose
 * PROPERTIES name an action restore has that instead.
 */
bool handler_undoes_by_cancel(const char *handler, struct json properties);

/* Is the program of HANDLER a script among the files of its step, scriptFileName? */
bool handler_runs_script(const char *handler);

/* Does it outlive the agent? */
bool handler_is_durable(const struct handler *h);

/* Free H and leave its process running, for one that is durable; DONE is not called. */
void handler_detach(struct handler *h);

/* The executable of the handler HANDLER, to be freed; NULL where there is none.  It is not checked for trust. */
char *handler_find(const char *handler);

#endif
