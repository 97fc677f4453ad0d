#include <unistd.h>

#include "module/manager_parts.h"

static struct json
module_status(const struct module *x)
{
	static const char *const words[] = { [MODULE_UNKNOWN] = "unknown", [MODULE_DOWNLOADING] = "downloading",
		[MODULE_OK] = "ok", [MODULE_ERROR] = "error" };
	struct json v = json_object();

	/* a failure stays one while it is tried again: else each try would be two reports */
	json_set_text(&v, "status", x->spec->is_backdoor ? "unmanaged" : x->failure ? "error" : words[x->state]);
	if (x->failure)
		json_set_text(&v, "failureMessage", x->failure);
	return v;
}

static struct json
instance_status(const struct manager *m, const struct instance *i)
{
	static const char *const words[] = { [INSTANCE_WAITING] = "unknown", [INSTANCE_RUNNING] = "ok",
		[INSTANCE_STOPPING] = "stopping", [INSTANCE_EXITED] = "self-exiting", [INSTANCE_ERROR] = "error" };
	const struct manifest_instance *w = manager_wanted(m, i);
	struct json v = json_object();

	json_set_text(&v, "status", w && w->is_backdoor && !i->run ? "unmanaged" : words[i->state]);
	json_set_text(&v, "moduleId", w ? w->module_id : "");
	if (i->failure)
		json_set_text(&v, "failureMessage", i->failure);
	return v;
}

/* applying: something is under way; error: nothing is, and something has failed. */
static const char *
reconcile_status(const struct manager *m)
{
	bool failed = false;

	if (access(m->paused, F_OK) == 0)
		return "paused";
	for (size_t i = 0; i < m->n_modules; i++) {
		const struct module *x = m->modules[i];

		if (!x->failure && x->state != MODULE_OK && !x->spec->is_backdoor)
			return "applying";
		failed |= x->failure != NULL;
	}
	for (size_t k = 0; k < m->n_instances; k++) {
		if (m->instances[k]->state == INSTANCE_STOPPING)
			return "applying";
		failed |= m->instances[k]->failure != NULL;
	}
	return failed ? "error" : "ok";
}

/* The order is that of the deployment: what is the same reads the same. */
struct json
manager_status(const struct manager *m)
{
	struct json v = json_object(), instances = json_object(), modules = json_object();

	for (size_t k = 0; m->manifest && k < m->manifest->n_instances; k++) {
		const struct instance *i = manager_instance(m, m->manifest->instances[k].name);

		if (i)
			json_set(&instances, i->name, instance_status(m, i));
	}
	for (size_t i = 0; i < m->n_modules; i++)
		json_set(&modules, m->modules[i]->spec->id, module_status(m->modules[i]));
	json_set(&v, "instances", instances);
	json_set(&v, "modules", modules);
	if (m->manifest && *m->manifest->id) {
		json_set_text(&v, "deploymentId", m->manifest->id);
		json_set_text(&v, "reconcileStatus", reconcile_status(m));
	}
	return v;
}
