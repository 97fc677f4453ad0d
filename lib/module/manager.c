#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/filewatch.h"
#include "base/trust.h"
#include "base/xalloc.h"
#include "module/instance.h"
#include "module/manager_parts.h"
#include "module/module_file.h"

enum { PAUSED_POLL_MS = 5000 };

void
manager_log(struct manager *m, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	m->spec.log(text, m->spec.cookie);
}

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

/* --- instances */

/* What the instance W is to run as; JSON_ABSENT where it is not to be run. */
static struct json
identity_of(const struct manager *m, const struct manifest_instance *w)
{
	const struct manifest_module *spec = w && !w->problem && !w->is_backdoor ?
	    module_manifest_module(m->manifest, w->module_id) : NULL;
	struct json v;

	if (!spec || spec->problem || spec->is_backdoor)
		return JSON_ABSENT;
	v = json_object();
	json_set_text(&v, "instance", w->name);
	json_set_text(&v, "moduleId", spec->id);
	json_set_text(&v, "moduleImpl", spec->impl);
	json_set_text(&v, "hash", spec->hash);
	json_set_text(&v, "entryPoint", *w->entry_point ? w->entry_point : spec->entry_point);
	json_set_text(&v, "version", w->version);
	return v;
}

static void
instance_retry_due(void *cookie)
{
	struct instance *i = cookie;

	i->state = INSTANCE_WAITING;
	manager_request_pass(i->manager);
}

static struct instance *
instance_new(struct manager *m, const char *name)
{
	struct instance *i = xcalloc(1, sizeof *i);
	_cleanup_free_ char *file = file_encode(name);

	*i = (struct instance){ .manager = m, .name = xstrdup(name), .dir = xasprintf("%s/%s", m->instances_dir, file),
	    .retry = { .fn = instance_retry_due, .cookie = i }, .uid = (uid_t)-1 };
	m->instances = xgrow(m->instances, m->n_instances, &m->instances_cap, sizeof *m->instances);
	m->instances[m->n_instances++] = i;
	return i;
}

static void
instance_free(struct instance *i)
{
	loop_timer_stop(i->manager->loop, &i->retry);
	if (i->run)
		supervise_forget(i->run);
	json_release(&i->identity);
	free(i->failure);
	free(i->name);
	free(i->dir);
	free(i);
}

/* The users of the instances that run, for the link.  Written before one is started. */
static int
owners_write(const struct manager *m, struct fail *f)
{
	_cleanup_json_ struct json all = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	for (size_t k = 0; k < m->n_instances; k++)
		if (m->instances[k]->uid != (uid_t)-1)
			json_set(&all, m->instances[k]->name, json_number(m->instances[k]->uid));
	json_format(all, &b);
	buf_putc(&b, '\n');
	r = file_replace(m->owners, b.s, b.len, 0644, 0);
	return r < 0 ? fail_errno(f, r, "%s", m->owners) : 0;
}

static void
owners_update(struct manager *m)
{
	struct fail f;

	if (owners_write(m, &f) < 0)
		manager_log(m, "%s", f.text);
}

static void
instance_fail(struct instance *i, const char *why)
{
	i->state = INSTANCE_ERROR;
	if (!i->failure || strcmp(i->failure, why) != 0)
		manager_log(i->manager, "instance %s: %s", i->name, why);
	manager_set_failure(&i->failure, why);
	loop_timer_set(i->manager->loop, &i->retry, manager_retry_ms(i->tries++));
}

/* It ended by itself: how, where that was not with status 0. */
static void
instance_exited(struct instance *i, const struct supervise_view *v, const struct fail *f)
{
	_cleanup_buf_ struct buf how = BUF_INIT;

	if (v->state == SUPERVISE_ENDED && v->outcome.error) {
		outcome_describe(&v->outcome, &how);
		instance_fail(i, how.s);
		return;
	}
	i->state = INSTANCE_EXITED;
	if (v->state == SUPERVISE_INTERRUPTED)
		buf_puts(&how, f && *f->text ? f->text : "its end is not known");
	else if (outcome_status(&v->outcome) != 0)
		outcome_describe(&v->outcome, &how);
	manager_set_failure(&i->failure, how.len > 0 ? how.s : NULL);
	manager_log(i->manager, "instance %s: has ended%s%s", i->name, how.len > 0 ? ": " : "", how.s);
}

static void status_tell(struct manager *m);

