#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "deploy/cycle.h"
#include "deploy/download.h"
#include "deploy/forked.h"
#include "deploy/workdirs.h"
#include "deploy/handler.h"
#include "deploy/handler_log.h"
#include "deploy/payload.h"
#include "deploy/payload_job.h"
#include "deploy/plan.h"

/* One component's steps of one stage, or the host's. */
struct task {
	struct cycle *c;
	const struct plan_stage *stage;
	struct json component;		/* JSON_ABSENT for the host */
	const char *id;			/* of the component, "" for the host */
	size_t step;			/* the one it is at */
	char *workdir;			/* where the step's payloads are; NULL between steps */
	const struct payload *script;	/* the one that is there from the start; NULL for none */
	bool has_payloads;		/* and all others are, too */
	bool has_large_script;		/* a child put it there: the directory serves nothing else */
	bool resumes;			/* it is installed already, and only to be applied */
	bool attempted;			/* the step was begun to be installed */
	bool verifies;			/* is-installed runs for the second time, after apply */
	bool restores_first;		/* restore runs before another attempt, not after a failed one */
	int32_t kept_code, kept_erc;	/* a result that is reported later: of apply, while it is verified, */
	char *kept_details;		/* and the failure, while restore runs */
	enum handler_action action, failed_action;	/* the latter while restore runs */
	struct handler *handler;	/* running, or NULL */
	struct canceller *canceller;	/* the same: the handler's own cancel, before HANDLER is ended */
	struct payload_job *fetch;	/* the same */
};

enum {
	NEEDS_MAX = 3,			/* wishes for a reboot of one step */
	PROGRESS_MS = 500,
	SCRIPT_INLINE_MAX = 1 << 20,	/* a longer script is hashed and copied by a child */
};

struct cycle {
	struct loop *loop;
	struct cycle_spec spec;
	struct plan *plan;
	struct forked *plan_job;	/* fetches the manifests, or NULL */
	struct loop_timer progress;	/* while something may be downloaded */
	int64_t got, got_ms;		/* at the last look */
	struct enumeration *enumeration;
	struct json components;
	struct json failed_ids;		/* an object, for its keys: components whose later stages are skipped */
	struct json held;		/* the outcome's */
	int64_t held_ms;
	struct workdirs *workdirs;
	struct task *tasks;		/* of the current stage */
	size_t n_tasks, next_task, running;
	size_t stage;
	size_t done, total;		/* tasks, of all stages */
	bool cancelled, stopping, is_working;
	struct cycle_outcome outcome;
	struct buf details;		/* the outcome's */
	struct loop_timer kick;		/* so that nothing ends before cycle_start() has returned */
};

static void run_tasks(struct cycle *c);

static void
cycle_free(struct cycle *c)
{
	loop_timer_stop(c->loop, &c->kick);
	loop_timer_stop(c->loop, &c->progress);
	plan_free(c->plan);
	workdirs_free(c->workdirs);
	json_release(&c->components);
	json_release(&c->failed_ids);
	json_release(&c->held);
	free(c->tasks);
	buf_release(&c->details);
	free(c);
}

/* The components that any stage waits for, each once. */
static struct json
all_waiting(const struct cycle *c)
{
	struct json out = json_array();
	_cleanup_json_ struct json seen = json_object();

	for (size_t i = 0; c->plan && i < c->plan->n_stages; i++) {
		const struct json waiting = c->plan->stages[i].waiting;

		for (size_t k = 0; k < json_count(waiting); k++) {
			struct json w = json_at(waiting, k);

			if (json_get_text(seen, component_id(w))) {
				json_release(&w);
				continue;
			}
			json_set_text(&seen, component_id(w), "");
			json_append(&out, w);
		}
	}
	return out;
}

/* --- what is on servers */

/* F is why files could not be fetched: what a server may have later, another cycle will see. */
static void
note_unfetched(struct cycle *c, const struct fail *f)
{
	const bool may_come = f->status == EXIT_TROUBLE || f->status == EXIT_TIMEOUT || f->status == EXIT_ABSENT ||
	    f->status == EXIT_BUSY;

	c->outcome.is_unreachable |= may_come && goal_is_remote(c->spec.goal);
}

