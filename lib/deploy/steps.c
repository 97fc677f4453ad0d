#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "component/component.h"
#include "deploy/attempts.h"
#include "deploy/canceller.h"
#include "deploy/handler.h"
#include "deploy/handler_log.h"
#include "deploy/step_run.h"
#include "deploy/steps.h"

static void action_done(const struct handler_result *r, void *cookie);
static void start_step(struct steps *s);
static void continue_work(struct steps *s);
static void begin_install(struct steps *s);

static void
start_action(struct steps *s, enum handler_action action)
{
	const struct cycle_context *c = s->c;
	_cleanup_free_ char *run_dir = handler_is_durable_action(action) ? c->spec.run_dir(c->spec.cookie) : NULL;
	_cleanup_free_ char *name = step_run_name(s);
	struct handler_call call = step_run_call(s, action, c->spec.config->script_timeout_ms);

	call.run_dir = run_dir;
	call.step = name;
	call.has_backup = (action == HANDLER_INSTALL || action == HANDLER_APPLY) &&
	    attempts_has_backup(c->spec.attempts, name, s->id);
	s->action = action;
	s->handler = handler_start(c->loop, &call, action_done, s);
}

/* --- the step's files */

/* The work directory has what ACTION, to come next, needs; or F says why not, and nothing was changed. */
static void
files_ready(struct steps *s, const struct fail *f)
{
	if (f)
		cycle_context_add_unfetched(s->c, f);
	if (s->c->cancelled)
		step_run_end(s, false);
	else if (f)
		step_run_fail_with(s, f);
	else
		start_action(s, s->action);
}

static void
files_fetched(const struct fail *f, void *cookie)
{
	struct steps *s = cookie;
	struct cycle_context *c = s->c;

	s->files.job = NULL;
	files_ready(s, f);
	c->advance(c->cookie);
}

/* --- backup and restore */

/*
 * R, of install, apply or what follows them, is a failure: what was there before is put back where there is a backup, or
 * where the handler undoes it without one.
 */
static void
restore_or_fail(struct steps *s, const struct handler_result *r)
{
	const struct manifest_step *step = step_run_current(s);
	_cleanup_free_ char *name = step_run_name(s);

	if (!attempts_has_backup(s->c->spec.attempts, name, s->id) &&
	    !handler_undoes_by_cancel(step->handler, step->properties)) {
		step_run_fail(s, r);
		return;
	}
	step_run_keep_result(s, r);
	s->failed_action = s->action;
	cycle_context_report_phase(s->c, handler_result_phase(HANDLER_RESTORE));
	start_action(s, HANDLER_RESTORE);
}

static void
end_restore(struct steps *s, const struct handler_result *r)
{
	struct attempts *attempts = s->c->spec.attempts;
	_cleanup_free_ char *name = step_run_name(s), *details = NULL;
	const bool is_first = s->restores_first;

	s->restores_first = false;
	if (r->code > 0)
		attempts_set_backup(attempts, name, s->id, false);
	if (is_first && r->code > 0 && !s->c->cancelled) {
		continue_work(s);
		return;
	}
	if (is_first) {
		step_run_fail(s, r);
		return;
	}
	if (r->code > 0)
		details = xasprintf("%s%s", s->kept_details, r->code == RESULT_RESTORE_UNSUPPORTED ? "" : "; restored");
	else
		details = xasprintf("%s; not restored: %s", s->kept_details, r->details);
	s->action = s->failed_action;
	step_run_fail(s, &(struct handler_result){ .code = s->kept_code, .erc = s->kept_erc, .details = details });
}

static void
end_backup(struct steps *s, const struct handler_result *r)
{
	_cleanup_free_ char *name = step_run_name(s);
	int e = r->code > 0 ? attempts_set_backup(s->c->spec.attempts, name, s->id, r->code == RESULT_BACKUP_SUCCESS) : 0;
	struct fail f;

	if (s->c->cancelled) {
		step_run_end(s, false);
	} else if (r->code <= 0) {
		step_run_fail(s, r);
	} else if (e < 0) {
		fail_errno(&f, e, "backup");
		step_run_fail_with(s, &f);
	} else {
		begin_install(s);
	}
}

/* Installation begins with a backup where the handler makes them. */
static void
begin_change(struct steps *s)
{
	if (!step_run_has_action(s, HANDLER_BACKUP)) {
		begin_install(s);
		return;
	}
	cycle_context_report_phase(s->c, handler_result_phase(HANDLER_BACKUP));
	start_action(s, HANDLER_BACKUP);
}

