#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/command.h"
#include "agent/history.h"
#include "agent/status.h"
#include "agent/status_text.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "restart/last.h"
#include "restart/limit.h"
#include "restart/lock.h"
#include "restart/method.h"
#include "restart/readiness_probe.h"
#include "restart/restart.h"
#include "restart/verifier.h"

/* The start of a process is counted in ticks of 10 ms. */
enum { TICK_MS = 10, OTHERS_MS = 15000, BEFORE_MS = 10000, JOURNAL_MS = 3000 };

struct work {
	const struct profile *p;
	const struct restart_spec *spec;
	struct restart_outcome *o;
	const struct restart_method *m;
	int64_t timeout_ms;
	int64_t idle_end_ms;	/* deadline for an idle agent */
	int lock_fd;
};

PRINTF(2, 3) static void
warn_caller(const struct work *w, const char *fmt, ...)
{
	struct fail f = { .status = EXIT_OK };
	va_list ap;

	if (!w->spec->warn)
		return;
	va_start(ap, fmt);
	vsnprintf(f.text, sizeof f.text, fmt, ap);
	va_end(ap);
	w->spec->warn(&f, w->spec->cookie);
}

static bool
is_younger(const struct work *w, const struct instance_state *l)
{
	return l->running == 1 && l->began_ms > w->spec->asked_ms + TICK_MS;
}

/* Verify an instance that started since the request, by whatever cause. */
static int
verify_other(struct work *w, struct fail *f)
{
	_cleanup_readiness_probe_ struct readiness_probe probe = { .p = NULL };
	struct restart_verifier v = { .p = w->p, .m = w->m, .probe = &probe, .old = "",
	    .begun_ms = clock_mono_ms(), .end_ms = w->idle_end_ms };
	int r = readiness_probe_begin(&probe, w->p, "", true, f);

	if (r == 0)
		r = restart_verifier_wait(&v, f);
	w->o->after = v.instance;
	return r;
}

/*
 * Has another process restarted the agent since the request?  1 if that
 * succeeded, 0 if not, or the error that it ended with.
 */
static int
check_other_restart(struct work *w, struct fail *f)
{
	const struct instance_state *l = &w->o->before;
	struct restart_last last;
	bool known = restart_last_read(w->p, &last) == 0;
	bool is_later = known && last.acted_ms > w->spec->asked_ms;
	int r;

	if (is_later && last.status != EXIT_OK) {
		w->o->by_another = true;
		return fail_set(f, last.status, "%s", last.text);
	}
	w->o->after = *l;
	w->o->by_another = is_younger(w, l) || is_later;
	if (!w->o->by_another)
		return 0;
	if (known && l->running == 1 && strcmp(last.incarnation, l->name) == 0)
		return 1;
	if (!is_younger(w, l)) {
		w->o->by_another = false;	/* the instance of that restart has ended again */
		return 0;
	}
	r = verify_other(w, f);
	return r < 0 ? r : 1;
}

static int
wait_idle(const struct work *w, struct fail *f)
{
	int64_t left = w->idle_end_ms - clock_mono_ms();
	int r;

	if (w->spec->force || w->p->status.method == STATUS_NONE || w->o->before.running == 0)
		return 0;
	r = status_wait_idle(w->p, false, left > 0 ? left : 0, f);
	return r == -ETIMEDOUT ? fail_set(f, EXIT_BUSY, "%s: is busy", w->p->name) : r;
}

/* 1 if nothing is left to do. */
static int
inspect_agent(struct work *w, struct fail *f)
{
	struct instance_state *l = &w->o->before;
	int r = w->m->inspect(w->p, w->idle_end_ms, l, f);

	if (r == 0)
		r = check_other_restart(w, f);
	if (r == 0 && w->spec->conditional && l->running == 0)
		return fail_set(f, EXIT_ABSENT, "%s: not running", w->p->name);
	return r;
}

/* --- what is recorded */

static void
add_history(const struct work *w, const struct history_entry *e)
{
	struct fail f;

	if (history_add(w->p, e, &f) < 0)
		warn_caller(w, "not recorded: %s", f.text);
}

/* The process that recorded "asked" last was ended by the restart, or was killed. */
static void
close_history(const struct work *w)
{
	const struct instance_state *l = &w->o->before;
	char before[INSTANCE_NAME], reason[REASON_MAX + 1];
	struct history_entry e = { .reason = reason, .method = w->m->name, .before = before,
	    .after = l->name, .detail = "the process that asked for it ended before its outcome" };

	if (!history_is_open(w->p, before, reason))
		return;
	e.outcome = !l->running ? "absent" : strcmp(before, l->name) ? "unverified" : "unchanged";
	e.status = !l->running ? EXIT_ABSENT : strcmp(before, l->name) ? EXIT_OK : EXIT_NO;
	add_history(w, &e);
}

static void
record_asked(const struct work *w)
{
	add_history(w, &(struct history_entry){ .reason = w->spec->reason, .method = w->m->name,
	    .outcome = "asked", .before = w->o->before.name, .after = "", .detail = "" });
}

static void
record_outcome(const struct work *w, const char *outcome, int64_t acted_ms, int r,
    const struct fail *f)
{
	const struct restart_outcome *o = w->o;
	const struct history_entry e = {
		.reason = w->spec->reason, .method = w->m->name, .outcome = outcome,
		.before = o->before.name, .after = o->after.name,
		.detail = r < 0 ? f->text : "", .status = r < 0 ? f->status : EXIT_OK,
	};
	struct restart_last last = { .acted_ms = acted_ms, .status = e.status };
	struct fail why;

	strcpy(last.incarnation, o->after.name);
	reason_clean(e.detail, strlen(e.detail), last.text);
	if (restart_last_write(w->p, &last, &why) < 0)
		warn_caller(w, "not recorded: %s", why.text);
	add_history(w, &e);
}