static void
show_progress(void *cookie)
{
	struct cycle *c = cookie;
	const int64_t now = clock_mono_ms(), since = now - c->got_ms;
	const struct payload_job *j = NULL;
	int64_t got, size;

	for (size_t i = 0; !j && i < c->next_task && i < c->n_tasks; i++)
		j = c->tasks[i].fetch;
	if (!j)
		return;
	if (payload_job_progress(j, &got, &size)) {
		if (since > 0 && got >= c->got)
			c->spec.fetching(got, size, (got - c->got) * 1000 / since, c->spec.cookie);
		c->got = got;
		c->got_ms = now;
	}
	loop_timer_set(c->loop, &c->progress, PROGRESS_MS);
}

static void
finish_cycle(struct cycle *c)
{
	_cleanup_json_ struct json waiting = all_waiting(c);

	c->outcome.cancelled = c->cancelled;
	c->outcome.waiting = waiting;
	c->outcome.held = c->held;
	c->outcome.held_ms = c->held_ms;
	if (c->cancelled)
		c->outcome.code = RESULT_CANCELLED;
	else if (!c->outcome.failed)
		c->outcome.code = RESULT_APPLY_SUCCESS;
	c->outcome.details = c->details.s;
	c->spec.done(&c->outcome, c->spec.cookie);
	cycle_free(c);
}

static void
note_failure(struct cycle *c, int32_t code, int32_t erc, const char *component, const char *details)
{
	if (c->outcome.failed)
		return;
	c->outcome.failed = true;
	c->outcome.code = code;
	c->outcome.erc = erc;
	buf_reset(&c->details);
	buf_printf(&c->details, "%s%s%s", component, *component ? ": " : "", details);
}

/* "step_0" of the host, "step_1.0" of a reference step's first; to be freed. */
static char *
step_name(const struct plan_stage *s, size_t step)
{
	return s->is_host ? xasprintf("step_%zu", s->number) : xasprintf("step_%zu.%zu", s->number, step);
}

static void
result_record(struct cycle *c, const struct plan_stage *s, size_t step, const char *component,
    enum handler_action action, const struct handler_result *r)
{
	_cleanup_free_ char *name = step_name(s, step);
	const struct cycle_result result = {
		.step = name, .component = component, .phase = handler_result_phase(action),
		.code = r->code, .erc = r->erc, .details = r->details,
	};

	c->spec.result(&result, c->spec.cookie);
	if (r->code <= 0)
		note_failure(c, r->code, r->erc, component, r->details);
}

static void
report_phase(struct cycle *c, const char *phase)
{
	c->spec.phase(phase, c->done, c->total, c->spec.cookie);
}

/* One in which nothing was done but asking serves the next component, too. */
static void
give_workdir(struct task *t)
{
	if (t->workdir)
		workdirs_give(t->c->workdirs, t->script, t->workdir, !t->has_payloads && !t->has_large_script);
	free(t->workdir);
	t->workdir = NULL;
	t->has_payloads = t->has_large_script = false;
}

static void
end_task(struct task *t, bool failed)
{
	struct cycle *c = t->c;

	if (failed) {
		json_set_text(&c->failed_ids, t->id, "");
		c->stopping |= c->spec.config->stop_on_failure;
	}
	give_workdir(t);
	free(TAKE_PTR(t->kept_details));
	json_release(&t->component);
	c->running--;
	c->done++;
	report_phase(c, NULL);
}

/* Its next attempt, after DONE ones, is due in WAIT_MS: for the outcome.  AT becomes the time. */
static void
add_held(struct task *t, int64_t done, int64_t wait_ms, char at[CLOCK_TEXT])
{
	struct cycle *c = t->c;
	const int64_t at_ms = clock_wall_ms() + wait_ms;
	_cleanup_free_ char *name = step_name(t->stage, t->step);
	struct json entry = json_object();

	clock_format((struct timespec){ .tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000 }, at);
	json_set_text(&entry, "id", t->id);
	json_set_text(&entry, "step", name);
	json_set(&entry, "attempt", json_number((double)done + 1));
	json_set(&entry, "attempts", json_number((double)c->spec.config->attempts.max));
	json_set_text(&entry, "at", at);
	json_append(&c->held, entry);
	if (c->held_ms < 0 || wait_ms < c->held_ms)
		c->held_ms = wait_ms;
}

static void
fail_task(struct task *t, const struct handler_result *r)
{
	_cleanup_free_ char *name = step_name(t->stage, t->step);
	int64_t done, wait_ms;
	char at[CLOCK_TEXT];

	result_record(t->c, t->stage, t->step, t->id, t->action, r);
	if (t->attempted && !t->c->cancelled && attempts_check(t->c->spec.attempts, name, t->component,
	    &done, &wait_ms) != ATTEMPTS_EXHAUSTED)
		add_held(t, done, wait_ms > 0 ? wait_ms : 0, at);
	end_task(t, true);
}

