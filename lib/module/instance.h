/*
 * instance - the process of a module instance: its directory, its start, its end,
 * and its adoption by an agent that starts after one that was killed.
 *
 * In the directory of an instance, STATE/instances/NAME (the name as file_encode() has it):
 *
 *	run/		supervise/supervise.h: request, lock, started, output, status of the last run
 *	routes.json	where its messages go (deploy/module_manifest.h), rewritten with each deployment
 *	home/		of the instance's user: HOME
 *	home/default_workspace/
 *
 * The identity is an object of what makes an instance another one: name, module, hash,
 * moduleImpl, entry point, version.  It is kept in the run's request, so that a run that is found is
 * known to be the one that is wanted, or not.
 */
#ifndef MODULE_INSTANCE_H
#define MODULE_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"
#include "base/json.h"
#include "base/loop.h"
#include "deploy/module_runner.h"
#include "supervise/supervise.h"

enum { INSTANCE_GRACE_MS = 10000 };

struct instance_spec {
	const char *dir;		/* of the instance */
	const char *name;
	const char *agent;		/* the profile of the link; NULL for none */
	const char *file, *entry;	/* of the module */
	const struct module_runner *runner;
	const char *user;		/* NULL: the agent's */
	struct json identity;		/* borrowed */
};

/* DIR/run and so on; to be freed. */
char *instance_run_dir(const char *dir);

/*
 * The user that runs modules of R, where HANDLER_USER is that of handlers (NULL for none): its
 * name, NULL for the agent's own.  EXIT_DENIED where that would be root without being written.
 */
int instance_user(const struct module_runner *r, const char *handler_user, const char **user, uid_t *uid, struct fail *f);

/*
 * Start it; DONE as in supervise/supervise.h.  What an ended run left in DIR/run is removed.
 * -EBUSY with F filled where one runs.
 */
int instance_start(struct loop *l, const struct instance_spec *spec, supervise_done *done, void *cookie,
    struct supervise **out, struct fail *f);

/* Its routes, as far as they differ from what is there. */
int instance_set_routes(const char *dir, struct json routes, struct fail *f);

/* What is in DIR/run: its state, and the identity (JSON_ABSENT where it cannot be read). */
int instance_examine(const char *dir, struct supervise_view *v, struct json *identity, struct fail *f);

/* Ask it to end: the stop signal, SIGKILL after GRACE_MS. */
void instance_end(const char *dir, int64_t grace_ms);

#endif
