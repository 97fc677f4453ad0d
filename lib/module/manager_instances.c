#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "module/instance.h"
#include "module/manager_parts.h"
#include "module/module_file.h"

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

struct instance *
manager_new_instance(struct manager *m, const char *name)
{
	struct instance *i = xcalloc(1, sizeof *i);
	_cleanup_free_ char *file = file_encode(name);

	*i = (struct instance){ .manager = m, .name = xstrdup(name), .dir = xasprintf("%s/%s", m->instances_dir, file),
	    .retry = { .fn = instance_retry_due, .cookie = i }, .uid = (uid_t)-1 };
	m->instances = xgrow(m->instances, m->n_instances, &m->instances_cap, sizeof *m->instances);
	m->instances[m->n_instances++] = i;
	return i;
}

void
manager_free_instance(struct instance *i)
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

void
manager_update_owners(struct manager *m)
{
	struct fail f;

	if (owners_write(m, &f) < 0)
		logger_info(&m->spec.log, "%s", f.text);
}

static void
instance_fail(struct instance *i, const char *why)
{
	i->state = INSTANCE_ERROR;
	if (!i->failure || strcmp(i->failure, why) != 0)
		logger_info(&i->manager->spec.log, "instance %s: %s", i->name, why);
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
	logger_info(&i->manager->spec.log, "instance %s: has ended%s%s", i->name, how.len > 0 ? ": " : "", how.s);
}

static void
instance_ended(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct instance *i = cookie;
	struct manager *m = i->manager;

	i->run = NULL;
	i->uid = (uid_t)-1;
	if (i->state == INSTANCE_STOPPING) {
		logger_info(&m->spec.log, "instance %s: stopped", i->name);
		i->state = INSTANCE_WAITING;
		i->tries = 0;
		manager_set_failure(&i->failure, NULL);
		if (m->is_stopping && --m->awaited == 0) {
			manager_report_status(m);
			loop_release(m->loop);
		}
	} else if (v->state == SUPERVISE_NEW) {
		instance_fail(i, f->text);
	} else {
		instance_exited(i, v, f);
	}
	manager_update_owners(m);
	manager_request_pass(m);
}

void
manager_stop_instance(struct instance *i)
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

void
manager_try_start(struct instance *i, const struct manifest_instance *w)
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
	logger_info(&m->spec.log, "instance %s: started", i->name);
}

bool
manager_compare_instance(struct instance *i)
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
			logger_info(&m->spec.log, "instance %s: stopping", i->name);
			manager_stop_instance(i);
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
	logger_info(&m->spec.log, "instance %s: removed", i->name);
	file_remove_tree(i->dir);
	return false;
}

/* What an earlier agent left in DIR, whose instance is called NAME if its files do not say so. */
void
manager_adopt_instance(struct manager *m, const char *name, const char *dir)
{
	_cleanup_free_ char *run = instance_run_dir(dir), *home = xasprintf("%s/home", dir);
	_cleanup_json_ struct json identity = JSON_ABSENT;
	struct supervise_view v;
	struct instance *i;
	struct stat st;
	struct fail f;

	if (instance_examine(dir, &v, &identity, &f) < 0) {
		logger_info(&m->spec.log, "%s", f.text);
		return;
	}
	if (json_get_text(identity, "instance"))
		name = json_get_text(identity, "instance");
	i = manager_new_instance(m, name);
	if (v.state != SUPERVISE_RUNNING && v.state != SUPERVISE_INTERRUPTED)
		return;		/* it has ended: a new agent starts it again */
	i->identity = json_copy(identity);
	i->state = v.state == SUPERVISE_RUNNING ? INSTANCE_RUNNING : INSTANCE_STOPPING;
	if (lstat(home, &st) == 0)
		i->uid = st.st_uid;
	i->run = supervise_adopt(m->loop, run, instance_ended, i);
	logger_info(&m->spec.log, "instance %s: %s", name, v.state == SUPERVISE_RUNNING ? "goes on, as an earlier agent started it" :
	    "its shim was killed; ending what is left of it");
}