/* --- the restart */

/* [restart] before: the agent may tidy up.  A failure is no reason not to restart. */
static void
run_before(const struct work *w)
{
	char **argv = w->p->restart.before;
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct fail f;
	int r;

	if (!argv || w->o->before.running == 0)
		return;
	r = command_capture((const char *const *)argv, BEFORE_MS, &out, &f);
	if (r != 0)
		warn_caller(w, "[restart] before: %s%s%s", r > 0 ? argv[0] : "", r > 0 ? ": " : "", f.text);
}

/* Append the last error that the unit has logged since SINCE, on the wall clock, to F. */
static void
quote_unit(const struct work *w, int64_t since_ms, struct fail *f)
{
	_cleanup_free_ char *since = xasprintf("--since=@%" PRId64, since_ms / 1000);
	_cleanup_free_ char *unit = w->p->unit ? xasprintf("_SYSTEMD_UNIT=%s", w->p->unit) : NULL;
	const char *argv[] = { "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=1",
	    since, unit, "--priority=err", NULL };
	const size_t priority = sizeof argv / sizeof *argv - 2;
	_cleanup_buf_ struct buf line = BUF_INIT;
	char text[REASON_MAX + 1];
	struct fail ignored;

	if (!unit || strcmp(w->m->name, "systemd") != 0)
		return;
	if (command_capture(argv, JOURNAL_MS, &line, &ignored) == 0 && !line.len) {
		argv[priority] = "_TRANSPORT=stdout";	/* what a service without levels prints */
		(void)command_capture(argv, JOURNAL_MS, &line, &ignored);
	}
	reason_clean(line.s, strcspn(line.s, "\n"), text);
	if (*text)
		snprintf(f->text + strlen(f->text), sizeof f->text - strlen(f->text), "; last message: %s", text);
}

static void
old_ended(void *cookie)
{
	readiness_probe_old_ended(cookie);
}

static int
restart_and_verify(struct work *w, struct fail *f)
{
	_cleanup_readiness_probe_ struct readiness_probe probe = { .p = NULL };
	const struct instance_state *before = &w->o->before;
	const int64_t begun = clock_mono_ms(), acted = clock_boot_ms(), wall = clock_wall_ms();
	struct fail why = { .status = EXIT_OK }, warning = { .status = EXIT_OK }, ignored;
	struct restart_method_call call = { .p = w->p, .before = before, .reason = w->spec->reason,
	    .conditional = w->spec->conditional, .end_ms = begun + w->timeout_ms,
	    .stopped = old_ended, .cookie = &probe, .warning = &warning };
	struct restart_verifier v = { .p = w->p, .m = w->m, .probe = &probe, .old = before->name,
	    .begun_ms = begun, .end_ms = call.end_ms, .why = &why, .outcome = "trouble" };
	int r = readiness_probe_begin(&probe, w->p, before->name, false, f);

	if (r < 0)
		return r;
	record_asked(w);
	r = w->m->restart(&call, &why);
	if (*warning.text)
		warn_caller(w, "%s", warning.text);
	if (r < 0 && (!w->m->is_prompt || why.status == EXIT_DENIED)) {
		*f = why;
		v.outcome = "refused";
		if (w->m->inspect(w->p, call.end_ms, &v.instance, &ignored) < 0)
			v.instance = *before;
	} else {
		v.acted = r;
		/* an agent that had to be killed first gets the whole time to become ready */
		if (!w->m->is_prompt)
			v.end_ms = clock_mono_ms() + w->timeout_ms;
		r = restart_verifier_wait(&v, f);
	}
	if (r < 0)
		quote_unit(w, wall, f);
	w->o->after = v.instance;
	w->o->ready_ms = v.ready_ms;
	record_outcome(w, v.outcome, acted, r, f);
	return r;
}

/* Under the lock: all that must come before the restart, in this order. */
static int
prepare_restart(struct work *w, struct fail *f)
{
	int r = inspect_agent(w, f);

	if (r == 0)
		close_history(w);
	if (r == 0)
		r = limit_check(w->p, f);	/* to wait would not change that */
	if (r == 0)
		r = wait_idle(w, f);
	if (r == 0 && restart_lock_wait_quiet(w->lock_fd))
		r = wait_idle(w, f);	/* the agent may have begun to work meanwhile */
	if (r == 0)
		r = inspect_agent(w, f);
	if (r == 0)
		r = limit_take(w->p, f);
	if (r == 0)
		run_before(w);
	return r;
}

int
restart(const struct profile *p, const struct restart_spec *spec, struct restart_outcome *o,
    struct fail *f)
{
	_cleanup_fd_ int lock = -1;
	struct work w = { .p = p, .spec = spec, .o = o, .m = restart_method_find(p, f),
	    .timeout_ms = spec->timeout_ms < 0 ? p->restart.timeout_ms : spec->timeout_ms };
	int r;

	*o = (struct restart_outcome){ .by_another = false };
	if (!w.m)
		return -EBADMSG;
	/* the holder may take as long as this restart may */
	lock = restart_lock_take(p, clock_mono_ms() + 2 * w.timeout_ms + p->restart.stable_ms +
	    OTHERS_MS, f);
	if (lock < 0)
		return lock;
	w.lock_fd = lock;
	w.idle_end_ms = clock_mono_ms() + w.timeout_ms;
	r = prepare_restart(&w, f);
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
	if (p->restart.before)
		restart_method_describe_argv("before", p->restart.before, out);
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
