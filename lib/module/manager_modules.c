#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "module/manager_parts.h"
#include "module/module_file.h"

struct module *
manager_module(const struct manager *m, const char *id)
{
	for (size_t i = 0; i < m->n_modules; i++)
		if (strcmp(m->modules[i]->spec->id, id) == 0)
			return m->modules[i];
	return NULL;
}

static void
module_retry_due(void *cookie)
{
	struct module *x = cookie;

	x->state = MODULE_UNKNOWN;
	manager_request_pass(x->manager);
}

static void
module_fail(struct module *x, const char *why)
{
	x->state = MODULE_ERROR;
	if (!x->failure || strcmp(x->failure, why) != 0)
		logger_info(&x->manager->spec.log, "module %s: %s", x->spec->id, why);
	manager_set_failure(&x->failure, why);
	loop_timer_set(x->manager->loop, &x->retry, manager_retry_ms(x->tries++));
}

static void
module_fetched(const char *failure, void *cookie)
{
	struct module *x = cookie;

	x->job = NULL;
	if (failure) {
		module_fail(x, failure);
	} else {
		x->state = MODULE_OK;
		x->tries = 0;
		manager_set_failure(&x->failure, NULL);
		logger_info(&x->manager->spec.log, "module %s: loaded", x->spec->id);
	}
	manager_request_pass(x->manager);
}

/* What is described wrongly, or cannot be run here, is not fetched, and nothing changes that. */
static char *
module_obstacle(const struct manager *m, const struct manifest_module *spec)
{
	if (spec->problem)
		return xstrdup(spec->problem);
	return spec->is_backdoor || module_runners_find(&m->spec.config->runners, spec->impl) ? NULL :
	    xasprintf("no runner for %s", spec->impl);
}

void
manager_load_module(struct module *x)
{
	struct manager *m = x->manager;
	_cleanup_free_ char *obstacle = module_obstacle(m, x->spec);
	struct fail f;

	if (x->spec->is_backdoor || x->job)
		return;
	if (obstacle) {
		x->state = MODULE_ERROR;
		manager_set_failure(&x->failure, obstacle);
		return;
	}
	if (x->state != MODULE_UNKNOWN)
		return;
	x->job = module_file_start(m->loop, m->modules_dir, x->spec->id, x->spec->url, x->spec->hash,
	    &m->spec.config->link, module_fetched, x, &f);
	if (x->job)
		x->state = MODULE_DOWNLOADING;
	else
		module_fail(x, f.text);
}

void
manager_free_module(struct module *x)
{
	loop_timer_stop(x->manager->loop, &x->retry);
	if (x->job)
		module_file_cancel(x->job);
	free(x->failure);
	free(x);
}

static bool
is_same_module(const struct manifest_module *a, const struct manifest_module *b)
{
	return a && b && strcmp(a->hash, b->hash) == 0 && strcmp(a->impl, b->impl) == 0 &&
	    a->is_backdoor == b->is_backdoor && !a->problem == !b->problem;
}

void
manager_set_modules(struct manager *m, const struct module_manifest *next)
{
	struct module **list = xcalloc(next->n_modules + 1, sizeof *list);

	for (size_t i = 0; i < next->n_modules; i++) {
		const struct manifest_module *spec = &next->modules[i];
		struct module *old = manager_module(m, spec->id), *x;

		if (old && is_same_module(old->spec, spec)) {
			/* another address may have what the old one had not */
			if (old->state == MODULE_ERROR && strcmp(old->spec->url, spec->url) != 0) {
				loop_timer_stop(m->loop, &old->retry);
				old->state = MODULE_UNKNOWN;
				old->tries = 0;
			}
			for (size_t k = 0; k < m->n_modules; k++)
				if (m->modules[k] == old)
					m->modules[k] = m->modules[--m->n_modules];
			x = old;
		} else {
			x = xcalloc(1, sizeof *x);
			*x = (struct module){ .manager = m, .retry = { .fn = module_retry_due, .cookie = x } };
		}
		x->spec = spec;
		list[i] = x;
	}
	for (size_t i = 0; i < m->n_modules; i++)
		manager_free_module(m->modules[i]);
	free(m->modules);
	m->modules = list;
	m->n_modules = m->modules_cap = next->n_modules;
}

/* Is the file called HEX one that a module needs, or a part of one? */
static bool
is_needed_file(const struct manager *m, const char *hex)
{
	for (size_t i = 0; i < m->n_modules; i++) {
		const char *hash = m->modules[i]->spec->hash;

		if (*hash && strncmp(hex, hash, strlen(hash)) == 0)
			return true;
	}
	/* what still runs is not pulled from under it: an interpreter may read its file again */
	for (size_t i = 0; i < m->n_instances; i++) {
		_cleanup_json_ struct json hash = json_get(m->instances[i]->identity, "hash");
		const char *s = json_get_string(hash);

		if (m->instances[i]->run && s && strncmp(hex, s, strlen(s)) == 0)
			return true;
	}
	return false;
}

/* Unload: the files that no module of the deployment needs. */
void
manager_remove_unused(const struct manager *m)
{
	_cleanup_free_ char *dir = xasprintf("%s/sha256", m->modules_dir);
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d)) != NULL; )
		if (*e->d_name != '.' && !is_needed_file(m, e->d_name))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}
