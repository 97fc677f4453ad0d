#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/history.h"
#include "agent/status.h"
#include "agent/status_text.h"
#include "base/clock.h"
#include "base/io.h"
#include "restart/last.h"
#include "restart/limit.h"
#include "restart/lock.h"
#include "restart/method.h"
#include "restart/readiness_probe.h"
#include "restart/restart.h"
#include "restart/verifier.h"

/* A process's start is counted in ticks of 10 ms. */
enum { TICK_MS = 10, OTHERS_MS = 15000 };

struct work {
	const struct profile *p;
	const struct restart_spec *spec;
	struct restart_outcome *o;
	const struct restart_method *m;
	int64_t timeout_ms;
	int64_t turn_end_ms;	/* until then the agent must be idle */
	int turn;		/* the descriptor of our turn */
};

static bool
is_younger(const struct work *w, const struct instance_state *l)
{
	return l->running == 1 && l->began_ms > w->spec->asked_ms + TICK_MS;
}

/*
 * Has another restarted it since we asked?  1 where that went well, 0 where not
 * so, or the error that it ended with.  One that came back without us knowing
 * must show that it is well.
 */
static int
was_restarted(struct work *w, struct fail *f)
{
	const struct instance_state *l = &w->o->before;
	_cleanup_readiness_probe_ struct readiness_probe sign = { .p = NULL };
	struct restart_verifier proof = { .p = w->p, .m = w->m, .sign = &sign, .old = "",
	    .begun_ms = clock_mono_ms(), .end_ms = w->turn_end_ms };
	struct restart_last last;
	int r = restart_last_read(w->p, &last);

	if (r == 0 && last.acted_ms > w->spec->asked_ms && last.status != EXIT_OK) {
		w->o->by_another = true;
		return fail_set(f, last.status, "%s", last.text);
	}
	w->o->after = *l;
	w->o->by_another = is_younger(w, l) || (r == 0 && last.acted_ms > w->spec->asked_ms);
	if (!w->o->by_another)
		return 0;
	if (r == 0 && l->running == 1 && strcmp(last.incarnation, l->name) == 0)
		return 1;
	if (!is_younger(w, l)) {
		w->o->by_another = false;	/* and what it made is gone again */
		return 0;
	}
	r = readiness_probe_begin(&sign, w->p, "", true, f);
	if (r == 0)
		r = restart_verifier_wait(&proof, f);
	w->o->after = proof.life;
	return r < 0 ? r : 1;
}

static int
wait_idle(const struct work *w, struct fail *f)
{
	int64_t left = w->turn_end_ms - clock_mono_ms();
	int r;

	if (w->spec->force || w->p->status.method == STATUS_NONE || w->o->before.running == 0)
		return 0;
	r = status_wait_idle(w->p, left > 0 ? left : 0, f);
	return r == -ETIMEDOUT ? fail_set(f, EXIT_BUSY, "%s: is busy", w->p->name) : r;
}

/* 1 where there is nothing left to do. */
static int
inspect_agent(struct work *w, struct fail *f)
{
	struct instance_state *l = &w->o->before;
	int r = w->m->inspect(w->p, w->turn_end_ms, l, f);

	if (r == 0)
		r = was_restarted(w, f);
	if (r == 0 && w->spec->conditional && l->running == 0)
		return fail_set(f, EXIT_ABSENT, "%s: not running", w->p->name);
	return r;
}

static void
write_down(struct work *w, const char *outcome, int64_t acted_ms, int r, const struct fail *f)
{
	struct restart_outcome *o = w->o;
	struct history_entry e = {
		.reason = w->spec->reason, .method = w->m->name, .outcome = outcome,
		.before = o->before.name, .after = o->after.name,
		.detail = r < 0 ? f->text : "", .status = r < 0 ? f->status : EXIT_OK,
	};
	struct restart_last last = { .acted_ms = acted_ms, .status = e.status };
	struct fail warning;

	strcpy(last.incarnation, o->after.name);
	reason_clean(e.detail, strlen(e.detail), last.text);
	if (restart_last_write(w->p, &last, &warning) < 0)
		o->warning = warning;
	if (history_add(w->p, &e, &warning) < 0)
		o->warning = warning;
}

