#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "hub/hubdir.h"
#include "module/deployment_report.h"
#include "module/manager.h"
#include "module/modules.h"

struct modules {
	struct loop *loop;
	struct modules_spec spec;
	struct manager *manager;		/* NULL where there is nothing to manage */
	struct deployment_report *report;	/* NULL where reports go to no link */
	char *link;				/* its profile; NULL */
	char *status;				/* the file */
	struct json last;			/* deploymentStatus */
	struct loop_stage stage;
	bool has_started;
};

/* The file of the status, for rejoin-status. */
static void
status_write(struct modules *m, struct json v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	json_format(v, &b);
	buf_putc(&b, '\n');
	r = file_replace(m->status, b.s, b.len, 0644, 0);
	if (r < 0) {
		_cleanup_free_ char *text = xasprintf("%s: %s", m->status, strerror(-r));

		logger_info(&m->spec.log, "%s", text);
	}
}

static void
status_changed(struct json v, void *cookie)
{
	struct modules *m = cookie;

	json_release(&m->last);
	m->last = json_copy(v);
	status_write(m, v);
	if (m->report)
		deployment_report_set(m->report, v);
}

static void
paused_changed(bool paused, void *cookie)
{
	struct modules *m = cookie;

	m->spec.paused(paused, m->spec.cookie);
}

/* After the instances have ended. */
static void
modules_shutdown(void *cookie)
{
	struct modules *m = cookie;

	if (m->report)
		deployment_report_flush(m->report);
}

/* The report to the link of the profile NAME. */
static int
report_open(struct modules *m, const char *name, struct fail *f)
{
	_cleanup_free_ char *dir = hubdir_path(name);
	struct profile *p;
	int r = profile_load(name, &p, f);

	if (r < 0)
		return r;
	if (!p->hub.dialect) {
		r = fail_set(f, EXIT_USAGE, "report: the profile %s has no [hub]", name);
		profile_free(p);
		return r;
	}
	m->report = deployment_report_new(m->loop, &(struct deployment_report_spec){ .hub = dir,
	    .is_evp1 = strcmp(p->hub.dialect, "evp1") == 0, .min_ms = p->hub.report_min_ms, .max_ms = p->hub.report_max_ms,
	    .log = m->spec.log });
	profile_free(p);
	m->link = xstrdup(name);
	if (json_is_object(m->last))
		deployment_report_set(m->report, m->last);
	return 0;
}

/* The report and the manager, as the configuration has them now. */
static int
parts_open(struct modules *m, struct fail *f)
{
	const struct agent_config *c = m->spec.config;
	_cleanup_free_ char *instances = xasprintf("%s/instances", m->spec.state);
	int r = 0;

	if (!m->manager && !c->allow_modules && access(instances, F_OK) < 0)
		return 0;
	if (!m->report && c->report && strncmp(c->report, "hub:", 4) == 0)
		r = report_open(m, c->report + 4, f);
	if (r == 0 && !m->manager)
		r = manager_new(m->loop, &(struct manager_spec){ .config = c, .state = m->spec.state, .agent = m->link,
		    .changed = status_changed, .paused = paused_changed, .log = m->spec.log, .cookie = m }, &m->manager, f);
	return r;
}

int
modules_new(struct loop *l, const struct modules_spec *spec, struct modules **out, struct fail *f)
{
	struct modules *m = xcalloc(1, sizeof *m);
	int r;

	*m = (struct modules){ .loop = l, .spec = *spec, .status = xasprintf("%s/modules.json", spec->state),
	    .stage = { .fn = modules_shutdown, .cookie = m } };
	r = parts_open(m, f);
	if (r < 0)
		modules_free(m);
	else
		*out = m;
	return r;
}

static void
manager_begin(struct modules *m)
{
	if (!m->manager)
		return;
	manager_start(m->manager);
	if (!m->spec.config->allow_modules)
		manager_set(m->manager, NULL);
}

void
modules_start(struct modules *m)
{
	m->has_started = true;
	loop_stage_add(m->loop, &m->stage);
	manager_begin(m);
}

void
modules_set(struct modules *m, struct module_manifest *manifest)
{
	if (m->manager)
		manager_set(m->manager, manifest);
	else
		module_manifest_free(manifest);
}

bool
modules_retry(struct modules *m, const char *instance)
{
	return m->manager && manager_retry(m->manager, instance);
}

int
modules_pause(struct modules *m, bool pause, struct fail *f)
{
	if (m->manager)
		return manager_pause(m->manager, pause, f);
	fail_set(f, EXIT_ABSENT, "there are no modules to pause: allow-modules is not set");
	return -ENOENT;
}

void
modules_reload(struct modules *m)
{
	const bool had = m->manager;
	struct fail f;

	deployment_report_free(TAKE_PTR(m->report));
	free(TAKE_PTR(m->link));
	if (parts_open(m, &f) < 0)
		logger_info(&m->spec.log, "%s", f.text);
	if (m->manager)
		manager_set_agent(m->manager, m->link);
	if (!had)
		manager_begin(m);
	else if (!m->spec.config->allow_modules)
		manager_set(m->manager, NULL);
}

void
modules_free(struct modules *m)
{
	if (!m)
		return;
	loop_stage_remove(m->loop, &m->stage);
	manager_free(m->manager);
	deployment_report_free(m->report);
	json_release(&m->last);
	free(m->link);
	free(m->status);
	free(m);
}
