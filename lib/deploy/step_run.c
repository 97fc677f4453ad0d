#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "deploy/step_run.h"

enum { NEEDS_MAX = 3 };		/* wishes for a reboot of one step */

const struct manifest_step *
step_run_current(const struct steps *s)
{
	return &s->stage->steps[s->step];
}

char *
step_run_name(const struct steps *s)
{
	return cycle_context_step_name(s->stage, s->step);
}

void
step_run_add_result(struct steps *s, const struct handler_result *r)
{
	cycle_context_add_result(s->c, s->stage, s->step, s->id, s->action, r);
}

void
step_run_end(struct steps *s, bool failed)
{
	struct cycle_context *c = s->c;

	if (failed) {
		cycle_context_skip(c, s->id);
		c->stopping |= c->spec.config->stop_on_failure;
	}
	step_files_give_back(&s->files, c);
	free(TAKE_PTR(s->kept_details));
	json_release(&s->component);
	c->running--;
	c->done++;
	cycle_context_report_phase(c, NULL);
}

void
step_run_fail(struct steps *s, const struct handler_result *r)
{
	_cleanup_free_ char *name = step_run_name(s);
	int64_t done, wait_ms;
	char at[CLOCK_TEXT];

	step_run_add_result(s, r);
	if (s->attempted && !s->c->cancelled && attempts_check(s->c->spec.attempts, name, s->component,
	    &done, &wait_ms) != ATTEMPTS_EXHAUSTED)
		cycle_context_add_held(s->c, name, s->id, done, wait_ms > 0 ? wait_ms : 0, at);
	step_run_end(s, true);
}

void
step_run_fail_with(struct steps *s, const struct fail *f)
{
	const struct handler_result r = { .code = RESULT_FAILURE, .details = f->text };

	step_run_fail(s, &r);
}

struct handler_call
step_run_call(const struct steps *s, enum handler_action action, int64_t timeout_ms)
{
	const struct cycle_context *c = s->c;
	const struct manifest_step *step = step_run_current(s);

	return (struct handler_call){
		.workflow = c->spec.goal->id, .new_privileges = c->spec.config->new_privileges,
		.handler = step->handler, .action = action, .properties = step->properties,
		.component = s->component, .work_folder = s->files.workdir,
		.file = s->files.script ? s->files.script->name : NULL,
		.user = agent_config_user(c->spec.config),
		.timeout_ms = timeout_ms,
		.grace_ms = c->spec.config->stop_grace_ms,
	};
}

bool
step_run_has_action(const struct steps *s, enum handler_action action)
{
	const struct manifest_step *step = step_run_current(s);

	return handler_has_action(step->handler, step->properties, action);
}

void
step_run_keep_result(struct steps *s, const struct handler_result *r)
{
	s->kept_code = r->code;
	s->kept_erc = r->erc;
	free(s->kept_details);
	s->kept_details = xstrdup(r->details);
}

/* --- what has to happen to the device before a step can go on */

/* The steps go on in a later cycle. */
static void
await_need(struct steps *s, enum attempts_need need)
{
	struct cycle_context *c = s->c;

	if (need > c->outcome.need)
		c->outcome.need = need;
	cycle_context_skip(s->c, s->id);
	step_run_end(s, false);
}

void
step_run_ask(struct steps *s, enum attempts_need need, const struct handler_result *r)
{
	struct cycle_context *c = s->c;
	_cleanup_free_ char *name = step_run_name(s);
	int32_t code = r->code > RESULT_INSTALL_RESTART ? r->code - 100 : r->code;

	if (attempts_ask(c->spec.attempts, name, s->id, need) >= NEEDS_MAX) {
		step_run_fail(s, &(struct handler_result){ .code = RESULT_FAILURE, .erc = ERC_REBOOT,
		    .details = "a reboot or restart was asked for three times" });
		return;
	}
	step_run_add_result(s, r);
	c->stopping |= code == RESULT_INSTALL_REBOOT_NOW || code == RESULT_INSTALL_RESTART_NOW;
	await_need(s, need);
}

bool
step_run_is_awaited(struct steps *s)
{
	const struct agent_config *config = s->c->spec.config;
	_cleanup_free_ char *name = step_run_name(s);
	int64_t age_ms = 0;
	enum attempts_need need = attempts_needs(s->c->spec.attempts, name, s->component, &age_ms);

	if (need == ATTEMPTS_NEED_NONE)
		return false;
	if (need == ATTEMPTS_NEED_REBOOT && config->reboot && age_ms > config->reboot_timeout_ms) {
		s->action = HANDLER_INSTALL;
		step_run_fail(s, &(struct handler_result){ .code = RESULT_FAILURE, .erc = ERC_REBOOT,
		    .details = "a reboot was asked for, and was not seen in time" });
	} else {
		await_need(s, need);
	}
	return true;
}

static void
hold(struct steps *s, int64_t done, int64_t wait_ms)
{
	struct cycle_context *c = s->c;
	_cleanup_free_ char *name = step_run_name(s), *why = NULL;
	char at[CLOCK_TEXT];

	cycle_context_add_held(c, name, s->id, done, wait_ms, at);
	why = xasprintf("held, attempt %lld of %lld at %s", (long long)done + 1,
	    (long long)c->spec.config->attempts.max, at);
	cycle_context_add_failure(c, RESULT_FAILURE, ERC_HELD, s->id, why);
	cycle_context_skip(s->c, s->id);
	step_run_end(s, false);
}

bool
step_run_may_try(struct steps *s)
{
	_cleanup_free_ char *name = step_run_name(s), *why = NULL;
	int64_t done, wait_ms;

	switch (attempts_check(s->c->spec.attempts, name, s->component, &done, &wait_ms)) {
	case ATTEMPTS_DUE:
		return true;
	case ATTEMPTS_HELD:
		hold(s, done, wait_ms);
		return false;
	case ATTEMPTS_EXHAUSTED:
		break;
	}
	why = xasprintf("not installed after %lld attempt%s; retry-failed begins anew", (long long)done,
	    done == 1 ? "" : "s");
	s->action = HANDLER_INSTALL;
	step_run_fail(s, &(struct handler_result){ .code = RESULT_FAILURE, .erc = ERC_ATTEMPTS, .details = why });
	return false;
}

bool
step_run_begin_attempt(struct steps *s)
{
	_cleanup_free_ char *name = step_run_name(s);
	struct fail f;

	if (attempts_begin(s->c->spec.attempts, name, s->component, &f) < 0) {
		step_run_fail_with(s, &f);
		return false;
	}
	s->attempted = true;
	return true;
}
