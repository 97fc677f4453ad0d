#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "component/component.h"
#include "component/selector.h"
#include "deploy/folder.h"
#include "deploy/handler.h"
#include "deploy/verdict.h"

/* One component before the steps. */
struct hearing {
	struct loop *loop;
	const struct verdict_spec *spec;
	struct json component;
	verdict_done *done;
	void *cookie;
	size_t at;		/* the step whose turn it is */
	char *folder;		/* of the step that runs, and its script */
	const struct payload *script;
	enum verdict_answer answer;
	char *criteria;
	struct buf reason, output;
};

static struct verdict
by_version(const struct question *q, struct json component, struct buf *reason)
{
	const char *version = json_get_text(component, "version");
	struct verdict v = { .answer = VERDICT_UNKNOWN, .criteria = q->text };

	if (!version) {
		buf_puts(reason, "it has no version");
	} else if (strcmp(version, q->text) == 0) {
		v.answer = VERDICT_YES;
	} else {
		v.answer = VERDICT_NO;
		buf_printf(reason, "its version is %s", version);
	}
	return v;
}

static struct verdict
by_program(const struct question *q, struct json component, struct buf *reason)
{
	_cleanup_json_ struct json out = JSON_ABSENT;
	struct verdict v = { .answer = VERDICT_UNKNOWN, .criteria = q->text };
	struct fail f;

	if (json_filter_first(q->filter, component, &out, &f) < 0) {
		buf_puts(reason, f.text);
	} else if (json_kind(out) == JSON_TRUE) {
		v.answer = VERDICT_YES;
	} else if (json_kind(out) == JSON_FALSE) {
		v.answer = VERDICT_NO;
		buf_puts(reason, "the program says false");
	} else {
		buf_printf(reason, "the program says %s, neither true nor false",
		    json_kind_name(out));
	}
	return v;
}

/* What is not here to be asked; true where that settles it. */
static bool
by_state(struct json component, struct buf *reason)
{
	enum component_state s = component_state(component);
	const char *why = json_get_text(component, "reason");

	if (s == COMPONENT_ONLINE)
		return false;
	buf_puts(reason, s == COMPONENT_UNREADABLE && why ? why : component_state_name(s));
	return true;
}

static bool
is_for(const struct question_step *s, struct json component)
{
	return json_kind(s->selectors) == JSON_NONE ||
	    selector_matches_any(s->selectors, component);
}

static bool
is_meant(const struct question *q, struct json component)
{
	for (size_t i = 0; i < q->n_steps; i++)
		if (is_for(&q->steps[i], component))
			return true;
	return false;
}

static void
hearing_end(struct hearing *h)
{
	struct verdict v = {
		.answer = h->answer, .criteria = h->criteria,
		.reason = h->reason.len ? h->reason.s : NULL, .output = h->output.s,
	};

	h->done(h->component, &v, h->cookie);
	json_release(&h->component);
	free(h->criteria);
	buf_release(&h->reason);
	buf_release(&h->output);
	free(h);
}

/*
 * The step whose turn it is said ANSWER, because of TEXT: a no is final, the
 * first that cannot be told is remembered.
 */
static void
note(struct hearing *h, enum verdict_answer answer, const char *text)
{
	const struct question_step *s = &h->spec->question->steps[h->at];
	const char *criteria = s->step ?
	    json_get_text(s->step->properties, "installedCriteria") : NULL;

	if (h->answer == VERDICT_UNKNOWN && answer != VERDICT_NO)
		return;
	h->answer = answer;
	free(h->criteria);
	h->criteria = criteria ? xstrdup(criteria) : NULL;
	buf_reset(&h->reason);
	if (*text)
		buf_printf(&h->reason, "%s%s%s", s->name ? s->name : "", s->name ? ": " : "", text);
}

static void hear(struct hearing *h);