static void start_step(struct task *t);

/* What could not be had is a failure of this component, with the reason as its details. */
static void
fail_with(struct task *t, const struct fail *f)
{
	const struct handler_result r = { .code = RESULT_FAILURE, .details = f->text };

	fail_task(t, &r);
}

static void action_done(const struct handler_result *r, void *cookie);

/* Its work directory lives as long as the task's. */
static struct handler *
call_handler(struct task *t, enum handler_action action, int64_t timeout_ms, handler_done *done, void *cookie)
{
	const struct cycle *c = t->c;
	const struct manifest_step *step = &t->stage->steps[t->step];
	_cleanup_free_ char *run_dir = handler_is_durable_action(action) ? c->spec.run_dir(c->spec.cookie) : NULL;
	_cleanup_free_ char *name = step_name(t->stage, t->step);
	const struct handler_call call = {
		.run_dir = run_dir, .workflow = c->spec.goal->id, .step = name,
		.new_privileges = c->spec.config->new_privileges,
		.handler = step->handler, .action = action, .properties = step->properties,
		.component = t->component, .work_folder = t->workdir,
		.user = agent_config_user(c->spec.config),
		.timeout_ms = timeout_ms,
		.grace_ms = c->spec.config->stop_grace_ms,
	};

	return handler_start(c->loop, &call, done, cookie);
}

static void
start_action(struct task *t, enum handler_action action)
{
	t->action = action;
	t->handler = call_handler(t, action, t->c->spec.config->script_timeout_ms, action_done, t);
}

static bool
has_action(const struct task *t, enum handler_action action)
{
	const struct manifest_step *step = &t->stage->steps[t->step];

	return handler_has_action(step->handler, step->properties, action);
}

/* R is reported later. */
static void
keep_result(struct task *t, const struct handler_result *r)
{
	t->kept_code = r->code;
	t->kept_erc = r->erc;
	free(t->kept_details);
	t->kept_details = xstrdup(r->details);
}

/* --- backup and restore */

/* R, of install, apply or what follows them, is a failure: what was there before is put back where there is a backup. */
static void
restore_or_fail(struct task *t, const struct handler_result *r)
{
	_cleanup_free_ char *name = step_name(t->stage, t->step);

	if (!attempts_has_backup(t->c->spec.attempts, name, t->id)) {
		fail_task(t, r);
		return;
	}
	keep_result(t, r);
	t->failed_action = t->action;
	report_phase(t->c, handler_result_phase(HANDLER_RESTORE));
	start_action(t, HANDLER_RESTORE);
}

static void continue_work(struct task *t);

static void
end_restore(struct task *t, const struct handler_result *r)
{
	struct attempts *attempts = t->c->spec.attempts;
	_cleanup_free_ char *name = step_name(t->stage, t->step), *details = NULL;
	const bool is_first = t->restores_first;

	t->restores_first = false;
	if (r->code > 0)
		attempts_set_backup(attempts, name, t->id, false);
	if (is_first && r->code > 0 && !t->c->cancelled) {
		continue_work(t);
		return;
	}
	if (is_first) {
		fail_task(t, r);
		return;
	}
	if (r->code > 0)
		details = xasprintf("%s%s", t->kept_details, r->code == RESULT_RESTORE_UNSUPPORTED ? "" : "; restored");
	else
		details = xasprintf("%s; not restored: %s", t->kept_details, r->details);
	t->action = t->failed_action;
	fail_task(t, &(struct handler_result){ .code = t->kept_code, .erc = t->kept_erc, .details = details });
}

static void begin_install(struct task *t);

static void
end_backup(struct task *t, const struct handler_result *r)
{
	_cleanup_free_ char *name = step_name(t->stage, t->step);
	int e = r->code > 0 ? attempts_set_backup(t->c->spec.attempts, name, t->id, r->code == RESULT_BACKUP_SUCCESS) : 0;
	struct fail f;

	if (t->c->cancelled) {
		end_task(t, false);
	} else if (r->code <= 0) {
		fail_task(t, r);
	} else if (e < 0) {
		fail_errno(&f, e, "backup");
		fail_with(t, &f);
	} else {
		begin_install(t);
	}
}

