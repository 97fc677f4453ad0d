#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/filewatch.h"
#include "base/xalloc.h"
#include "module/instance.h"
#include "module/manager_parts.h"
#include "module/module_file.h"

enum { PAUSED_POLL_MS = 5000 };

/* Any number of reasons are one pass. */
void
manager_request_pass(struct manager *m)
{
	if (!m->pass.set && !m->is_stopping)
		loop_timer_set(m->loop, &m->pass, 0);
}

int64_t
manager_retry_ms(unsigned int tries)
{
	static const int seconds[] = { 1, 3, 6, 10, 20, 40, 60 };
	const unsigned int last = sizeof seconds / sizeof *seconds - 1;

	return seconds[tries < last ? tries : last] * 1000;
}

void
manager_set_failure(char **failure, const char *text)
{
	free(*failure);
	*failure = text ? xstrdup(text) : NULL;
}

const struct manifest_instance *
manager_wanted(const struct manager *m, const struct instance *i)
{
	return m->manifest ? module_manifest_instance(m->manifest, i->name) : NULL;
}

struct instance *
manager_instance(const struct manager *m, const char *name)
{
	for (size_t k = 0; k < m->n_instances; k++)
		if (strcmp(m->instances[k]->name, name) == 0)
			return m->instances[k];
	return NULL;
}

/* --- the pass */

void
manager_report_status(struct manager *m)
{
	struct json v = manager_status(m);

	if (json_equal(v, m->reported)) {
		json_release(&v);
		return;
	}
	json_release(&m->reported);
	m->reported = v;
	m->spec.changed(m->reported, m->spec.cookie);
}

static void
compare_instances(struct manager *m)
{
	for (size_t k = 0; k < m->n_instances; )
		if (manager_compare_instance(m->instances[k])) {
			k++;
		} else {
			manager_free_instance(m->instances[k]);
			m->instances[k] = m->instances[--m->n_instances];
		}
	for (size_t k = 0; k < m->manifest->n_instances; k++) {
		const struct manifest_instance *w = &m->manifest->instances[k];

		if (!manager_instance(m, w->name))
			manager_new_instance(m, w->name);
	}
}

static void
routes_write(struct manager *m, const struct instance *i, const struct manifest_instance *w)
{
	_cleanup_json_ struct json routes = module_manifest_routes(m->manifest, w);
	struct fail f;

	if (instance_set_routes(i->dir, routes, &f) < 0)
		logger_info(&m->spec.log, "instance %s: %s", i->name, f.text);
}

/* The file is the state: it is also made and removed by hand. */
static bool
check_paused(struct manager *m)
{
	const bool paused = access(m->paused, F_OK) == 0;

	if (paused != m->was_paused) {
		logger_info(&m->spec.log, "modules and instances are %s", paused ? "paused" : "resumed");
		m->was_paused = paused;
		m->spec.paused(paused, m->spec.cookie);
	}
	return paused;
}

static void
pass_run(void *cookie)
{
	struct manager *m = cookie;
	bool paused;

	if (m->is_stopping)
		return;
	paused = check_paused(m);
	if (!m->manifest)
		return;
	if (paused) {
		manager_report_status(m);
		return;
	}
	compare_instances(m);
	for (size_t i = 0; i < m->n_modules; i++)
		manager_load_module(m->modules[i]);
	for (size_t k = 0; k < m->n_instances; k++) {
		struct instance *i = m->instances[k];
		const struct manifest_instance *w = manager_wanted(m, i);

		if (!w || w->problem || w->is_backdoor) {
			if (w && w->problem && !i->run)
				manager_try_start(i, w);
			continue;
		}
		routes_write(m, i, w);
		if (i->state == INSTANCE_WAITING && !manager_module(m, w->module_id)->spec->is_backdoor)
			manager_try_start(i, w);
	}
	manager_remove_unused(m);
	manager_report_status(m);
}

/* --- life */

/* The name that file_encode() has written as FILE; one that it cut is in the run's files alone. */
static char *
name_decode(const char *file)
{
	struct buf b = BUF_INIT;

	for (; *file; file++) {
		unsigned int byte;
		char two[3] = "";

		if (*file == '%' && file[1] && file[2]) {
			memcpy(two, file + 1, 2);
			byte = (unsigned int)strtoul(two, NULL, 16);
			buf_putc(&b, (char)byte);
			file += 2;
		} else {
			buf_putc(&b, *file);
		}
	}
	return b.len > 0 ? buf_steal(&b) : xstrdup("");
}

static void
paused_changed(bool names, void *cookie)
{
	(void)names;
	manager_request_pass(cookie);
}

static void
instances_adopt(struct manager *m)
{
	DIR *d = opendir(m->instances_dir);

	for (struct dirent *e; d && (e = readdir(d)) != NULL; ) {
		_cleanup_free_ char *dir = xasprintf("%s/%s", m->instances_dir, e->d_name), *name = name_decode(e->d_name);

		if (*e->d_name != '.')
			manager_adopt_instance(m, name, dir);
	}
	if (d)
		closedir(d);
}