/* --- the work, once a step is not installed */

static void
begin_install(struct steps *s)
{
	cycle_context_report_phase(s->c, handler_result_phase(HANDLER_INSTALL));
	s->action = HANDLER_INSTALL;
	if (s->attempted || step_run_begin_attempt(s))
		start_action(s, HANDLER_INSTALL);
}

static void
begin_work(struct steps *s)
{
	struct cycle_context *c = s->c;
	_cleanup_free_ char *name = step_run_name(s);

	if (c->spec.config->hold_until && access(c->spec.config->hold_until, F_OK) < 0) {
		c->outcome.is_on_hold = true;
		cycle_context_skip(s->c, s->id);
		step_run_end(s, false);
		return;
	}
	/* installed by an agent that ended before it could be applied */
	s->resumes = attempts_is_installed(c->spec.attempts, name, s->component);
	s->attempted = s->resumes;	/* its failure is that of the attempt, and followed by the next one */
	if (!s->resumes && !step_run_may_try(s))
		return;
	if (!c->is_working) {
		c->is_working = true;
		c->spec.working(c->spec.cookie);
	}
	/* an attempt that failed, or was interrupted, and was not restored */
	s->restores_first = !s->resumes && attempts_has_backup(c->spec.attempts, name, s->id);
	if (!s->restores_first) {
		continue_work(s);
		return;
	}
	/* it changes the component, and belongs to the attempt: one that fails is followed by the next one */
	s->action = HANDLER_RESTORE;
	if (step_run_begin_attempt(s)) {
		cycle_context_report_phase(c, handler_result_phase(HANDLER_RESTORE));
		start_action(s, HANDLER_RESTORE);
	}
}

static void
continue_work(struct steps *s)
{
	struct fail f;
	int e;

	s->action = HANDLER_DOWNLOAD;
	cycle_context_report_phase(s->c, "download");
	e = step_files_download(&s->files, s->c, step_run_current(s), files_fetched, s, &f);
	if (e <= 0)
		files_ready(s, e < 0 ? &f : NULL);
}

/* --- verification, and the end of a step */

static void
end_step(struct steps *s)
{
	step_files_give_back(&s->files, s->c);
	if (++s->step < s->stage->n_steps && !s->c->cancelled)
		start_step(s);
	else
		step_run_end(s, false);
}

static void
installed_already(struct steps *s, const struct handler_result *r)
{
	struct handler_result skipped = *r;

	skipped.code = RESULT_INSTALL_SKIPPED_INSTALLED;
	step_run_add_result(s, &skipped);
	end_step(s);
}

/* Does its own check see what was installed? */
static void
begin_verification(struct steps *s, const struct handler_result *r)
{
	s->verifies = true;
	step_run_keep_result(s, r);
	start_action(s, HANDLER_IS_INSTALLED);
}

static void
end_verification(struct steps *s, const struct handler_result *r)
{
	_cleanup_free_ char *name = step_run_name(s), *why = NULL;
	const struct handler_result applied = { .code = s->kept_code, .erc = s->kept_erc,
	    .details = s->kept_details };

	s->verifies = false;
	s->action = HANDLER_APPLY;
	if (r->code == RESULT_INSTALLED) {
		attempts_succeed(s->c->spec.attempts, name, s->component);
		attempts_set_backup(s->c->spec.attempts, name, s->id, false);
		step_run_add_result(s, &applied);
		end_step(s);
		return;
	}
	why = xasprintf("installed, but its own check does not see it%s%s", *r->details ? ": " : "", r->details);
	restore_or_fail(s, &(struct handler_result){ .code = RESULT_FAILURE, .erc = ERC_NOT_SEEN, .details = why });
}

/* --- cancel */

static void
cancel_done(void *cookie)
{
	struct steps *s = cookie;

	s->canceller = NULL;
	handler_end(s->handler);
}

static void
begin_cancel(struct steps *s)
{
	const struct handler_call call = step_run_call(s, HANDLER_CANCEL, s->c->spec.config->stop_grace_ms);

	s->canceller = canceller_start(s->c->loop, &call, cancel_done, s);
}

/* --- one action after the other */