/* Installation begins with a backup where the handler makes them. */
static void
begin_change(struct task *t)
{
	if (!has_action(t, HANDLER_BACKUP)) {
		begin_install(t);
		return;
	}
	report_phase(t->c, handler_result_phase(HANDLER_BACKUP));
	start_action(t, HANDLER_BACKUP);
}

static void
end_step(struct task *t)
{
	give_workdir(t);
	if (++t->step < t->stage->n_steps && !t->c->cancelled)
		start_step(t);
	else
		end_task(t, false);
}

/* The payload that is the step's script; NULL for none. */
static const struct payload *
find_script(const struct manifest_step *step)
{
	const char *script = json_get_text(step->properties, "scriptFileName");

	for (const struct payload **p = step->files; script && *p; p++)
		if (strcmp((*p)->name, script) == 0)
			return *p;
	return NULL;
}

/* The work directory has the step's script in it, and nothing else. */
static void
workdir_ready(const struct fail *f, void *cookie)
{
	struct task *t = cookie;

	t->fetch = NULL;
	if (f)
		note_unfetched(t->c, f);
	if (t->c->cancelled)
		end_task(t, false);
	else if (f)
		fail_with(t, f);
	else
		start_action(t, HANDLER_IS_INSTALLED);
}

static void
script_fetched(const struct fail *f, void *cookie)
{
	struct task *t = cookie;
	struct cycle *c = t->c;

	workdir_ready(f, t);
	run_tasks(c);
}

/* A script that is here already, and short, is put there at once; else a child does it. */
static void
prepare_workdir(struct task *t)
{
	const struct cycle *c = t->c;
	const struct manifest_step *step = &t->stage->steps[t->step];
	struct fail f;
	int r;

	t->script = find_script(step);
	if (!t->script || payload_is_small(t->script, c->spec.cache, SCRIPT_INLINE_MAX)) {
		r = workdirs_take(c->workdirs, t->script, c->spec.cache, &t->workdir, &f);
		workdir_ready(r < 0 ? &f : NULL, t);
		return;
	}
	if (workdirs_make(c->workdirs, &t->workdir, &f) == 0) {
		const struct payload_job_spec spec = { .files = step->files, .only = t->script,
		    .cache = c->spec.cache, .folder = t->workdir, .executable = true,
		    .link = &c->spec.config->link };

		t->has_large_script = true;
		t->fetch = payload_job_start(c->loop, &spec, script_fetched, t, &f);
	}
	if (!t->fetch)
		workdir_ready(&f, t);
}

/* --- what has to happen to the device before a step can go on */

enum attempts_need
cycle_need_of(int32_t code)
{
	if (code > RESULT_INSTALL_RESTART)
		code -= RESULT_APPLY_SUCCESS - RESULT_INSTALL_SUCCESS;
	return code == RESULT_INSTALL_REBOOT_NOW || code == RESULT_INSTALL_REBOOT ? ATTEMPTS_NEED_REBOOT :
	    code == RESULT_INSTALL_RESTART_NOW || code == RESULT_INSTALL_RESTART ? ATTEMPTS_NEED_RESTART :
	    ATTEMPTS_NEED_NONE;
}

/* The task is continued in a later cycle. */
static void
await_need(struct task *t, enum attempts_need need)
{
	struct cycle *c = t->c;

	if (need > c->outcome.need)
		c->outcome.need = need;
	json_set_text(&c->failed_ids, t->id, "");
	end_task(t, false);
}

/* R, a success, asks for NEED. */
static void
ask_for(struct task *t, enum attempts_need need, const struct handler_result *r)
{
	struct cycle *c = t->c;
	_cleanup_free_ char *name = step_name(t->stage, t->step);
	int32_t code = r->code > RESULT_INSTALL_RESTART ? r->code - 100 : r->code;

	if (attempts_ask(c->spec.attempts, name, t->id, need) >= NEEDS_MAX) {
		fail_task(t, &(struct handler_result){ .code = RESULT_FAILURE, .erc = ERC_REBOOT,
		    .details = "a reboot or restart was asked for three times" });
		return;
	}
	result_record(c, t->stage, t->step, t->id, t->action, r);
	c->stopping |= code == RESULT_INSTALL_REBOOT_NOW || code == RESULT_INSTALL_RESTART_NOW;
	await_need(t, need);
}

