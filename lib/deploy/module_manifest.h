/*
 * module_manifest - the modules and instances that a goal wants: the deployment of
 * Sony's Edge Virtualization Platform (EVP), schemas EVP1 and EVP2.
 *
 *	{"deploymentId":ID,
 *	 "instanceSpecs":{NAME:{"moduleId":ID,"publish":{ALIAS:TOPIC},"subscribe":{ALIAS:TOPIC}
 *	    [,"streams":{...}][,"entryPoint":TEXT][,"version":N]}},
 *	 "modules":{ID:{["entryPoint":TEXT,]["moduleImpl":TEXT,]"downloadUrl":URL,"hash":HEX}},
 *	 "publishTopics":{TOPIC:{"type":"local","topic":LOCAL}},
 *	 "subscribeTopics":{TOPIC:{"type":"local","topic":LOCAL}}}
 *
 * entryPoint and version stand in the module (EVP2) or in the instance (EVP1).
 * moduleImpl is "spawn" where it is missing.  HEX is a SHA-256.  restartPolicy and
 * unknown members are ignored.
 *
 * A backdoor module is managed by something else: its downloadUrl is missing, empty
 * or EVP-BACKDOOR, or the name of the instance or of the entry point begins with
 * "backdoor-".  It is not loaded, and its instances are not started.
 *
 * A module or an instance that is described wrongly has a PROBLEM and concerns no
 * other.  What is wrong with the document itself is EXIT_USAGE, naming the member.
 */
#ifndef DEPLOY_MODULE_MANIFEST_H
#define DEPLOY_MODULE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "base/json.h"

enum { MODULE_MANIFEST_NAME = 200, MODULE_MANIFEST_MAX = 4096 };	/* bytes of a name; instances, modules */

struct manifest_module {
	char *id, *impl;
	char *entry_point;	/* "" for none */
	char *url;		/* "" for a backdoor */
	char *hash;		/* 64 hex digits, lower case; "" for a backdoor */
	bool is_backdoor;
	char *problem;		/* NULL for none */
};

struct manifest_instance {
	char *name, *module_id;
	char *entry_point, *version;	/* of EVP1; "" for none */
	struct json publish, subscribe;	/* ALIAS -> TOPIC; JSON_ABSENT for none */
	struct json streams;		/* as given; JSON_ABSENT for none */
	bool is_backdoor;
	char *problem;		/* NULL for none */
};

struct module_manifest {
	char *id;		/* deploymentId */
	struct manifest_module *modules;
	size_t n_modules;
	struct manifest_instance *instances;
	size_t n_instances;
	struct json publish_topics, subscribe_topics;	/* TOPIC -> {"type","topic"} */
};

/* Is the object V a deployment of modules? */
bool module_manifest_is(struct json v);

/* NAME is for messages. */
int module_manifest_parse(const char *name, struct json v, struct module_manifest **out, struct fail *f);
void module_manifest_free(struct module_manifest *m);

/* NULL where there is none. */
const struct manifest_module *module_manifest_module(const struct module_manifest *m, const char *id);
const struct manifest_instance *module_manifest_instance(const struct module_manifest *m, const char *name);

/*
 * Where messages of the instance I go: {ALIAS:[{"instance":NAME,"topic":ALIAS},...]}, for
 * each alias that it publishes.  A route leads to each instance that subscribes to the same
 * local topic.
 */
struct json module_manifest_routes(const struct module_manifest *m, const struct manifest_instance *i);

#endif
