#include <stdlib.h>

#include "base/xalloc.h"
#include "deploy/cycle_context.h"

void
cycle_context_init(struct cycle_context *c, struct loop *l, const struct cycle_spec *spec)
{
	*c = (struct cycle_context){ .loop = l, .spec = *spec, .workdirs = workdirs_new(spec->work),
	    .outcome = { .held = json_array(), .held_ms = -1 }, .details = BUF_INIT, .skipped_ids = json_object() };
}

void
cycle_context_release(struct cycle_context *c)
{
	loop_timer_stop(c->loop, &c->progress);
	workdirs_free(c->workdirs);
	json_release(&c->outcome.held);
	json_release(&c->skipped_ids);
	buf_release(&c->details);
}

void
cycle_context_report_phase(struct cycle_context *c, const char *phase)
{
	c->spec.phase(phase, c->done, c->total, c->spec.cookie);
}

char *
cycle_context_step_name(const struct plan_stage *s, size_t step)
{
	return s->is_host ? xasprintf("step_%zu", s->number) : xasprintf("step_%zu.%zu", s->number, step);
}

void
cycle_context_add_failure(struct cycle_context *c, int32_t code, int32_t erc, const char *component,
    const char *details)
{
	if (c->outcome.failed)
		return;
	c->outcome.failed = true;
	c->outcome.code = code;
	c->outcome.erc = erc;
	buf_reset(&c->details);
	buf_printf(&c->details, "%s%s", component, *component ? ": " : "");
	if (*details)
		buf_puts(&c->details, details);
	else	/* a handler need not say why it has failed */
		buf_printf(&c->details, "result code %d, extended code 0x%08X", code, (unsigned)erc);
}

void
cycle_context_add_result(struct cycle_context *c, const struct plan_stage *s, size_t step,
    const char *component, enum handler_action action, const struct handler_result *r)
{
	_cleanup_free_ char *name = cycle_context_step_name(s, step);
	const struct cycle_result result = {
		.step = name, .component = component, .phase = handler_result_phase(action),
		.code = r->code, .erc = r->erc, .details = r->details,
	};

	c->spec.result(&result, c->spec.cookie);
	if (r->code <= 0)
		cycle_context_add_failure(c, r->code, r->erc, component, r->details);
}

void
cycle_context_add_unfetched(struct cycle_context *c, const struct fail *f)
{
	const bool may_come = f->status == EXIT_TROUBLE || f->status == EXIT_TIMEOUT || f->status == EXIT_ABSENT ||
	    f->status == EXIT_BUSY;

	c->outcome.is_unreachable |= may_come && goal_is_remote(c->spec.goal);
}

void
cycle_context_add_held(struct cycle_context *c, const char *step, const char *component, int64_t done,
    int64_t wait_ms, char at[CLOCK_TEXT])
{
	const int64_t at_ms = clock_wall_ms() + wait_ms;
	struct json entry = json_object();

	clock_format((struct timespec){ .tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000 }, at);
	json_set_text(&entry, "id", component);
	json_set_text(&entry, "step", step);
	json_set(&entry, "attempt", json_number((double)done + 1));
	json_set(&entry, "attempts", json_number((double)c->spec.config->attempts.max));
	json_set_text(&entry, "at", at);
	json_append(&c->outcome.held, entry);
	if (c->outcome.held_ms < 0 || wait_ms < c->outcome.held_ms)
		c->outcome.held_ms = wait_ms;
}

void
cycle_context_skip(struct cycle_context *c, const char *component)
{
	json_set_text(&c->skipped_ids, component, "");
}

bool
cycle_context_is_skipped(const struct cycle_context *c, const char *component)
{
	return json_get_text(c->skipped_ids, component) != NULL;
}