/* Does the step still wait for what it asked for?  The task has ended then. */
static bool
is_awaited(struct task *t)
{
	const struct agent_config *config = t->c->spec.config;
	_cleanup_free_ char *name = step_name(t->stage, t->step);
	int64_t age_ms = 0;
	enum attempts_need need = attempts_needs(t->c->spec.attempts, name, t->component, &age_ms);

	if (need == ATTEMPTS_NEED_NONE)
		return false;
	if (need == ATTEMPTS_NEED_REBOOT && config->reboot && age_ms > config->reboot_timeout_ms) {
		t->action = HANDLER_INSTALL;
		fail_task(t, &(struct handler_result){ .code = RESULT_FAILURE, .erc = ERC_REBOOT,
		    .details = "a reboot was asked for, and was not seen in time" });
	} else {
		await_need(t, need);
	}
	return true;
}

/* A failed download has changed nothing. */
static void
payloads_fetched(const struct fail *f, void *cookie)
{
	struct task *t = cookie;

	t->fetch = NULL;
	if (f)
		note_unfetched(t->c, f);
	if (t->c->cancelled)
		end_task(t, false);
	else if (f)
		fail_with(t, f);
	else
		start_action(t, HANDLER_DOWNLOAD);
	run_tasks(t->c);
}

/* The other files of the step than its script. */
static void
begin_download(struct task *t)
{
	const struct cycle_spec *spec = &t->c->spec;
	const struct manifest_step *step = &t->stage->steps[t->step];
	struct fail f;
	bool any = false;

	for (const struct payload **p = step->files; *p; p++)
		any |= *p != t->script;
	t->has_payloads = true;
	if (!any) {
		start_action(t, HANDLER_DOWNLOAD);
		return;
	}
	t->fetch = payload_job_start(t->c->loop, &(struct payload_job_spec){ .files = step->files, .skip = t->script,
	    .cache = spec->cache, .folder = t->workdir, .link = &spec->config->link }, payloads_fetched, t, &f);
	if (!t->fetch)
		fail_with(t, &f);
	else
		loop_timer_set(t->c->loop, &t->c->progress, PROGRESS_MS);
}

static void
hold_task(struct task *t, int64_t done, int64_t wait_ms)
{
	struct cycle *c = t->c;
	_cleanup_free_ char *why = NULL;
	char at[CLOCK_TEXT];

	add_held(t, done, wait_ms, at);
	why = xasprintf("held, attempt %lld of %lld at %s", (long long)done + 1,
	    (long long)c->spec.config->attempts.max, at);
	note_failure(c, RESULT_FAILURE, ERC_HELD, t->id, why);
	json_set_text(&c->failed_ids, t->id, "");
	end_task(t, false);
}

/* May it be tried now?  If not, the task has ended. */
static bool
may_try(struct task *t)
{
	_cleanup_free_ char *name = step_name(t->stage, t->step), *why = NULL;
	int64_t done, wait_ms;

	switch (attempts_check(t->c->spec.attempts, name, t->component, &done, &wait_ms)) {
	case ATTEMPTS_DUE:
		return true;
	case ATTEMPTS_HELD:
		hold_task(t, done, wait_ms);
		return false;
	case ATTEMPTS_EXHAUSTED:
		break;
	}
	why = xasprintf("not installed after %lld attempt%s; retry-failed begins anew", (long long)done,
	    done == 1 ? "" : "s");
	t->action = HANDLER_INSTALL;
	fail_task(t, &(struct handler_result){ .code = RESULT_FAILURE, .erc = ERC_ATTEMPTS, .details = why });
	return false;
}

static void
begin_install(struct task *t)
{
	_cleanup_free_ char *name = step_name(t->stage, t->step);
	struct fail f;

	report_phase(t->c, handler_result_phase(HANDLER_INSTALL));
	t->action = HANDLER_INSTALL;
	if (attempts_begin(t->c->spec.attempts, name, t->component, &f) < 0) {
		fail_with(t, &f);
		return;
	}
	t->attempted = true;
	start_action(t, HANDLER_INSTALL);
}