/* Cancel downloads; then end all instances at once, unless they are to be kept. */
static void
manager_shutdown(void *cookie)
{
	struct manager *m = cookie;

	m->is_stopping = true;
	loop_timer_stop(m->loop, &m->pass);
	for (size_t i = 0; i < m->n_modules; i++) {
		loop_timer_stop(m->loop, &m->modules[i]->retry);
		if (m->modules[i]->job)
			module_file_cancel(TAKE_PTR(m->modules[i]->job));
	}
	for (size_t k = 0; k < m->n_instances; k++) {
		struct instance *i = m->instances[k];

		loop_timer_stop(m->loop, &i->retry);
		if (!i->run || (m->spec.config->keep_instances && i->state == INSTANCE_RUNNING))
			continue;
		m->awaited++;
		if (i->state == INSTANCE_RUNNING)
			manager_stop_instance(i);
	}
	if (m->awaited > 0) {
		logger_info(&m->spec.log, "stopping %zu instance%s", m->awaited, m->awaited == 1 ? "" : "s");
		loop_hold(m->loop);
	}
}

void
manager_set_agent(struct manager *m, const char *agent)
{
	free(m->agent);
	m->agent = agent ? xstrdup(agent) : NULL;
}

int
manager_new(struct loop *l, const struct manager_spec *spec, struct manager **out, struct fail *f)
{
	struct manager *m = xcalloc(1, sizeof *m);
	int r;

	*m = (struct manager){ .loop = l, .spec = *spec, .modules_dir = xasprintf("%s/modules", spec->state),
	    .instances_dir = xasprintf("%s/instances", spec->state), .owners = xasprintf("%s/owners", spec->state),
	    .paused = xasprintf("%s/paused", spec->state),
	    .pass = { .fn = pass_run, .cookie = m }, .stage = { .fn = manager_shutdown, .cookie = m } };
	manager_set_agent(m, spec->agent);
	r = file_make_trusted_dir(m->modules_dir, f);
	if (r == 0)
		r = file_make_trusted_dir(m->instances_dir, f);
	if (r < 0)
		manager_free(m);
	else
		*out = m;
	return r;
}

void
manager_start(struct manager *m)
{
	loop_stage_add(m->loop, &m->stage);
	m->filewatch = filewatch_new(m->loop, PAUSED_POLL_MS);
	filewatch_add(m->filewatch, m->paused, FILEWATCH_PATH, paused_changed, m);
	instances_adopt(m);
	manager_update_owners(m);
	(void)check_paused(m);
	manager_report_status(m);
	manager_request_pass(m);
}

int
manager_pause(struct manager *m, bool pause, struct fail *f)
{
	int r = pause ? file_replace(m->paused, "", 0, 0644, 0) : unlink(m->paused) < 0 && errno != ENOENT ? -errno : 0;

	if (r < 0)
		return fail_errno(f, r, "%s", m->paused);
	if (!m->is_stopping && check_paused(m) != pause)
		return fail_set(f, EXIT_TROUBLE, "%s: was changed by another process", m->paused);
	manager_request_pass(m);
	return 0;
}

void
manager_set(struct manager *m, struct module_manifest *manifest)
{
	struct module_manifest *was = m->manifest;

	if (!manifest) {
		manifest = xcalloc(1, sizeof *manifest);
		manifest->id = xstrdup("");
	}
	if (*manifest->id && (!was || strcmp(was->id, manifest->id) != 0))
		logger_note(&m->spec.log, "deployment %s: begins", manifest->id);
	manager_set_modules(m, manifest);
	m->manifest = manifest;
	module_manifest_free(was);
	manager_request_pass(m);
}

bool
manager_retry(struct manager *m, const char *instance)
{
	if (instance && !manager_instance(m, instance))
		return false;
	for (size_t i = 0; i < m->n_modules; i++)
		if (m->modules[i]->state == MODULE_ERROR && !instance) {
			loop_timer_stop(m->loop, &m->modules[i]->retry);
			m->modules[i]->tries = 0;
			m->modules[i]->state = MODULE_UNKNOWN;
		}
	for (size_t k = 0; k < m->n_instances; k++) {
		struct instance *i = m->instances[k];

		if (i->state != INSTANCE_ERROR && (i->state != INSTANCE_EXITED || !instance))
			continue;
		if (instance && strcmp(instance, i->name) != 0)
			continue;
		loop_timer_stop(m->loop, &i->retry);
		i->tries = 0;
		i->state = INSTANCE_WAITING;
	}
	manager_request_pass(m);
	return true;
}

void
manager_free(struct manager *m)
{
	if (!m)
		return;
	loop_stage_remove(m->loop, &m->stage);
	loop_timer_stop(m->loop, &m->pass);
	for (size_t k = 0; k < m->n_instances; k++)
		manager_free_instance(m->instances[k]);
	for (size_t i = 0; i < m->n_modules; i++)
		manager_free_module(m->modules[i]);
	module_manifest_free(m->manifest);
	json_release(&m->reported);
	free(m->instances);
	free(m->modules);
	filewatch_free(m->filewatch);
	free(m->agent);
	free(m->paused);
	free(m->modules_dir);
	free(m->instances_dir);
	free(m->owners);
	free(m);
}