static void
instance_ended(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct instance *i = cookie;
	struct manager *m = i->manager;

	i->run = NULL;
	i->uid = (uid_t)-1;
	if (i->state == INSTANCE_STOPPING) {
		manager_log(m, "instance %s: stopped", i->name);
		i->state = INSTANCE_WAITING;
		i->tries = 0;
		manager_set_failure(&i->failure, NULL);
		if (m->is_stopping && --m->awaited == 0) {
			status_tell(m);
			loop_release(m->loop);
		}
	} else if (v->state == SUPERVISE_NEW) {
		instance_fail(i, f->text);
	} else {
		instance_exited(i, v, f);
	}
	owners_update(m);
	manager_request_pass(m);
}

static void
instance_stop(struct instance *i)
{
	i->state = INSTANCE_STOPPING;
	manager_set_failure(&i->failure, NULL);
	instance_end(i->dir, INSTANCE_GRACE_MS);
}

/* Start I as W wants it. */
static int
instance_launch(struct instance *i, const struct manifest_instance *w, struct json identity, struct fail *f)
{
	struct manager *m = i->manager;
	const struct manifest_module *spec = module_manifest_module(m->manifest, w->module_id);
	const struct module_runner *runner = module_runners_find(&m->spec.config->runners, spec->impl);
	_cleanup_free_ char *file = module_file_path(m->modules_dir, spec->hash);
	struct instance_spec s = { .dir = i->dir, .name = i->name, .agent = m->agent, .file = file,
		.entry = *w->entry_point ? w->entry_point : spec->entry_point, .runner = runner, .identity = identity };
	int r;

	if (!runner)
		return fail_set(f, EXIT_TROUBLE, "no runner for %s", spec->impl);
	r = instance_user(runner, m->spec.config->handler_user, &s.user, &i->uid, f);
	if (r == 0)
		r = owners_write(m, f);
	if (r == 0)
		r = instance_start(m->loop, &s, instance_ended, i, &i->run, f);
	if (r < 0)
		i->uid = (uid_t)-1;
	return r;
}

/* Streams other than those that lead nowhere are not there. */
static const char *
stream_obstacle(const struct manifest_instance *w)
{
	for (struct json_iter it = json_begin(w->streams); json_next(&it); ) {
		const char *type = json_get_text(it.value, "type");

		if (!type || strcmp(type, "null") != 0) {
			json_end(&it);
			return "streams of another type than null are not supported";
		}
	}
	return NULL;
}

/* I waits: for its module, or to be started. */
static void
instance_try(struct instance *i, const struct manifest_instance *w)
{
	struct manager *m = i->manager;
	_cleanup_json_ struct json identity = identity_of(m, w);
	const struct module *x = w->problem ? NULL : manager_module(m, w->module_id);
	const char *obstacle = w->problem ? w->problem : stream_obstacle(w);
	struct fail f;

	if (obstacle) {
		i->state = INSTANCE_ERROR;
		manager_set_failure(&i->failure, obstacle);
		return;
	}
	if (!x || x->state != MODULE_OK) {
		_cleanup_free_ char *why = xasprintf("waits for module %s%s%s", w->module_id, x && x->failure ? ": " : "",
		    x && x->failure ? x->failure : "");

		manager_set_failure(&i->failure, why);
		return;
	}
	if (instance_launch(i, w, identity, &f) < 0) {
		instance_fail(i, f.text);
		return;
	}
	json_release(&i->identity);
	i->identity = json_copy(identity);
	i->state = INSTANCE_RUNNING;
	manager_set_failure(&i->failure, NULL);
	manager_log(m, "instance %s: started", i->name);
}

/* --- the pass */

/* I is compared with what is wanted; false where it is gone. */
static bool
instance_follow(struct instance *i)
{
	struct manager *m = i->manager;
	const struct manifest_instance *w = manager_wanted(m, i);
	_cleanup_json_ struct json identity = identity_of(m, w);
	const bool is_wanted = json_is_object(identity);

	switch (i->state) {
	case INSTANCE_STOPPING:
		return true;
	case INSTANCE_RUNNING:
		if (!is_wanted || !json_equal(identity, i->identity)) {
			manager_log(m, "instance %s: stopping", i->name);
			instance_stop(i);
		}
		return true;
	case INSTANCE_EXITED:
		if (is_wanted && !json_equal(identity, i->identity)) {
			i->state = INSTANCE_WAITING;
			manager_set_failure(&i->failure, NULL);
		}
		break;
	case INSTANCE_WAITING:
	case INSTANCE_ERROR:
		break;
	}
	if (w)
		return true;
	manager_log(m, "instance %s: removed", i->name);
	file_remove_tree(i->dir);
	return false;
}