static void
begin_work(struct task *t)
{
	struct cycle *c = t->c;
	_cleanup_free_ char *name = step_name(t->stage, t->step);

	if (c->spec.config->hold_until && access(c->spec.config->hold_until, F_OK) < 0) {
		c->outcome.is_on_hold = true;
		json_set_text(&c->failed_ids, t->id, "");
		end_task(t, false);
		return;
	}
	/* installed by an agent that ended before it could be applied */
	t->resumes = attempts_is_installed(c->spec.attempts, name, t->component);
	t->attempted = t->resumes;	/* its failure is that of the attempt, and followed by the next one */
	if (!t->resumes && !may_try(t))
		return;
	if (!c->is_working) {
		c->is_working = true;
		c->spec.working(c->spec.cookie);
	}
	/* an attempt that failed, or was interrupted, and was not restored */
	t->restores_first = !t->resumes && attempts_has_backup(c->spec.attempts, name, t->id);
	if (t->restores_first) {
		report_phase(c, handler_result_phase(HANDLER_RESTORE));
		start_action(t, HANDLER_RESTORE);
	} else {
		continue_work(t);
	}
}

static void
continue_work(struct task *t)
{
	t->action = HANDLER_DOWNLOAD;
	report_phase(t->c, "download");
	begin_download(t);
}

static void
installed_already(struct task *t, const struct handler_result *r)
{
	struct handler_result skipped = *r;

	skipped.code = RESULT_INSTALL_SKIPPED_INSTALLED;
	result_record(t->c, t->stage, t->step, t->id, t->action, &skipped);
	end_step(t);
}

/* Does its own check see what was installed? */
static void
begin_verification(struct task *t, const struct handler_result *r)
{
	t->verifies = true;
	keep_result(t, r);
	start_action(t, HANDLER_IS_INSTALLED);
}

static void
end_verification(struct task *t, const struct handler_result *r)
{
	_cleanup_free_ char *name = step_name(t->stage, t->step), *why = NULL;
	const struct handler_result applied = { .code = t->kept_code, .erc = t->kept_erc,
	    .details = t->kept_details };

	t->verifies = false;
	t->action = HANDLER_APPLY;
	if (r->code == RESULT_INSTALLED) {
		attempts_succeed(t->c->spec.attempts, name, t->component);
		attempts_set_backup(t->c->spec.attempts, name, t->id, false);
		result_record(t->c, t->stage, t->step, t->id, t->action, &applied);
		end_step(t);
		return;
	}
	why = xasprintf("installed, but its own check does not see it%s%s", *r->details ? ": " : "", r->details);
	restore_or_fail(t, &(struct handler_result){ .code = RESULT_FAILURE, .erc = ERC_NOT_SEEN, .details = why });
}

/* --- cancel */

/* The handler's own cancel, before what it runs is ended. */
struct canceller {
	struct task *t;		/* NULL once the task's handler has ended */
	struct handler *handler;
};

static void
cancel_done(const struct handler_result *r, void *cookie)
{
	struct canceller *k = cookie;

	(void)r;	/* whatever it says, the run is ended */
	if (k->t) {
		k->t->canceller = NULL;
		handler_end(k->t->handler);
	}
	free(k);
}

static void
begin_cancel(struct task *t)
{
	struct canceller *k = xcalloc(1, sizeof *k);

	*k = (struct canceller){ .t = t };
	t->canceller = k;
	k->handler = call_handler(t, HANDLER_CANCEL, t->c->spec.config->stop_grace_ms, cancel_done, k);
}

static void
end_canceller(struct task *t)
{
	if (!t->canceller)
		return;
	t->canceller->t = NULL;
	handler_end(t->canceller->handler);
	t->canceller = NULL;
}

static void
action_done(const struct handler_result *r, void *cookie)
{
	struct task *t = cookie;
	struct cycle *c = t->c;

	const bool was_change = (t->action == HANDLER_INSTALL || t->action == HANDLER_APPLY) && !t->verifies;
	_cleanup_free_ char *name = step_name(t->stage, t->step);

	t->handler = NULL;
	handler_log_output(name, t->id, t->action, r->output, c->spec.log, c->spec.cookie);
	if (was_change)
		attempts_set_installed(c->spec.attempts, name, t->id, t->action == HANDLER_INSTALL && r->code > 0);
	end_canceller(t);
	if (t->action == HANDLER_RESTORE) {
		end_restore(t, r);
	} else if (t->action == HANDLER_BACKUP) {
		end_backup(t, r);
	} else if (c->cancelled && was_change && r->code > 0) {
		if (t->action == HANDLER_APPLY)
			result_record(c, t->stage, t->step, t->id, t->action, r);
		end_task(t, false);
	} else if (was_change && r->code <= 0) {
		restore_or_fail(t, r);
	} else if (c->cancelled || r->timed_out) {
		fail_task(t, r);
	} else if (t->verifies) {
		end_verification(t, r);
	} else if (t->action == HANDLER_IS_INSTALLED) {
		/* as in the Azure agent, a failed check counts as not installed */
		if (r->code == RESULT_INSTALLED)
			installed_already(t, r);
		else
			begin_work(t);
	} else if (r->code <= 0) {
		fail_task(t, r);
	} else if (was_change && cycle_need_of(r->code) != ATTEMPTS_NEED_NONE) {
		ask_for(t, cycle_need_of(r->code), r);
	} else if (t->action == HANDLER_APPLY) {
		begin_verification(t, r);
	} else if (t->action == HANDLER_DOWNLOAD) {
		if (t->resumes)
			start_action(t, HANDLER_APPLY);
		else
			begin_change(t);
	} else {
		report_phase(c, handler_result_phase(t->action + 1));
		start_action(t, t->action + 1);
	}
	run_tasks(c);
}

