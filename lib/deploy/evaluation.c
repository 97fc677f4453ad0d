#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "component/component.h"
#include "component/selector.h"
#include "deploy/workdirs.h"
#include "deploy/handler.h"
#include "deploy/evaluation.h"

/* One component before the steps. */
struct evaluation_run {
	struct loop *loop;
	const struct evaluation_spec *spec;
	struct json component;
	evaluation_done *done;
	void *cookie;
	size_t at;		/* index of the current step */
	char *workdir;		/* of the step that runs, and its script */
	const struct payload *script;
	enum evaluation_answer answer;
	char *criteria;
	struct buf reason, output;
};

static struct evaluation
by_version(const struct criteria *q, struct json component, struct buf *reason)
{
	const char *version = json_get_text(component, "version");
	struct evaluation v = { .answer = EVALUATION_UNKNOWN, .criteria = q->text };

	if (!version) {
		buf_puts(reason, "it has no version");
	} else if (strcmp(version, q->text) == 0) {
		v.answer = EVALUATION_YES;
	} else {
		v.answer = EVALUATION_NO;
		buf_printf(reason, "its version is %s", version);
	}
	return v;
}

static struct evaluation
by_program(const struct criteria *q, struct json component, struct buf *reason)
{
	_cleanup_json_ struct json out = JSON_ABSENT;
	struct evaluation v = { .answer = EVALUATION_UNKNOWN, .criteria = q->text };
	struct fail f;

	if (json_filter_first(q->filter, component, &out, &f) < 0) {
		buf_puts(reason, f.text);
	} else if (json_kind(out) == JSON_TRUE) {
		v.answer = EVALUATION_YES;
	} else if (json_kind(out) == JSON_FALSE) {
		v.answer = EVALUATION_NO;
		buf_puts(reason, "the program says false");
	} else {
		buf_printf(reason, "the program says %s, neither true nor false",
		    json_kind_name(out));
	}
	return v;
}

/* True where COMPONENT is not online, so that its version cannot be asked for; REASON says why. */
static bool
state_settles(struct json component, struct buf *reason)
{
	enum component_state s = component_state(component);
	const char *why = json_get_text(component, "reason");

	if (s == COMPONENT_ONLINE)
		return false;
	buf_puts(reason, s == COMPONENT_UNREADABLE && why ? why : component_state_name(s));
	return true;
}

static bool
step_selects(const struct criteria_step *s, struct json component)
{
	return json_kind(s->selectors) == JSON_NONE ||
	    selector_matches_any(s->selectors, component);
}

static bool
criteria_select(const struct criteria *q, struct json component)
{
	for (size_t i = 0; i < q->n_steps; i++)
		if (step_selects(&q->steps[i], component))
			return true;
	return false;
}

static void
evaluation_run_end(struct evaluation_run *run)
{
	struct evaluation v = {
		.answer = run->answer, .criteria = run->criteria,
		.reason = run->reason.len ? run->reason.s : NULL, .output = run->output.s,
	};

	run->done(run->component, &v, run->cookie);
	json_release(&run->component);
	free(run->criteria);
	buf_release(&run->reason);
	buf_release(&run->output);
	free(run);
}

/*
 * Record ANSWER of the current step, with its reason TEXT: "no" is final, and
 * the first "unknown" is kept.
 */
static void
record_answer(struct evaluation_run *run, enum evaluation_answer answer, const char *text)
{
	const struct criteria_step *s = &run->spec->criteria->steps[run->at];
	const char *criteria = s->step ?
	    json_get_text(s->step->properties, "installedCriteria") : NULL;

	if (run->answer == EVALUATION_UNKNOWN && answer != EVALUATION_NO)
		return;
	run->answer = answer;
	free(run->criteria);
	run->criteria = criteria ? xstrdup(criteria) : NULL;
	buf_reset(&run->reason);
	if (*text)
		buf_printf(&run->reason, "%s%s%s", s->name ? s->name : "", s->name ? ": " : "", text);
}

static void evaluation_run_next(struct evaluation_run *run);

