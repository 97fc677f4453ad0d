/*
 * module_runner - how modules of one kind are run: the sections [module-impl.NAME] of
 * agent.conf, NAME being the moduleImpl of a deployment.
 *
 *	[module-impl.NAME]
 *	argv = PROGRAM ARGUMENT...	of it ${file} is the module's file, ${entry} its entry
 *					point, ${instance} the instance, ${dir} its directory
 *	user = NAME			default: handler-user, unless that is root
 *	stop-signal = SIGTERM
 *	nofile = N, nproc = N, ...	limits, by the names of limits.conf(5)
 *
 * Built in are spawn (argv = ${file}) and python (argv = python3 -u ${file}); a section
 * of that name changes what it names.
 */
#ifndef DEPLOY_MODULE_RUNNER_H
#define DEPLOY_MODULE_RUNNER_H

#include "base/fail.h"
#include "base/ini.h"
#include "supervise/launch.h"

struct module_runner {
	char *name;
	char **argv;		/* NULL-terminated, with placeholders; NULL: not set */
	char *user;		/* NULL: not set */
	int stop_signal;
	struct launch_limit limits[LAUNCH_LIMITS];
	int n_limits;
};

struct module_runners {
	struct module_runner *v;
	size_t n, cap;
};

/* Those that are built in. */
void module_runners_init(struct module_runners *r);
void module_runners_release(struct module_runners *r);

/* E is a section or a key; 1 where its section is another, else 0 or an error. */
int module_runners_parse(struct module_runners *r, const struct ini_entry *e, struct fail *f);

/* NULL where there is none, or it has no argv. */
const struct module_runner *module_runners_find(const struct module_runners *r, const char *name);

struct module_runner_words {
	const char *file, *entry, *instance, *dir;
};

/* The command line for W, to be freed with xfree_strv(). */
char **module_runner_argv(const struct module_runner *r, const struct module_runner_words *w);

#endif