static void
start_step(struct task *t)
{
	t->attempted = false;
	if (is_awaited(t))
		return;
	t->action = HANDLER_IS_INSTALLED;
	prepare_workdir(t);
}

static void
add_task(struct cycle *c, const struct plan_stage *s, struct json component)
{
	struct task *t = &c->tasks[c->n_tasks++];

	*t = (struct task){ .c = c, .stage = s, .component = component,
	    .id = json_is_object(component) ? component_id(component) : "" };
}

static bool
begin_stage(struct cycle *c)
{
	const struct plan_stage *s;

	if (c->stage >= c->plan->n_stages || c->cancelled || c->stopping)
		return false;
	s = &c->plan->stages[c->stage++];
	c->n_tasks = c->next_task = 0;
	if (!s->is_host && !s->child) {
		const struct handler_result r = { .code = RESULT_FAILURE, .details = s->fail.text };

		note_unfetched(c, &s->fail);
		result_record(c, s, 0, "", HANDLER_DOWNLOAD, &r);
		return true;
	}
	if (!s->is_host && json_count(s->selected) == 0 && json_count(s->waiting) == 0) {
		const struct handler_result r = { .code = RESULT_INSTALL_SKIPPED_NO_COMPONENT,
		    .details = "no matching components" };

		result_record(c, s, 0, "", HANDLER_INSTALL, &r);
	}
	c->tasks = xrealloc(c->tasks, s->is_host ? 1 : json_count(s->selected), sizeof *c->tasks);
	if (s->is_host)
		add_task(c, s, JSON_ABSENT);
	for (size_t i = 0; !s->is_host && i < json_count(s->selected); i++)
		add_task(c, s, json_at(s->selected, i));
	return true;
}

/* A component that failed in an earlier stage is skipped: its steps are in order. */
static bool
has_failed(const struct cycle *c, const char *id)
{
	return json_get_text(c->failed_ids, id) != NULL;
}

static void
skip_task(struct task *t)
{
	const struct handler_result r = { .code = RESULT_FAILURE,
	    .details = "not tried: an earlier step failed" };

	fail_task(t, &r);
}

static void
run_tasks(struct cycle *c)
{
	for (;;) {
		while (c->next_task < c->n_tasks && c->running < (size_t)c->spec.config->jobs) {
			struct task *t = &c->tasks[c->next_task++];

			if (c->cancelled || c->stopping) {
				json_release(&t->component);
				continue;
			}
			c->running++;
			if (has_failed(c, t->id))
				skip_task(t);
			else
				start_step(t);
		}
		if (c->running > 0)
			return;
		if (!begin_stage(c)) {
			finish_cycle(c);
			return;
		}
	}
}

static void
on_enumerated(struct json components, enum exit_status worst, void *cookie)
{
	struct cycle *c = cookie;
	struct plan *p = c->plan;

	c->enumeration = NULL;
	(void)worst;		/* on_problem() has seen why */
	c->components = json_copy(components);
	plan_select(p, components);
	for (size_t i = 0; i < p->n_stages; i++)
		c->total += p->stages[i].is_host ? 1 : json_count(p->stages[i].selected);
	report_phase(c, "is-installed");
	run_tasks(c);
}

/* A wrong inventory fails the cycle; the components of other inventories are processed. */
static void
on_problem(const struct fail *f, void *cookie)
{
	struct cycle *c = cookie;

	c->spec.log(f->text, c->spec.cookie);
	if (f->status != EXIT_OK)
		note_failure(c, RESULT_FAILURE, 0, "", f->text);
}

