#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "component/component.h"
#include "deploy/cycle.h"
#include "deploy/cycle_context.h"
#include "deploy/download.h"
#include "deploy/forked.h"
#include "deploy/payload_job.h"
#include "deploy/plan.h"
#include "deploy/steps.h"

struct cycle {
	struct cycle_context context;
	struct plan *plan;
	struct forked *plan_job;	/* fetches the manifests, or NULL */
	int64_t got, got_ms;		/* of the download that is shown, when it was last looked at */
	struct enumeration *enumeration;
	struct steps **steps;		/* of the current stage: on each component */
	size_t n_steps, next_steps;
	size_t stage;
	enum cycle_end end;		/* how it was cancelled */
	bool has_problem;		/* not all components are known */
	struct loop_timer kick;		/* so that nothing ends before cycle_start() has returned */
};

static void
stage_release(struct cycle *c)
{
	for (size_t i = 0; i < c->n_steps; i++)
		steps_free(c->steps[i]);
	free(TAKE_PTR(c->steps));
	c->n_steps = c->next_steps = 0;
}

static void
cycle_free(struct cycle *c)
{
	loop_timer_stop(c->context.loop, &c->kick);
	stage_release(c);
	cycle_context_release(&c->context);
	plan_free(c->plan);
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

static void
show_progress(void *cookie)
{
	struct cycle *c = cookie;
	const struct cycle_spec *spec = &c->context.spec;
	const int64_t now = clock_mono_ms(), since = now - c->got_ms;
	const struct payload_job *j = NULL;
	int64_t got, size;

	for (size_t i = 0; !j && i < c->next_steps; i++)
		j = steps_download(c->steps[i]);
	if (!j)
		return;
	if (payload_job_progress(j, &got, &size)) {
		if (since > 0 && got >= c->got)
			spec->fetching(got, size, (got - c->got) * 1000 / since, spec->cookie);
		c->got = got;
		c->got_ms = now;
	}
	loop_timer_set(c->context.loop, &c->context.progress, CYCLE_PROGRESS_MS);
}

static void
finish_cycle(struct cycle *c)
{
	_cleanup_json_ struct json waiting = all_waiting(c);
	struct cycle_outcome *o = &c->context.outcome;

	o->cancelled = c->context.cancelled;
	o->waiting = waiting;
	if (o->cancelled)
		o->code = RESULT_CANCELLED;
	else if (!o->failed)
		o->code = RESULT_APPLY_SUCCESS;
	o->details = c->context.details.s;
	c->context.spec.done(o, c->context.spec.cookie);
	cycle_free(c);
}

static bool
begin_stage(struct cycle *c)
{
	const struct plan_stage *s;

	if (c->stage >= c->plan->n_stages || c->context.cancelled || c->context.stopping)
		return false;
	s = &c->plan->stages[c->stage++];
	stage_release(c);
	if (!s->is_host && !s->child) {
		const struct handler_result r = { .code = RESULT_FAILURE, .details = s->fail.text };

		cycle_context_add_unfetched(&c->context, &s->fail);
		cycle_context_add_result(&c->context, s, 0, "", HANDLER_DOWNLOAD, &r);
		return true;
	}
	/* of an inventory that could not be read that cannot be said */
	if (!s->is_host && !c->has_problem && json_count(s->selected) == 0 && json_count(s->waiting) == 0) {
		const struct handler_result r = { .code = RESULT_INSTALL_SKIPPED_NO_COMPONENT,
		    .details = "no matching components" };

		cycle_context_add_result(&c->context, s, 0, "", HANDLER_INSTALL, &r);
	}
	c->steps = xcalloc(s->is_host ? 1 : json_count(s->selected), sizeof(struct steps *));
	if (s->is_host)
		c->steps[c->n_steps++] = steps_new(&c->context, s, JSON_ABSENT);
	for (size_t i = 0; !s->is_host && i < json_count(s->selected); i++)
		c->steps[c->n_steps++] = steps_new(&c->context, s, json_at(s->selected, i));
	return true;
}

/* Begin what can be begun: steps on the next components, the next stage, or the end. */
static void
cycle_advance(void *cookie)
{
	struct cycle *c = cookie;
	struct cycle_context *context = &c->context;

	for (;;) {
		while (c->next_steps < c->n_steps && context->running < (size_t)context->spec.config->jobs &&
		    !context->cancelled && !context->stopping)
			steps_begin(c->steps[c->next_steps++]);
		if (context->running > 0)
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
	plan_select(p, components);
	for (size_t i = 0; i < p->n_stages; i++)
		c->context.total += p->stages[i].is_host ? 1 : json_count(p->stages[i].selected);
	cycle_context_report_phase(&c->context, "is-installed");
	cycle_advance(c);
}

/* A wrong inventory fails the cycle; the components of other inventories are processed. */
static void
on_problem(const struct fail *f, void *cookie)
{
	struct cycle *c = cookie;

	c->context.spec.log(f->text, c->context.spec.cookie);
	if (f->status != EXIT_OK) {
		c->has_problem = true;
		cycle_context_add_failure(&c->context, RESULT_FAILURE, 0, "", f->text);
	}
}

/* The plan is there, or R is why not. */
static void
plan_ready(struct cycle *c, int r, const struct fail *f)
{
	if (r < 0)
		cycle_context_add_unfetched(&c->context, f);
	if (r < 0 && !c->context.cancelled)
		cycle_context_add_failure(&c->context, RESULT_FAILURE, 0, "", f->text);
	if (r < 0 || c->context.cancelled) {
		finish_cycle(c);
		return;
	}
	cycle_context_report_phase(&c->context, "select");
	c->enumeration = enumerate_start(c->context.loop, &c->context.spec.inventory, on_enumerated, c);
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
		r = plan_load(c->context.spec.goal, c->context.spec.cache, &w->faults, &c->plan, &own);
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

	if (c->context.cancelled) {
		finish_cycle(c);
		return;
	}
	r = file_make_dirs(c->context.spec.work, 0755);
	if (r < 0)
		fail_errno(&f, r, "%s", c->context.spec.work);
	else
		r = plan_load(c->context.spec.goal, c->context.spec.cache, NULL, &c->plan, &f);
	if (r <= 0) {
		plan_ready(c, r, &f);
		return;
	}
	work = xcalloc(1, sizeof *work);
	*work = (struct plan_work){ .goal = c->context.spec.goal, .cache = c->context.spec.cache, .link = &c->context.spec.config->link };
	cycle_context_report_phase(&c->context, "fetch");
	c->plan_job = forked_start(c->context.loop, "fetching manifests", fetch_manifests, work, sizeof *work,
	    manifests_fetched, c, &f);
	free(work);
	if (!c->plan_job)
		plan_ready(c, -EIO, &f);
}

struct cycle *
cycle_start(struct loop *l, const struct cycle_spec *spec)
{
	struct cycle *c = xcalloc(1, sizeof *c);

	c->kick = (struct loop_timer){ .fn = cycle_begin, .cookie = c };
	cycle_context_init(&c->context, l, spec);
	c->context.advance = cycle_advance;
	c->context.cookie = c;
	c->context.progress = (struct loop_timer){ .fn = show_progress, .cookie = c };
	c->context.spec.inventory.problem = on_problem;
	c->context.spec.inventory.cookie = c;
	loop_timer_set(l, &c->kick, 0);
	return c;
}

void
cycle_cancel(struct cycle *c, enum cycle_end how)
{
	/* an agent that waits for an installation may still be told to end it, or to leave it */
	if (c->context.cancelled && how <= c->end)
		return;
	c->context.cancelled = true;
	c->end = how;
	if (c->enumeration) {
		enumerate_cancel(c->enumeration);
		c->enumeration = NULL;
		loop_timer_set(c->context.loop, &c->kick, 0);
		return;
	}
	if (c->plan_job) {
		forked_end(c->plan_job);
		return;
	}
	for (size_t i = 0; i < c->next_steps; i++)
		steps_cancel(c->steps[i], how);
	/* from the loop: DONE must not be called before this returns */
	if (c->context.running == 0)
		loop_timer_set(c->context.loop, &c->kick, 0);
}
