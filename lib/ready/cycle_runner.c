#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/spawn.h"
#include "ready/work_cycle.h"
#include "ready/cycle_runner.h"
#include "ready/handshake.h"
#include "ready/run_lock.h"
#include "ready/verdict_commands.h"

struct cycle_runner {
	const struct cycle_runner_spec *spec;
	struct loop *loop;
	struct handshake *handshake;
	struct readiness_now now;
	struct work_cycle *cycle;		/* NULL: none runs */
	struct verdict_commands *commands;
	bool ending;			/* the cycle has ended, or never will begin */
	int lock_fd, status;
};

static void
report_fail(const struct cycle_runner *t, const struct fail *f)
{
	t->spec->report(f, t->spec->cookie);
}

PRINTF(3, 4) static void
report_text(const struct cycle_runner *t, enum exit_status status, const char *fmt, ...)
{
	struct fail f = { .status = status };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f.text, sizeof f.text, fmt, ap);
	va_end(ap);
	report_fail(t, &f);
}

static void
set_environment(enum readiness_verdict v, void *cookie)
{
	const struct cycle_runner *t = cookie;

	setenv("REJOIN_PEER", t->spec->peer, 1);
	setenv("REJOIN_VERDICT", verdict_name(v), 1);
	setenv("REJOIN_AGENT_INCARNATION", t->spec->self->id, 1);
	setenv("REJOIN_PEER_INCARNATION", t->now.announced.is_there ? t->now.announced.peer : "", 1);
}

/* Nothing more is to come. */
static void
stop_if_done(void *cookie)
{
	struct cycle_runner *t = cookie;

	if (t->ending && verdict_commands_is_idle(t->commands))
		loop_stop(t->loop, 0);
}

static void
end_with(struct cycle_runner *t, int status)
{
	t->ending = true;
	t->status = status;
	stop_if_done(t);
}

/* --- the cycle */

/* The files of the cycle are there, and the next run may be able to read them. */
static bool
is_unread(const struct supervise_view *v, const struct fail *f)
{
	return v->state == SUPERVISE_INTERRUPTED && f->text[0];
}

/* A command that could not be executed was no cycle: the same incarnation may begin one. */
static int
status_of(const struct cycle_runner *t, const struct supervise_view *v, const struct fail *f)
{
	if (v->state == SUPERVISE_ENDED && v->outcome.error)
		report_text(t, EXIT_TROUBLE, "%s: %s", t->spec->cycle[0], strerror(v->outcome.error));
	else if (is_unread(v, f))
		report_text(t, EXIT_TROUBLE, "%s: how the cycle ended cannot be read: %s", t->spec->peer, f->text);
	else if (v->state == SUPERVISE_INTERRUPTED)
		report_text(t, EXIT_TROUBLE, "%s: the shim of the cycle was killed: how the cycle ended is not known",
		    t->spec->peer);
	else if (v->state != SUPERVISE_ENDED)
		report_fail(t, f);
	return v->state == SUPERVISE_ENDED ? outcome_status(&v->outcome) : CYCLE_RUNNER_FAILED;
}

static void
cycle_ended(const struct supervise_view *v, const struct fail *f, void *cookie)
{
	struct cycle_runner *t = cookie;
	const int status = status_of(t, v, f);
	struct fail failure;

	/* the record first: a kill in between leaves a directory that the next run removes */
	if (v->state == SUPERVISE_ENDED && !v->outcome.error &&
	    (readiness_read(t->spec->place, &t->now, &failure) < 0 ||
	    readiness_end(t->spec->place, t->spec->self, &t->now, &failure) < 0))
		report_fail(t, &failure);
	else if (!is_unread(v, f) && work_cycle_remove(t->spec->place->state_dir, &failure) < 0)
		report_fail(t, &failure);
	end_with(t, status);
}

/* The record comes first: what cannot be recorded is not begun. */
static void
cycle_begin(struct cycle_runner *t, enum readiness_verdict v)
{
	const struct readiness *place = t->spec->place;
	struct fail f;

	if (readiness_begin(place, t->spec->self, v, &t->now, &f) < 0) {
		report_fail(t, &f);
		end_with(t, CYCLE_RUNNER_FAILED);
		return;
	}
	t->spec->verdict(v, t->spec->cookie);
	set_environment(v, t);
	t->cycle = work_cycle_start(t->loop, place->state_dir, t->spec->cycle, cycle_ended, t, &f);
	if (!t->cycle) {
		report_fail(t, &f);
		end_with(t, CYCLE_RUNNER_FAILED);
		return;
	}
	verdict_commands_run(t->commands, v);
}

/* The cycle of a run of the same agent incarnation that was killed. */
static void
adopt_cycle(struct cycle_runner *t)
{
	report_text(t, EXIT_OK, "%s: adopting the cycle of this agent incarnation, %s", t->spec->peer, t->spec->self->id);
	t->spec->verdict(t->now.cycle.verdict, t->spec->cookie);
	t->cycle = work_cycle_adopt(t->loop, t->spec->place->state_dir, cycle_ended, t);
}