/* The plan is there, or R is why not. */
static void
plan_ready(struct cycle *c, int r, const struct fail *f)
{
	if (r < 0)
		note_unfetched(c, f);
	if (r < 0 && !c->cancelled)
		note_failure(c, RESULT_FAILURE, 0, "", f->text);
	if (r < 0 || c->cancelled) {
		finish_cycle(c);
		return;
	}
	report_phase(c, "select");
	c->enumeration = enumerate_start(c->loop, &c->spec.inventory, on_enumerated, c);
}

struct plan_work {
	const struct goal *goal;
	const char *cache;
	const struct http_job_link *link;
	struct plan_faults faults;
};

/* In a child. */
static int
fetch_manifests(void *shared, struct fail *f)
{
	struct plan_work *w = shared;

	(void)f;
	download_allow(w->link, NULL);
	plan_fetch(w->goal, w->cache, &w->faults);
	return 0;
}

static void
manifests_fetched(const void *shared, const struct fail *f, void *cookie)
{
	const struct plan_work *w = shared;
	struct cycle *c = cookie;
	struct fail own;
	int r = -EIO;

	c->plan_job = NULL;
	if (!f) {
		r = plan_load(c->spec.goal, c->spec.cache, &w->faults, &c->plan, &own);
		f = &own;
	}
	plan_ready(c, r, f);
}

static void
cycle_begin(void *cookie)
{
	struct cycle *c = cookie;
	struct plan_work *work;
	struct fail f;
	int r;

	if (c->cancelled) {
		finish_cycle(c);
		return;
	}
	r = file_make_dirs(c->spec.work, 0755);
	if (r < 0)
		fail_errno(&f, r, "%s", c->spec.work);
	else
		r = plan_load(c->spec.goal, c->spec.cache, NULL, &c->plan, &f);
	if (r <= 0) {
		plan_ready(c, r, &f);
		return;
	}
	work = xcalloc(1, sizeof *work);
	*work = (struct plan_work){ .goal = c->spec.goal, .cache = c->spec.cache, .link = &c->spec.config->link };
	report_phase(c, "fetch");
	c->plan_job = forked_start(c->loop, "fetching manifests", fetch_manifests, work, sizeof *work,
	    manifests_fetched, c, &f);
	free(work);
	if (!c->plan_job)
		plan_ready(c, -EIO, &f);
}

struct cycle *
cycle_start(struct loop *l, const struct cycle_spec *spec)
{
	struct cycle *c = xcalloc(1, sizeof *c);

	*c = (struct cycle){ .loop = l, .spec = *spec, .failed_ids = json_object(),
	    .held = json_array(), .held_ms = -1,
	    .workdirs = workdirs_new(spec->work), .details = BUF_INIT,
	    .kick = { .fn = cycle_begin, .cookie = c }, .progress = { .fn = show_progress, .cookie = c } };
	c->spec.inventory.problem = on_problem;
	c->spec.inventory.cookie = c;
	loop_timer_set(l, &c->kick, 0);
	return c;
}

static void
cancel_task(struct task *t, enum cycle_end how)
{
	const bool is_durable = handler_is_durable(t->handler);

	if (is_durable && how == CYCLE_END && has_action(t, HANDLER_CANCEL)) {
		begin_cancel(t);
	} else if (!is_durable || how == CYCLE_END) {
		handler_end(t->handler);
	} else if (how == CYCLE_DETACH) {
		handler_detach(TAKE_PTR(t->handler));
		free(TAKE_PTR(t->workdir));	/* it is in use */
		end_task(t, false);
	}
}

void
cycle_cancel(struct cycle *c, enum cycle_end how)
{
	if (c->cancelled)
		return;
	c->cancelled = true;
	if (c->enumeration) {
		enumerate_cancel(c->enumeration);
		c->enumeration = NULL;
		loop_timer_set(c->loop, &c->kick, 0);
		return;
	}
	if (c->plan_job) {
		forked_end(c->plan_job);
		return;
	}
	for (size_t i = 0; i < c->next_task; i++)
		if (c->tasks[i].handler)
			cancel_task(&c->tasks[i], how);
		else if (c->tasks[i].fetch)
			payload_job_end(c->tasks[i].fetch);
	/* from the loop: DONE must not be called before this returns */
	if (c->running == 0)
		loop_timer_set(c->loop, &c->kick, 0);
}
