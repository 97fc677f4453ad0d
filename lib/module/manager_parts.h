/*
 * manager_parts - what the four files manager*.c share: the state of a manager, and the functions of
 * one file that another one calls.  No other file includes it: the interface is module/manager.h.
 */
#ifndef MODULE_MANAGER_PARTS_H
#define MODULE_MANAGER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/loop.h"
#include "module/manager.h"
#include "module/module_file.h"
#include "supervise/supervise.h"

enum module_phase { MODULE_UNKNOWN, MODULE_DOWNLOADING, MODULE_OK, MODULE_ERROR };

struct module {
	struct manager *manager;
	const struct manifest_module *spec;	/* borrowed from the manifest */
	enum module_phase state;
	char *failure;
	unsigned int tries;
	struct loop_timer retry;
	struct module_file *job;
};

enum instance_phase { INSTANCE_WAITING, INSTANCE_RUNNING, INSTANCE_STOPPING, INSTANCE_EXITED, INSTANCE_ERROR };

struct instance {
	struct manager *manager;
	char *name, *dir;
	struct json identity;		/* of the process that runs, or ran last: module/instance.h */
	enum instance_phase state;
	char *failure;
	unsigned int tries;
	struct loop_timer retry;
	struct supervise *run;		/* while RUNNING and STOPPING */
	uid_t uid;			/* of that process */
};

struct manager {
	struct loop *loop;
	struct manager_spec spec;
	char *agent, *modules_dir, *instances_dir, *owners, *paused;
	struct filewatch *filewatch;		/* of the file PAUSED */
	struct module_manifest *manifest;	/* NULL: not known yet */
	struct module **modules;
	size_t n_modules, modules_cap;
	struct instance **instances;
	size_t n_instances, instances_cap;
	struct json reported;
	struct loop_timer pass;
	struct loop_stage stage;
	bool is_stopping, was_paused;
	size_t awaited;			/* instances that the shutdown waits for */
};

/* --- manager.c */

/* Run a pass from the loop, soon; many requests before it are one. */
void manager_request_pass(struct manager *m);

/* Milliseconds until the next attempt at what has failed TRIES times. */
int64_t manager_retry_ms(unsigned int tries);

/* Replace *FAILURE by a copy of TEXT, NULL for none. */
void manager_set_failure(char **failure, const char *text);

/* Report the status of all modules and instances to the caller, if it has changed. */
void manager_report_status(struct manager *m);

/* The instance NAME; what the deployment says of I.  NULL for none. */
struct instance *manager_instance(const struct manager *m, const char *name);
const struct manifest_instance *manager_wanted(const struct manager *m, const struct instance *i);

/* --- manager_instances.c */

struct instance *manager_new_instance(struct manager *m, const char *name);
void manager_free_instance(struct instance *i);

/* Adopt the instance that an earlier agent left in DIR; its name is NAME unless its files have another. */
void manager_adopt_instance(struct manager *m, const char *name, const char *dir);

/* Stop I, or forget it, unless the deployment has it with this identity.  False where it was freed. */
bool manager_compare_instance(struct instance *i);

/* I is waiting: start it as W says, if its module is loaded. */
void manager_try_start(struct instance *i, const struct manifest_instance *w);
void manager_stop_instance(struct instance *i);

/* Write the file "owners", the users of the instances that run (hub/authority.h). */
void manager_update_owners(struct manager *m);

/* --- manager_modules.c */

struct module *manager_module(const struct manager *m, const char *id);

/* Begin to fetch X, unless it is loaded, is being fetched, waits for its next attempt, or can never run here. */
void manager_load_module(struct module *x);
void manager_free_module(struct module *x);

/* Take the list of modules from NEXT.  A module of the same content keeps its state. */
void manager_set_modules(struct manager *m, const struct module_manifest *next);

/* Remove the files of modules that neither the deployment nor a running instance needs. */
void manager_remove_unused(const struct manager *m);

/* --- manager_status.c */

/* deploymentStatus as EVP has it; the caller releases it. */
struct json manager_status(const struct manager *m);

#endif