static void
answered(const struct handler_result *r, void *cookie)
{
	struct hearing *h = cookie;
	_cleanup_free_ char *why = NULL;

	/* one that another user could write is used once, and so is one that may be in use still */
	folders_give(h->spec->question->folders, h->script, h->folder,
	    !h->spec->user && !r->timed_out);
	free(TAKE_PTR(h->folder));
	buf_reset(&h->output);
	buf_puts(&h->output, r->output);
	if (r->code == RESULT_INSTALLED) {
		note(h, VERDICT_YES, r->details);
	} else if (r->code == RESULT_NOT_INSTALLED) {
		note(h, VERDICT_NO, *r->details ? r->details : "not installed");
	} else {
		why = r->code > 0 ? xasprintf("resultCode %d is neither 900 nor 901", r->code) :
		    xasprintf("%s%s0x%08X", r->details, *r->details ? ": " : "", (unsigned)r->erc);
		note(h, VERDICT_UNKNOWN, why);
	}
	h->at++;
	hear(h);
}

/* The script that the step names; a handler of ours needs no file to be asked: NULL. */
static int
find_script(const struct manifest_step *step, const struct payload **script, struct fail *f)
{
	const char *name = json_get_text(step->properties, "scriptFileName");

	*script = NULL;
	if (!name)
		return 0;
	for (const struct payload **p = step->files; *p; p++)
		if (strcmp((*p)->name, name) == 0) {
			*script = *p;
			return 0;
		}
	return fail_set(f, EXIT_USAGE, "scriptFileName '%s' is none of the step's files", name);
}

static int
start_step(struct hearing *h, const struct manifest_step *step, struct fail *f)
{
	const struct verdict_spec *spec = h->spec;
	const struct question *q = spec->question;
	struct handler_call call = {
		.handler = step->handler, .action = HANDLER_IS_INSTALLED,
		.properties = step->properties, .component = h->component, .user = spec->user,
		.timeout_ms = spec->timeout_ms, .grace_ms = spec->grace_ms,
	};
	int r = find_script(step, &h->script, f);

	if (r == 0)
		r = folders_take(q->folders, h->script, q->cache, &h->folder, f);
	if (r < 0)
		return r;
	call.work_folder = h->folder;
	handler_start(h->loop, &call, answered, h);
	return 0;
}

/* Go on until a step has to be waited for, or all is said. */
static void
hear(struct hearing *h)
{
	const struct question *q = h->spec->question;

	for (; h->at < q->n_steps && h->answer != VERDICT_NO; h->at++) {
		const struct question_step *s = &q->steps[h->at];
		struct fail f;

		if (!is_for(s, h->component))
			continue;
		if (s->step && start_step(h, s->step, &f) == 0)
			return;
		note(h, VERDICT_UNKNOWN, s->step ? f.text : s->fail->text);
	}
	hearing_end(h);
}

static void
hearing_start(struct loop *l, const struct verdict_spec *spec, struct json component,
    verdict_done *done, void *cookie)
{
	struct hearing *h = xcalloc(1, sizeof *h);

	*h = (struct hearing){
		.loop = l, .spec = spec, .component = json_copy(component), .done = done,
		.cookie = cookie, .answer = VERDICT_YES, .reason = BUF_INIT, .output = BUF_INIT,
	};
	hear(h);
}

void
verdict_start(struct loop *l, const struct verdict_spec *spec, struct json component,
    verdict_done *done, void *cookie)
{
	const struct question *q = spec->question;
	_cleanup_buf_ struct buf reason = BUF_INIT;
	struct verdict v = { .answer = VERDICT_UNKNOWN, .criteria = q->text };

	if (q->kind == QUESTION_STEPS && !is_meant(q, component)) {
		v.answer = VERDICT_NOT_MEANT;
	} else if (!by_state(component, &reason)) {
		if (q->kind == QUESTION_STEPS) {
			hearing_start(l, spec, component, done, cookie);
			return;
		}
		v = q->kind == QUESTION_VERSION ? by_version(q, component, &reason) :
		    by_program(q, component, &reason);
	}
	v.reason = reason.len ? reason.s : NULL;
	v.output = "";
	done(component, &v, cookie);
}

struct json
verdict_record(struct json component, const struct verdict *v)
{
	struct json out = json_copy(component);

	json_set(&out, "installed", v->answer == VERDICT_YES ? json_bool(true) :
	    v->answer == VERDICT_NO ? json_bool(false) : json_null());
	json_set_text(&out, "criteria", v->criteria);
	json_set_text(&out, "reason", v->reason);
	return out;
}