static void
step_answered(const struct handler_result *r, void *cookie)
{
	struct evaluation_run *run = cookie;
	_cleanup_free_ char *why = NULL;

	/* one that another user could write is used once, and so is one that may be in use still */
	workdirs_give(run->spec->criteria->workdirs, run->script, run->workdir,
	    !run->spec->user && !r->timed_out);
	free(TAKE_PTR(run->workdir));
	buf_reset(&run->output);
	buf_puts(&run->output, r->output);
	if (r->code == RESULT_INSTALLED) {
		record_answer(run, EVALUATION_YES, r->details);
	} else if (r->code == RESULT_NOT_INSTALLED) {
		record_answer(run, EVALUATION_NO, *r->details ? r->details : "not installed");
	} else {
		why = r->code > 0 ? xasprintf("resultCode %d is neither 900 nor 901", r->code) :
		    xasprintf("%s%s0x%08X", r->details, *r->details ? ": " : "", (unsigned)r->erc);
		record_answer(run, EVALUATION_UNKNOWN, why);
	}
	run->at++;
	evaluation_run_next(run);
}

static int
start_step(struct evaluation_run *run, const struct manifest_step *step, struct fail *f)
{
	const struct evaluation_spec *spec = run->spec;
	const struct criteria *q = spec->criteria;
	struct handler_call call = {
		.handler = step->handler, .action = HANDLER_IS_INSTALLED,
		.properties = step->properties, .component = run->component, .user = spec->user,
		.timeout_ms = spec->timeout_ms, .grace_ms = spec->grace_ms,
	};
	const char *missing;
	int r;

	run->script = manifest_step_script(step, &missing);
	if (missing)
		return fail_set(f, EXIT_USAGE, "scriptFileName '%s' is none of the step's files", missing);
	call.file = run->script ? run->script->name : NULL;
	r = workdirs_take(q->workdirs, run->script, q->cache, &run->workdir, f);
	if (r < 0)
		return r;
	call.work_folder = run->workdir;
	handler_start(run->loop, &call, step_answered, run);
	return 0;
}

/* Go on until a step has to be waited for, or all is said. */
static void
evaluation_run_next(struct evaluation_run *run)
{
	const struct criteria *q = run->spec->criteria;

	for (; run->at < q->n_steps && run->answer != EVALUATION_NO; run->at++) {
		const struct criteria_step *s = &q->steps[run->at];
		struct fail f;

		if (!step_selects(s, run->component))
			continue;
		if (s->step && start_step(run, s->step, &f) == 0)
			return;
		record_answer(run, EVALUATION_UNKNOWN, s->step ? f.text : s->fail->text);
	}
	evaluation_run_end(run);
}

static void
evaluation_run_start(struct loop *l, const struct evaluation_spec *spec, struct json component,
    evaluation_done *done, void *cookie)
{
	struct evaluation_run *run = xcalloc(1, sizeof *run);

	*run = (struct evaluation_run){
		.loop = l, .spec = spec, .component = json_copy(component), .done = done,
		.cookie = cookie, .answer = EVALUATION_YES, .reason = BUF_INIT, .output = BUF_INIT,
	};
	evaluation_run_next(run);
}

void
evaluation_start(struct loop *l, const struct evaluation_spec *spec, struct json component,
    evaluation_done *done, void *cookie)
{
	const struct criteria *q = spec->criteria;
	_cleanup_buf_ struct buf reason = BUF_INIT;
	struct evaluation v = { .answer = EVALUATION_UNKNOWN, .criteria = q->text };

	if (q->kind == CRITERIA_STEPS && !criteria_select(q, component)) {
		v.answer = EVALUATION_NOT_SELECTED;
	} else if (!state_settles(component, &reason)) {
		if (q->kind == CRITERIA_STEPS) {
			evaluation_run_start(l, spec, component, done, cookie);
			return;
		}
		v = q->kind == CRITERIA_VERSION ? by_version(q, component, &reason) :
		    by_program(q, component, &reason);
	}
	v.reason = reason.len ? reason.s : NULL;
	v.output = "";
	done(component, &v, cookie);
}

struct json
evaluation_record(struct json component, const struct evaluation *v)
{
	struct json out = json_copy(component);

	json_set(&out, "installed", v->answer == EVALUATION_YES ? json_bool(true) :
	    v->answer == EVALUATION_NO ? json_bool(false) : json_null());
	json_set_text(&out, "criteria", v->criteria);
	json_set_text(&out, "reason", v->reason);
	return out;
}

void
evaluation_tally_add(struct evaluation_tally *t, enum evaluation_answer answer)
{
	t->yes += answer == EVALUATION_YES;
	t->no += answer == EVALUATION_NO;
	t->unknown += answer == EVALUATION_UNKNOWN;
}

enum exit_status
evaluation_tally_status(const struct evaluation_tally *t)
{
	return t->unknown > 0 ? EXIT_TROUBLE : t->no > 0 || t->yes == 0 ? EXIT_NO : EXIT_OK;
}