static void
peer_restarted(struct cycle_runner *t)
{
	struct fail f;

	report_text(t, EXIT_OK, "%s: %s: incarnation %s after %s; the cycle goes on", t->spec->peer,
	    verdict_name(VERDICT_PEER_RESTART), t->now.announced.peer,
	    *t->now.cycle.peer ? t->now.cycle.peer : "one unknown");
	if (readiness_adopt(t->spec->place, t->spec->self, &t->now, &f) < 0)
		report_fail(t, &f);
	verdict_commands_run(t->commands, VERDICT_PEER_RESTART);
}

static void
on_verdict(enum readiness_verdict v, struct readiness_now *now, const struct fail *f, void *cookie)
{
	struct cycle_runner *t = cookie;

	t->now = *now;
	if (v == VERDICT_NONE) {
		report_fail(t, f);
		if (!t->cycle && !t->ending)
			end_with(t, CYCLE_RUNNER_FAILED);
	} else if (t->ending) {
		return;
	} else if (t->cycle) {
		if (v == VERDICT_PEER_RESTART)
			peer_restarted(t);
	} else if (v == VERDICT_PEER_OFFLINE) {
		t->spec->verdict(v, t->spec->cookie);
		verdict_commands_run(t->commands, v);
	} else {
		/* one that was begun for another incarnation of the peer, and has no end */
		cycle_begin(t, v == VERDICT_PEER_RESTART ? VERDICT_COLD_START : v);
	}
	*now = t->now;
}

/* --- signals: passed on to the cycle; before there is one they end the run */

struct forward {
	struct cycle_runner *runner;
	int signo;
	bool ends;		/* it ends the run where there is no cycle */
};

static void
on_signal(void *cookie)
{
	const struct forward *s = cookie;
	struct cycle_runner *t = s->runner;

	if (t->cycle && !t->ending) {
		work_cycle_signal(t->cycle, s->signo);
		return;
	}
	if (!s->ends)
		return;
	if (!t->ending) {
		t->ending = true;
		t->status = 128 + s->signo;
	}
	verdict_commands_end(t->commands);
	stop_if_done(t);
}

static void
run_loop(struct cycle_runner *t, bool adopts)
{
	const struct handshake_spec spec = {
		.place = t->spec->place, .self = t->spec->self, .grace_ms = t->spec->grace_ms,
		.poll_ms = t->spec->poll_ms, .connected = t->spec->connected, .report = t->spec->report,
	};
	const struct verdict_commands_spec commands = { .argv = (char *const *const *)t->spec->on,
	    .prepare = set_environment, .idle = stop_if_done, .cookie = t,
	    .report = t->spec->report, .report_cookie = t->spec->cookie };
	struct forward forwards[] = {
		{ t, SIGHUP, true }, { t, SIGINT, true }, { t, SIGQUIT, true }, { t, SIGTERM, true },
		{ t, SIGUSR1, false }, { t, SIGUSR2, false },
	};
	struct sigaction sa;

	t->loop = loop_new();
	for (size_t i = 0; i < sizeof forwards / sizeof *forwards; i++)
		if (sigaction(forwards[i].signo, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			loop_signal(t->loop, forwards[i].signo, on_signal, &forwards[i]);
	t->commands = verdict_commands_new(t->loop, &commands);
	if (adopts)
		adopt_cycle(t);
	t->handshake = handshake_start(t->loop, &spec, on_verdict, t);
	loop_run(t->loop);
	handshake_free(t->handshake);
	work_cycle_release(t->cycle);
	verdict_commands_free(t->commands);
	loop_free(t->loop);
}

/* Is the cycle of this agent incarnation there, to be adopted?  Another one is ended. */
static int
find_cycle(struct cycle_runner *t, bool *adopts, struct fail *f)
{
	const struct readiness *place = t->spec->place;
	const struct readiness_note *c = &t->now.cycle;
	enum supervise_state state;
	int r = readiness_read(place, &t->now, f);

	if (r == 0)
		r = work_cycle_examine(place->state_dir, &state, f);
	if (r < 0)
		return r;
	if (c->is_there && strcmp(c->agent, t->spec->self->id) == 0) {
		if (c->ended)
			return fail_set(f, EXIT_BUSY, "%s: agent incarnation %s has had its cycle; where a start "
			    "of the agent is not to be told by INVOCATION_ID or the process that runs this, "
			    "name it with --incarnation", t->spec->peer, t->spec->self->id);
		*adopts = state == SUPERVISE_RUNNING || state == SUPERVISE_ENDED;
		if (*adopts)
			return 0;
	}
	if (state == SUPERVISE_RUNNING || (state == SUPERVISE_INTERRUPTED && c->is_there))
		report_text(t, EXIT_OK, "%s: ending what is left of the cycle of agent incarnation %s", t->spec->peer,
		    c->is_there ? c->agent : "?");
	return work_cycle_clear(place->state_dir, f);
}

int
cycle_runner_run(const struct cycle_runner_spec *spec)
{
	const struct run_lock_spec lock = { .path = spec->place->lock, .mode = spec->place->mode,
	    .peer = spec->peer, .agent = spec->self->id, .report = spec->report, .cookie = spec->cookie };
	struct cycle_runner t = { .spec = spec, .status = CYCLE_RUNNER_FAILED };
	bool adopts = false;
	struct fail f;

	t.lock_fd = run_lock_acquire(&lock, &f);
	if (t.lock_fd < 0 || find_cycle(&t, &adopts, &f) < 0)
		report_fail(&t, &f);
	else
		run_loop(&t, adopts);
	io_closep(&t.lock_fd);
	return t.status;
}
