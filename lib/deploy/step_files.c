#include <errno.h>
#include <stdlib.h>

#include "deploy/step_files.h"

enum { SCRIPT_INLINE_MAX = 1 << 20 };	/* a longer script is hashed and copied by a child */

int
step_files_prepare(struct step_files *s, struct cycle_context *c, const struct manifest_step *step,
    payload_job_done *done, void *cookie, struct fail *f)
{
	struct payload_job_spec spec = { .files = step->files, .cache = c->spec.cache, .executable = true,
	    .link = &c->spec.config->link };
	int e;

	s->script = manifest_step_script(step, NULL);
	if (!s->script || payload_is_small(s->script, c->spec.cache, SCRIPT_INLINE_MAX))
		return workdirs_take(c->workdirs, s->script, c->spec.cache, &s->workdir, f);
	e = workdirs_make(c->workdirs, &s->workdir, f);
	if (e < 0)
		return e;
	spec.only = s->script;
	spec.folder = s->workdir;
	s->has_large_script = true;
	s->job = payload_job_start(c->loop, &spec, done, cookie, f);
	return s->job ? 1 : -EIO;
}

int
step_files_download(struct step_files *s, struct cycle_context *c, const struct manifest_step *step,
    payload_job_done *done, void *cookie, struct fail *f)
{
	const struct payload_job_spec spec = { .files = step->files, .skip = s->script, .cache = c->spec.cache,
	    .folder = s->workdir, .link = &c->spec.config->link };
	bool any = false;

	for (const struct payload **p = step->files; *p; p++)
		any |= *p != s->script;
	s->has_payloads = true;
	if (!any)
		return 0;
	s->job = payload_job_start(c->loop, &spec, done, cookie, f);
	if (!s->job)
		return -EIO;
	loop_timer_set(c->loop, &c->progress, CYCLE_PROGRESS_MS);
	return 1;
}

void
step_files_give_back(struct step_files *s, struct cycle_context *c)
{
	if (s->workdir)
		workdirs_give(c->workdirs, s->script, s->workdir, !s->has_payloads && !s->has_large_script);
	step_files_leave(s);
	s->has_payloads = s->has_large_script = false;
}

void
step_files_leave(struct step_files *s)
{
	free(s->workdir);
	s->workdir = NULL;
}