static void
instances_follow(struct manager *m)
{
	for (size_t k = 0; k < m->n_instances; )
		if (instance_follow(m->instances[k])) {
			k++;
		} else {
			instance_free(m->instances[k]);
			m->instances[k] = m->instances[--m->n_instances];
		}
	for (size_t k = 0; k < m->manifest->n_instances; k++) {
		const struct manifest_instance *w = &m->manifest->instances[k];

		if (!manager_instance(m, w->name))
			instance_new(m, w->name);
	}
}

static void
routes_write(struct manager *m, const struct instance *i, const struct manifest_instance *w)
{
	_cleanup_json_ struct json routes = module_manifest_routes(m->manifest, w);
	struct fail f;

	if (instance_set_routes(i->dir, routes, &f) < 0)
		manager_log(m, "instance %s: %s", i->name, f.text);
}

static void
pass_run(void *cookie)
{
	struct manager *m = cookie;

	if (m->is_stopping || !m->manifest)
		return;
	if (access(m->paused, F_OK) == 0) {
		status_tell(m);
		return;
	}
	instances_follow(m);
	for (size_t i = 0; i < m->n_modules; i++)
		manager_load_module(m->modules[i]);
	for (size_t k = 0; k < m->n_instances; k++) {
		struct instance *i = m->instances[k];
		const struct manifest_instance *w = manager_wanted(m, i);

		if (!w || w->problem || w->is_backdoor) {
			if (w && w->problem && !i->run)
				instance_try(i, w);
			continue;
		}
		routes_write(m, i, w);
		if (i->state == INSTANCE_WAITING && !manager_module(m, w->module_id)->spec->is_backdoor)
			instance_try(i, w);
	}
	manager_trim_files(m);
	status_tell(m);
}

static void
status_tell(struct manager *m)
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

/* --- life */

/* What an earlier agent left in DIR, whose instance is called NAME if its files do not say so. */
static void
instance_adopt(struct manager *m, const char *name, const char *dir)
{
	_cleanup_free_ char *run = instance_run_dir(dir), *home = xasprintf("%s/home", dir);
	_cleanup_json_ struct json identity = JSON_ABSENT;
	struct supervise_view v;
	struct instance *i;
	struct stat st;
	struct fail f;

	if (instance_examine(dir, &v, &identity, &f) < 0) {
		manager_log(m, "%s", f.text);
		return;
	}
	if (json_get_text(identity, "instance"))
		name = json_get_text(identity, "instance");
	i = instance_new(m, name);
	if (v.state != SUPERVISE_RUNNING && v.state != SUPERVISE_INTERRUPTED)
		return;		/* it has ended: a new agent starts it again */
	i->identity = json_copy(identity);
	i->state = v.state == SUPERVISE_RUNNING ? INSTANCE_RUNNING : INSTANCE_STOPPING;
	if (lstat(home, &st) == 0)
		i->uid = st.st_uid;
	i->run = supervise_adopt(m->loop, run, instance_ended, i);
	manager_log(m, "instance %s: %s", name, v.state == SUPERVISE_RUNNING ? "goes on, as an earlier agent started it" :
	    "its shim was killed; ending what is left of it");
}

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
			instance_adopt(m, name, dir);
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
			instance_stop(i);
	}
	if (m->awaited > 0) {
		manager_log(m, "stopping %zu instance%s", m->awaited, m->awaited == 1 ? "" : "s");
		loop_hold(m->loop);
	}
}

static int
make_dir(const char *path, struct fail *f)
{
	int r = file_make_dirs(path, 0755);

	return r < 0 ? fail_errno(f, r, "%s", path) : trust_check_dir(path, (gid_t)-1, f);
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
	r = make_dir(m->modules_dir, f);
	if (r == 0)
		r = make_dir(m->instances_dir, f);
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
	owners_update(m);
	status_tell(m);
	manager_request_pass(m);
}

void
manager_set(struct manager *m, struct module_manifest *manifest)
{
	struct module_manifest *was = m->manifest;

	if (!manifest) {
		manifest = xcalloc(1, sizeof *manifest);
		manifest->id = xstrdup("");
	}
	manager_follow_modules(m, manifest);
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
		instance_free(m->instances[k]);
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
