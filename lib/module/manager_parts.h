/*
 * manager_parts - what the files of the manager share: its state, and functions of one file that another
 * calls.  For them alone; module/manager.h is for the others.
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
	const struct manifest_module *spec;	/* of the manifest */
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
	struct json identity;		/* of what runs, or ran last */
	enum instance_phase state;
	char *failure;
	unsigned int tries;
	struct loop_timer retry;
	struct supervise *run;		/* while RUNNING and STOPPING */
	uid_t uid;			/* of what runs */
};

struct manager {
	struct loop *loop;
	struct manager_spec spec;
	char *agent, *modules_dir, *instances_dir, *owners, *paused;
	struct filewatch *filewatch;		/* of PAUSED */
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

void manager_log(struct manager *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Any number of reasons are one pass. */
void manager_request_pass(struct manager *m);

/* Milliseconds until something is tried again that has failed TRIES times before. */
int64_t manager_retry_ms(unsigned int tries);

/* TEXT, NULL for none, takes the place of *FAILURE. */
void manager_set_failure(char **failure, const char *text);

/* Tell what all are doing, if that has changed. */
void manager_tell_status(struct manager *m);

/* NULL where there is none, or it is not wanted. */
struct instance *manager_instance(const struct manager *m, const char *name);
const struct manifest_instance *manager_wanted(const struct manager *m, const struct instance *i);

/* --- manager_instances.c */

struct instance *manager_new_instance(struct manager *m, const char *name);
void manager_free_instance(struct instance *i);

/* What an earlier agent left in DIR, whose instance is called NAME if its files do not say so. */
void manager_adopt_instance(struct manager *m, const char *name, const char *dir);

/* Compare I with what is wanted, and stop it where it is not; false where it is gone. */
bool manager_follow_instance(struct instance *i);

/* I waits: for its module, or to be started as W wants it. */
void manager_try_instance(struct instance *i, const struct manifest_instance *w);
void manager_stop_instance(struct instance *i);

/* Write the users of the instances that run, for the link. */
void manager_update_owners(struct manager *m);

/* --- manager_modules.c */

struct module *manager_module(const struct manager *m, const char *id);

/* Fetch X, where that is not done, does not fail for good, and is not under way. */
void manager_load_module(struct module *x);
void manager_free_module(struct module *x);

/* The modules are those of NEXT: of the same content they keep their state, the others begin anew. */
void manager_follow_modules(struct manager *m, const struct module_manifest *next);

/* Unload: remove the files that no module of the deployment needs, and no instance that runs. */
void manager_trim_files(const struct manager *m);

/* --- manager_status.c */

/* deploymentStatus as EVP has it; the caller releases it. */
struct json manager_status(const struct manager *m);

#endif
