#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/xalloc.h"
#include "doctor/run.h"

static const char *const state_names[] = {
	[FINDING_OK] = "ok", [FINDING_WARN] = "warn", [FINDING_FAIL] = "fail",
};

const char *
doctor_state_name(enum finding_state s)
{
	return state_names[s];
}

int
doctor_open(struct doctor_run *x, const char *agent, struct fail *f)
{
	int r;

	profile_free(TAKE_PTR(x->profile));
	free(TAKE_PTR(x->agent));
	r = profile_load_as_written(agent, &x->profile, f);
	if (r == -ENOENT)
		return r;
	if (r < 0)
		x->profile_fail = *f;
	x->agent = xstrdup(x->profile ? x->profile->name : agent ? agent : "the default");
	return 0;
}

void
doctor_close(struct doctor_run *x)
{
	for (size_t i = 0; i < x->n; i++) {
		free(x->findings[i].agent);
		free(x->findings[i].object);
		free(x->findings[i].what);
		free(x->findings[i].advice);
		free(x->findings[i].repair);
	}
	free(x->findings);
	free(x->agent);
	profile_free(x->profile);
	*x = (struct doctor_run){ 0 };
}

static void
finding_add(struct doctor_run *x, enum finding_state state, const char *object, char *what)
{
	x->findings = xgrow(x->findings, x->n, &x->cap, sizeof *x->findings);
	x->findings[x->n++] = (struct finding){ .check = x->now, .state = state,
	    .agent = x->now->scope == CHECK_MACHINE || !x->agent ? NULL : xstrdup(x->agent),
	    .object = xstrdup(object), .what = what };
}

void
doctor_ok(struct doctor_run *x, const char *object, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finding_add(x, FINDING_OK, object, xvasprintf(fmt, ap));
	va_end(ap);
}

void
doctor_warn(struct doctor_run *x, const char *object, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finding_add(x, FINDING_WARN, object, xvasprintf(fmt, ap));
	va_end(ap);
}

void
doctor_fail(struct doctor_run *x, const char *object, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finding_add(x, FINDING_FAIL, object, xvasprintf(fmt, ap));
	va_end(ap);
}

void
doctor_fail_as(struct doctor_run *x, const char *object, const struct fail *f)
{
	size_t n = strlen(object);
	const char *what = f->text;

	if (strncmp(what, object, n) == 0 && strncmp(what + n, ": ", 2) == 0)
		what += n + 2;
	doctor_fail(x, object, "%s", what);
}

void
doctor_advise(struct doctor_run *x, const char *fmt, ...)
{
	struct finding *f = &x->findings[x->n - 1];
	va_list ap;

	va_start(ap, fmt);
	free(f->advice);
	f->advice = xvasprintf(fmt, ap);
	va_end(ap);
}

void
doctor_offer_fix(struct doctor_run *x, int fault)
{
	x->findings[x->n - 1].fault = fault;
}

static void
finding_repair(struct doctor_run *x, struct finding *f)
{
	_cleanup_buf_ struct buf done = BUF_INIT;
	struct fail why;

	f->repaired = x->now->fix(x, f, &done, &why) == 0;
	f->repair = f->repaired ? buf_steal(&done) : xasprintf("not repaired: %s", why.text);
	if (f->repaired)
		f->state = FINDING_OK;
}

void
doctor_run_check(struct doctor_run *x, const struct check *c)
{
	size_t first = x->n;

	if (c->scope == CHECK_AGENT && !x->profile)
		return;
	x->now = c;
	c->test(x);
	for (size_t i = first; x->fix && c->fix && i < x->n; i++)
		if (x->findings[i].fault)
			finding_repair(x, &x->findings[i]);
}

enum finding_state
doctor_worst(const struct doctor_run *x)
{
	enum finding_state worst = FINDING_OK;

	for (size_t i = 0; i < x->n; i++)
		if (x->findings[i].state > worst)
			worst = x->findings[i].state;
	return worst;
}

struct json
doctor_finding_record(const struct finding *f)
{
	struct json r = json_object();

	if (f->agent)
		json_set_text(&r, "agent", f->agent);
	json_set_text(&r, "check", f->check->name);
	json_set_text(&r, "state", doctor_state_name(f->state));
	json_set_text(&r, "object", f->object);
	json_set_text(&r, "what", f->what);
	if (f->advice && !f->repaired)
		json_set_text(&r, "advice", f->advice);
	if (f->repair)
		json_set_text(&r, "repair", f->repair);
	return r;
}

static void
add_line(struct table *t, const char *state, const char *check, const char *line)
{
	table_state(t, state);
	table_cell(t, check);
	table_cell(t, line);
	table_end_row(t);
}

static bool
is_same_agent(const struct finding *a, const struct finding *b)
{
	return a->agent && b->agent ? strcmp(a->agent, b->agent) == 0 : a->agent == b->agent;
}

static bool
has_several_agents(const struct doctor_run *x)
{
	for (size_t i = 1; i < x->n; i++)
		if (x->findings[i].agent && !is_same_agent(&x->findings[i], &x->findings[0]))
			return true;
	return false;
}

static void
format_finding(const struct finding *f, struct table *t)
{
	_cleanup_free_ char *line = xasprintf("%s: %s", f->object, f->what);
	_cleanup_free_ char *next = f->advice && !f->repaired ? xasprintf("-> %s", f->advice) : NULL;

	add_line(t, doctor_state_name(f->state), f->check->name, line);
	if (f->repair)
		add_line(t, NULL, NULL, f->repair);
	if (next)
		add_line(t, NULL, NULL, next);
}

void
doctor_format(const struct doctor_run *x, int terminal, struct buf *out)
{
	const bool named = has_several_agents(x);

	for (size_t i = 0; i < x->n; ) {
		const struct finding *first = &x->findings[i];
		struct table *t = table_new();

		if (named) {
			buf_puts(out, i ? "\n" : "");
			table_escape(first->agent ? first->agent : "this machine", out);
			buf_puts(out, ":\n");
		}
		for (; i < x->n && (!named || is_same_agent(&x->findings[i], first)); i++)
			format_finding(&x->findings[i], t);
		table_wrap(t);
		if (terminal >= 0)
			table_terminal(t, terminal);
		table_format(t, out);
		table_free(t);
	}
}
