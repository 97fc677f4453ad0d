/*
 * handler_run - an action of a handler that outlives the agent: under the shim, in a
 * run directory (supervise/supervise.h).
 *
 * request.json has the member "call" beside the launch's:
 *
 *	{"workflow","step","component","action","name","result_file","timeout_ms",
 *	 "handler","properties","target","work_folder","file","backup"}
 *
 * The first line is all that another agent needs to take over the run's result; the
 * second, and the request's user, what it needs to call the handler's cancel and restore.
 */
#ifndef DEPLOY_HANDLER_RUN_H
#define DEPLOY_HANDLER_RUN_H

#include "base/fail.h"
#include "base/loop.h"
#include "deploy/handler_result.h"
#include "supervise/supervise.h"

struct handler_run_record {
	char *workflow, *step;
	char *component;	/* its id; "" for the host */
	char *name;		/* of the program, for messages */
	char *result_file;
	enum handler_action action;
	int64_t timeout_ms;
	/* As in struct handler_call; HANDLER is "" and the others are empty where they are not known. */
	char *handler, *work_folder;
	char *file, *user;	/* NULL for none */
	struct json properties, target;
	bool has_backup;	/* restore can undo it */
};

/* The record of the run DIR; release R afterwards. */
int handler_run_load(const char *dir, struct handler_run_record *r, struct fail *f);
void handler_run_record_release(struct handler_run_record *r);

/*
 * Make the directory DIR and start the run; NULL with F filled.  Under systemd, as
 * root, the shim is the service rejoin-handler-RUN, RUN being the name of DIR, in
 * rejoin-handlers.slice; else a child in its own session.
 */
struct supervise *handler_run_start(struct loop *l, const char *dir, const struct launch *launch,
    const struct handler_run_record *r, supervise_done *done, void *cookie, struct fail *f);

/*
 * The result of the run DIR, given the arguments of its supervise_done: R but for
 * its texts, the details into DETAILS, and the end of what it printed into OUTPUT.
 */
void handler_run_result(const char *dir, const char *name, const char *result_file, int64_t timeout_ms,
    const struct supervise_view *v, const struct fail *f, struct handler_result *r, struct buf *details,
    struct buf *output);

#endif