static void
action_done(const struct handler_result *r, void *cookie)
{
	struct steps *s = cookie;
	struct cycle_context *c = s->c;

	const bool was_change = (s->action == HANDLER_INSTALL || s->action == HANDLER_APPLY) && !s->verifies;
	_cleanup_free_ char *name = step_run_name(s);

	s->handler = NULL;
	handler_log_output(name, s->id, s->action, r->output, c->spec.log, c->spec.cookie);
	if (was_change)
		attempts_set_installed(c->spec.attempts, name, s->id, s->action == HANDLER_INSTALL && r->code > 0);
	canceller_end(TAKE_PTR(s->canceller));
	if (s->action == HANDLER_RESTORE) {
		end_restore(s, r);
	} else if (s->action == HANDLER_BACKUP) {
		end_backup(s, r);
	} else if (c->cancelled && was_change && r->code > 0) {
		if (s->action == HANDLER_APPLY)
			step_run_add_result(s, r);
		step_run_end(s, false);
	} else if (was_change && r->code <= 0) {
		restore_or_fail(s, r);
	} else if (c->cancelled || r->timed_out) {
		step_run_fail(s, r);
	} else if (s->verifies) {
		end_verification(s, r);
	} else if (s->action == HANDLER_IS_INSTALLED) {
		/* as in the Azure agent, a failed check counts as not installed */
		if (r->code == RESULT_INSTALLED)
			installed_already(s, r);
		else
			begin_work(s);
	} else if (r->code <= 0) {
		step_run_fail(s, r);
	} else if (was_change && attempts_need_of(r->code) != ATTEMPTS_NEED_NONE) {
		step_run_ask(s, attempts_need_of(r->code), r);
	} else if (s->action == HANDLER_APPLY) {
		begin_verification(s, r);
	} else if (s->action == HANDLER_DOWNLOAD) {
		if (s->resumes)
			start_action(s, HANDLER_APPLY);
		else
			begin_change(s);
	} else {
		cycle_context_report_phase(c, handler_result_phase(s->action + 1));
		start_action(s, s->action + 1);
	}
	c->advance(c->cookie);
}

static void
start_step(struct steps *s)
{
	struct fail f;
	int e;

	s->attempted = false;
	if (step_run_is_awaited(s))
		return;
	s->action = HANDLER_IS_INSTALLED;
	e = step_files_prepare(&s->files, s->c, step_run_current(s), files_fetched, s, &f);
	if (e <= 0)
		files_ready(s, e < 0 ? &f : NULL);
}

/* A run of an earlier agent goes on on the component. */
static void
steps_leave_occupied(struct steps *s)
{
	s->c->outcome.is_occupied = true;
	cycle_context_skip(s->c, s->id);
	step_run_end(s, false);
}

struct steps *
steps_new(struct cycle_context *c, const struct plan_stage *stage, struct json component)
{
	struct steps *s = xcalloc(1, sizeof *s);

	*s = (struct steps){ .c = c, .stage = stage, .component = component,
	    .id = json_is_object(component) ? component_id(component) : "" };
	return s;
}

void
steps_free(struct steps *s)
{
	if (!s)
		return;
	json_release(&s->component);
	free(s);
}

void
steps_begin(struct steps *s)
{
	s->c->running++;
	if (cycle_context_is_skipped(s->c, s->id))
		step_run_fail(s, &(struct handler_result){ .code = RESULT_FAILURE,
		    .details = "not tried: an earlier step failed" });
	else if (s->c->spec.is_occupied(s->id, s->c->spec.cookie))
		steps_leave_occupied(s);
	else
		start_step(s);
}

void
steps_cancel(struct steps *s, enum cycle_end how)
{
	const bool is_durable = s->handler && handler_is_durable(s->handler);

	if (s->files.job) {
		payload_job_end(s->files.job);
	} else if (!s->handler) {
		return;
	} else if (!is_durable) {
		handler_end(s->handler);
	} else if (how == CYCLE_END && step_run_has_action(s, HANDLER_CANCEL)) {
		begin_cancel(s);
	} else if (how == CYCLE_END) {
		handler_end(s->handler);
	} else if (how == CYCLE_DETACH) {
		canceller_end(TAKE_PTR(s->canceller));
		handler_detach(TAKE_PTR(s->handler));
		step_files_leave(&s->files);
		step_run_end(s, false);
	}
}

const struct payload_job *
steps_download(const struct steps *s)
{
	return s->files.job;
}