static int
restart_and_verify(struct work *w, struct fail *f)
{
	_cleanup_readiness_probe_ struct readiness_probe sign = { .p = NULL };
	const struct instance_state *before = &w->o->before;
	const int64_t begun = clock_mono_ms(), acted = clock_boot_ms();
	struct fail why = { .status = EXIT_OK }, ignored;
	struct restart_method_call call = { .p = w->p, .before = before, .conditional = w->spec->conditional,
	    .reason = w->spec->reason, .end_ms = begun + w->timeout_ms };
	struct restart_verifier proof = { .p = w->p, .m = w->m, .sign = &sign, .old = before->name,
	    .begun_ms = begun, .end_ms = call.end_ms, .why = &why, .outcome = "trouble" };
	int r = readiness_probe_begin(&sign, w->p, before->name, false, f);

	if (r < 0)
		return r;
	r = w->m->restart(&call, &why);
	if (r < 0 && (!w->m->is_prompt || why.status == EXIT_DENIED)) {
		*f = why;
		proof.outcome = "refused";
		if (w->m->inspect(w->p, call.end_ms, &proof.life, &ignored) < 0)
			proof.life = *before;
	} else {
		proof.acted = r;
		/* who had to be killed first has not had that time to start in */
		if (!w->m->is_prompt)
			proof.end_ms = clock_mono_ms() + w->timeout_ms;
		r = restart_verifier_wait(&proof, f);
	}
	w->o->after = proof.life;
	w->o->ready_ms = proof.ready_ms;
	write_down(w, proof.outcome, acted, r, f);
	return r;
}

/* Our turn: what is to be waited for before, and a last look after that. */
static int
prepare(struct work *w, struct fail *f)
{
	int r = inspect_agent(w, f);

	if (r == 0)
		r = limit_check(w->p, f);	/* waiting would not change that */
	if (r == 0)
		r = wait_idle(w, f);
	if (r == 0 && restart_lock_wait_quiet(w->turn))
		r = wait_idle(w, f);	/* it may have begun something meanwhile */
	if (r == 0)
		r = inspect_agent(w, f);
	return r == 0 ? limit_take(w->p, f) : r;
}

int
restart(const struct profile *p, const struct restart_spec *spec, struct restart_outcome *o,
    struct fail *f)
{
	_cleanup_fd_ int turn = -1;
	struct work w = { .p = p, .spec = spec, .o = o, .m = restart_method_find(p, f),
	    .timeout_ms = spec->timeout_ms < 0 ? p->restart.timeout_ms : spec->timeout_ms };
	int r;

	*o = (struct restart_outcome){ .by_another = false };
	if (!w.m)
		return -EBADMSG;
	/* as long as another's restart may take */
	turn = restart_lock_take(p, clock_mono_ms() + 2 * w.timeout_ms + p->restart.stable_ms + OTHERS_MS, f);
	if (turn < 0)
		return turn;
	w.turn = turn;
	w.turn_end_ms = clock_mono_ms() + w.timeout_ms;
	r = prepare(&w, f);
	if (r == 0)
		r = restart_and_verify(&w, f);
	return r < 0 ? r : 0;
}

static void
describe_state(const struct profile *p, const struct instance_state *l, struct buf *out)
{
	struct status s;
	struct fail f;

	buf_printf(out, "incarnation\t%s\n", *l->name ? l->name : "none");
	buf_printf(out, "process\t%s\n", l->text);
	if (p->status.method == STATUS_NONE)
		return;
	buf_printf(out, "state\t%s\n", status_read(p, &s, &f) < 0 ? f.text
	    : status_text_state(s.state));
}

int
restart_describe(const struct profile *p, const struct restart_spec *spec, struct buf *out,
    struct fail *f)
{
	const struct restart_method *m = restart_method_find(p, f);
	struct limit limit;
	struct instance_state l;
	int r;

	if (!m)
		return -EBADMSG;
	buf_printf(out, "method\t%s\n", m->name);
	m->describe(p, spec->conditional, out);
	buf_puts(out, "ready\t");
	readiness_probe_describe(p, out);
	buf_printf(out, "\nstable\t%" PRId64 "ms\ntimeout\t%" PRId64 "ms\n", p->restart.stable_ms,
	    spec->timeout_ms < 0 ? p->restart.timeout_ms : spec->timeout_ms);
	r = m->inspect(p, clock_mono_ms(), &l, f);
	if (r < 0)
		return r;
	describe_state(p, &l, out);
	r = limit_read(p, &limit, f);
	if (r < 0)
		return r;
	if (p->restart.limit)
		buf_printf(out, "limit\t%" PRId64 " in %" PRId64 "ms, %" PRId64 " left\n",
		    p->restart.limit, p->restart.limit_ms, limit.left);
	if (spec->conditional && l.running == 0)
		return fail_set(f, EXIT_ABSENT, "%s: not running", p->name);
	return limit_check(p, f);
}
