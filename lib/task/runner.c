#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hlc.h"
#include "base/http_response.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "task/pump.h"
#include "task/runner.h"

enum {
	ANSWER_MS = 5000, OUTPUT_WAIT_S = 20, OUTPUT_MS = 25000, FIRST_ANSWER_MS = 15000, FRAME_HEAD_MAX = 96,
};

enum runner_phase {
	RUNNER_COUPLE, RUNNER_SUBMIT, RUNNER_ADOPT, RUNNER_FOLLOW, RUNNER_LOOKUP, RUNNER_HISTORY, RUNNER_RELEASE,
};

struct runner {
	const struct runner_spec *spec;
	struct loop *loop;
	struct task_link link;
	struct hlc clock;
	enum runner_phase phase;
	int64_t task;			/* 0 until the agent's clock is known */
	int64_t session, adopted_session;
	bool submitted, ever_coupled, over;
	int64_t at[2];			/* offsets of the next bytes of both streams */
	struct pump pumps[2];
	struct client_request *control, *beat, *output;
	struct loop_timer beat_timer, control_timer, output_timer, done_timer;
	unsigned int control_tries, output_tries;
	int pending_signal, signals;	/* to be sent to the task; how many came */
	struct client_request *kill;
	bool detaching;
	int64_t begun_ms, suspect_ms;
	int status;			/* the task's, when it is known */
	struct fail *fail;
};

static void control_next(void *cookie);
static void output_next(void *cookie);
static void beat_next(void *cookie);

/* --- reports and the end */

static struct json
event_of(const char *name)
{
	struct json v = json_object();

	json_set_text(&v, "event", name);
	return v;
}

static void
report_link(struct runner *r, const char *text)
{
	_cleanup_json_ struct json v = event_of("link");

	json_set_text(&v, "state", link_state_name(r->link.state));
	json_set_text(&v, "target", r->spec->name);
	r->spec->report(v, text, r->spec->cookie);
}

static void
report_submitting(struct runner *r)
{
	_cleanup_json_ struct json v = event_of("submitting");
	_cleanup_free_ char *text = xasprintf("task %jd: submitting", (intmax_t)r->task);

	json_set(&v, "task", json_number((double)r->task));
	r->spec->step(v, text, r->spec->cookie);
}

static void
runner_finish(struct runner *r, int status)
{
	r->over = true;
	r->status = status;
	loop_stop(r->loop, status);
}

static void
runner_fail(struct runner *r, const struct client_answer *a)
{
	client_explain(a, r->spec->name, r->fail);
	runner_finish(r, RUNNER_FAILED);
}

/* --- heartbeats */

static void
arm_beat(struct runner *r)
{
	int64_t next = link_next(&r->link), now = clock_boot_ms();

	if (next != INT64_MAX)
		loop_timer_set(r->loop, &r->beat_timer, next > now ? next - now : 0);
}

static void
report_lost(struct runner *r)
{
	_cleanup_json_ struct json v = event_of("link");
	_cleanup_free_ char *text = xasprintf("lost; no process of task %jd can be alive any more, what it did is not known",
	    (intmax_t)r->task);

	json_set_text(&v, "state", "lost");
	json_set_text(&v, "target", r->spec->name);
	json_set(&v, "task", json_number((double)r->task));
	json_set(&v, "safe_after", json_number((double)clock_wall_ms()));
	r->spec->report(v, text, r->spec->cookie);
	runner_finish(r, RUNNER_UNKNOWN);
}

/* The state was BEFORE: tell each change once. */
static void
note_link(struct runner *r, enum link_state before)
{
	_cleanup_free_ char *text = NULL;

	if (r->link.state == before)
		return;
	if (r->link.state == LINK_SUSPECT) {
		r->suspect_ms = clock_boot_ms();
		report_link(r, "no answer to two heartbeats; the task goes on, waiting for the connection");
	} else if (r->link.state == LINK_COUPLED && before == LINK_SUSPECT) {
		text = xasprintf("reconnected after %jd s", (intmax_t)((clock_boot_ms() - r->suspect_ms + 999) / 1000));
		report_link(r, text);
		/* what waits on the old connection may wait for long */
		client_cancel(r->output);
		r->output = NULL;
		r->output_tries = r->control_tries = 0;
		if (r->phase == RUNNER_FOLLOW)
			loop_timer_set(r->loop, &r->output_timer, 0);
		if (!r->control)
			loop_timer_set(r->loop, &r->control_timer, 0);
	} else if (r->link.state == LINK_LOST) {
		report_lost(r);
	}
}

/* The agent does not know the session: its lease has expired there, or its store is another one. */
static void
couple_again(struct runner *r)
{
	r->session = hlc_next(&r->clock, clock_wall_ms());
	r->link.state = LINK_NEW;
	if (r->control || r->phase > RUNNER_FOLLOW)
		return;
	r->phase = RUNNER_COUPLE;
	loop_timer_set(r->loop, &r->control_timer, 0);
}

static void
beat_answered(const struct client_answer *a, void *cookie)
{
	struct runner *r = cookie;
	_cleanup_json_ struct json n = json_get(a->v, "n"), now = json_get(a->v, "now");
	const enum link_state before = r->link.state;
	int64_t number, seen;

	r->beat = NULL;
	if (!a->f && a->status == 200 && json_get_whole(n, &number) && json_get_whole(now, &seen)) {
		link_answer(&r->link, number, seen, clock_boot_ms());
	} else if (!a->f && a->status == 404) {
		couple_again(r);
	} else if (!a->f && a->status == 409) {
		fail_set(r->fail, EXIT_BUSY, "%s: another controller has taken over the session", r->spec->name);
		runner_finish(r, RUNNER_FAILED);
	} else {
		link_fail(&r->link, clock_boot_ms());
	}
	note_link(r, before);
	arm_beat(r);
}

static void
beat_send(struct runner *r)
{
	_cleanup_json_ struct json v = json_object();

	json_set(&v, "id", json_number((double)hlc_next(&r->clock, clock_wall_ms())));
	json_set(&v, "session", json_number((double)r->session));
	json_set(&v, "n", json_number((double)r->link.n));
	json_set(&v, "seen", json_number((double)r->link.seen));
	client_cancel(r->beat);
	r->beat = client_post(r->spec->client, "/1/beat", v, r->link.timing.answer_ms, beat_answered, r);
}

static void
beat_next(void *cookie)
{
	struct runner *r = cookie;
	const enum link_state before = r->link.state;

	if (link_step(&r->link, clock_boot_ms()))
		beat_send(r);
	note_link(r, before);
	if (!r->over)
		arm_beat(r);
}

/* --- output */

static void
report_dropped(struct runner *r, int i, int64_t first)
{
	_cleanup_json_ struct json v = event_of("dropped");
	const char *const stream = i ? "err" : "out";
	_cleanup_free_ char *text = xasprintf("bytes %jd to %jd of its standard %s are no longer there",
	    (intmax_t)r->at[i], (intmax_t)first, i ? "error" : "output");

	json_set_text(&v, "stream", stream);
	json_set(&v, "from", json_number((double)r->at[i]));
	json_set(&v, "to", json_number((double)first));
	r->spec->report(v, text, r->spec->cookie);
	r->at[i] = first;
}

/* Frames: "out OFFSET LENGTH\n" BYTES.  False where B is none; each byte is taken once. */
static bool
take_frames(struct runner *r, const struct buf *b)
{
	const char *p = b->s, *end = b->s + b->len;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		long long offset, length;
		char name[4], head[FRAME_HEAD_MAX];
		int i;

		if (!nl || nl - p >= FRAME_HEAD_MAX)
			return false;
		memcpy(head, p, (size_t)(nl - p));
		head[nl - p] = '\0';
		if (sscanf(head, "%3s %lld %lld", name, &offset, &length) != 3 || length < 0 || length > end - nl - 1)
			return false;
		i = strcmp(name, "err") == 0;
		if (offset != r->at[i])
			return false;
		pump_write(&r->pumps[i], nl + 1, (size_t)length);
		r->at[i] += length;
		p = nl + 1 + length;
	}
	return true;
}

static void
take_gap(struct runner *r, struct json v)
{
	_cleanup_json_ struct json first = json_get(v, "first");
	const char *stream = json_get_text(v, "stream");
	int i = stream && strcmp(stream, "err") == 0;
	int64_t n;

	if (json_get_whole(first, &n) && n > r->at[i])
		report_dropped(r, i, n);
}

static void
pumps_empty(void *cookie)
{
	struct runner *r = cookie;

	if (!pump_is_empty(&r->pumps[0]) || !pump_is_empty(&r->pumps[1]))
		return;
	if (r->phase == RUNNER_FOLLOW)
		loop_timer_set(r->loop, &r->output_timer, 0);
}

static void
output_again(struct runner *r)
{
	loop_timer_set(r->loop, &r->output_timer, link_resend_ms(r->output_tries++));
}

static void
output_answered(const struct client_answer *a, void *cookie)
{
	struct runner *r = cookie;

	r->output = NULL;
	if (a->f || (a->status != 200 && a->status != 416 && a->status != 404)) {
		output_again(r);
		return;
	}
	r->output_tries = 0;
	if (a->status == 404) {
		_cleanup_json_ struct json v = event_of("end");

		r->spec->report(v, "the agent does not know the task any more", r->spec->cookie);
		runner_finish(r, RUNNER_UNKNOWN);
	} else if (a->status == 416) {
		take_gap(r, a->v);
		loop_timer_set(r->loop, &r->output_timer, 0);
	} else if (http_response_header(a->r, "Rejoin-End")) {
		r->phase = RUNNER_LOOKUP;
		loop_timer_set(r->loop, &r->control_timer, 0);
	} else if (!take_frames(r, &a->r->body)) {
		output_again(r);
	} else if (a->r->body.len == 0) {
		loop_timer_set(r->loop, &r->output_timer, 0);
	}
}

static void
output_next(void *cookie)
{
	struct runner *r = cookie;
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/output?out=%jd&err=%jd&wait=%d", (intmax_t)r->task,
	    (intmax_t)r->at[0], (intmax_t)r->at[1], OUTPUT_WAIT_S);

	if (r->phase != RUNNER_FOLLOW || r->output || !pump_is_empty(&r->pumps[0]) || !pump_is_empty(&r->pumps[1]))
		return;
	r->output = client_get(r->spec->client, path, OUTPUT_MS, output_answered, r);
}

/* --- the end of the task */

static void
report_end(struct runner *r, struct json task, const char *state)
{
	_cleanup_json_ struct json v = event_of("end"), status = json_get(task, "status");
	const char *why = json_get_text(status, "why"), *reason = json_get_text(task, "reason");
	const char *error = json_get_text(status, "error");
	_cleanup_free_ char *text = NULL;

	json_set(&v, "task", json_number((double)r->task));
	json_set_text(&v, "state", state);
	json_set(&v, "exit", json_number(r->status));
	if (json_is_object(status))
		json_set(&v, "status", json_copy(status));
	if (reason)
		text = xasprintf("task %jd: %s: %s", (intmax_t)r->task, state, reason);
	else if (error)
		text = xasprintf("task %jd: could not be executed: %s", (intmax_t)r->task, error);
	else if (why)
		text = xasprintf("task %jd: was ended (%s)", (intmax_t)r->task, why);
	else if (strcmp(state, "unknown") == 0)
		text = xasprintf("task %jd: how it ended is not known", (intmax_t)r->task);
	if (text) {
		r->spec->report(v, text, r->spec->cookie);
		return;
	}
	text = xasprintf("task %jd: %s", (intmax_t)r->task, state);
	r->spec->step(v, text, r->spec->cookie);
}

static int
exit_of(struct json task, const char *state)
{
	_cleanup_json_ struct json status = json_get(task, "status"), e = json_get(status, "exit");
	_cleanup_json_ struct json s = json_get(status, "signal");
	int64_t n;

	if (json_get_whole(e, &n))
		return (int)n;
	if (json_get_whole(s, &n))
		return 128 + (int)n;
	return strcmp(state, "unknown") == 0 ? RUNNER_UNKNOWN : RUNNER_FAILED;
}

static void
looked_up(struct runner *r, struct json task)
{
	const char *state = json_get_text(task, "state");

	if (!state)
		state = "unknown";
	r->status = exit_of(task, state);
	report_end(r, task, state);
	r->phase = RUNNER_HISTORY;
}

/* --- one control request at a time, by the phase */

static void
coupled(struct runner *r, struct json v)
{
	_cleanup_json_ struct json now = json_get(v, "now"), store = json_get(v, "store"), last = json_get(v, "history");
	int64_t seen = 0, id;

	json_get_whole(now, &seen);
	if (json_get_whole(store, &id))
		hlc_see(&r->clock, id);
	if (json_get_whole(last, &id))
		hlc_see(&r->clock, id);
	/* an id that is later than the agent's store, which may have been made a moment ago */
	if (r->task == 0)
		r->task = hlc_next(&r->clock, clock_wall_ms());
	link_couple(&r->link, seen, clock_boot_ms());
	r->link.n = 0;
	r->ever_coupled = true;
	arm_beat(r);
	controller_keep_session(r->spec->controller, r->task, r->session);
	if (!r->submitted && json_is_object(r->spec->request))
		r->phase = RUNNER_SUBMIT;
	else
		r->phase = r->adopted_session != r->session && !r->link.timing.leave ? RUNNER_ADOPT : RUNNER_FOLLOW;
}

static void
submitted(struct runner *r, struct json task)
{
	_cleanup_json_ struct json session = json_get(task, "session");
	int64_t id;

	r->submitted = true;
	r->adopted_session = json_get_whole(session, &id) ? id : r->session;
	if (r->spec->detach) {
		runner_finish(r, EXIT_OK);
		return;
	}
	r->phase = r->adopted_session != r->session && !r->link.timing.leave ? RUNNER_ADOPT : RUNNER_FOLLOW;
}

static void
history_merged(struct runner *r, const struct client_answer *a)
{
	struct fail f;

	/* what could not be written here stays there: nothing is released then */
	if (controller_adopt(r->spec->controller, a->r->body.s, a->r->body.len, &f) < 0) {
		_cleanup_json_ struct json v = event_of("history");

		r->spec->report(v, f.text, r->spec->cookie);
		runner_finish(r, r->status);
		return;
	}
	r->phase = RUNNER_RELEASE;
	if (r->spec->keep)
		runner_finish(r, r->status);
}

/* An error of the agent that will be no other if it is asked again. */
static bool
is_final(const struct client_answer *a)
{
	return !a->f && a->status >= 400 && a->status < 500 && a->status != 408 && a->status != 429;
}

/* 404 in a phase that needs the session, or 409 of an adoption. */
static void
control_refused(struct runner *r, const struct client_answer *a)
{
	const char *word = json_get_text(a->v, "error");

	if (word && strcmp(word, "no-session") == 0 && r->phase <= RUNNER_ADOPT) {
		r->session = hlc_next(&r->clock, clock_wall_ms());
		r->phase = RUNNER_COUPLE;
		loop_timer_set(r->loop, &r->control_timer, 0);
	} else if (r->phase == RUNNER_HISTORY || r->phase == RUNNER_RELEASE) {
		runner_finish(r, r->status);
	} else {
		runner_fail(r, a);
	}
}

static void
control_succeeded(struct runner *r, const struct client_answer *a)
{
	switch (r->phase) {
	case RUNNER_COUPLE:
		coupled(r, a->v);
		break;
	case RUNNER_SUBMIT:
		submitted(r, a->v);
		break;
	case RUNNER_ADOPT:
		r->adopted_session = r->session;
		r->phase = RUNNER_FOLLOW;
		break;
	case RUNNER_LOOKUP:
		looked_up(r, a->v);
		break;
	case RUNNER_HISTORY:
		history_merged(r, a);
		break;
	case RUNNER_RELEASE:
		controller_forget_task(r->spec->controller, r->task);
		runner_finish(r, r->status);
		break;
	case RUNNER_FOLLOW:
		break;
	}
	if (r->over)
		return;
	loop_timer_set(r->loop, r->phase == RUNNER_FOLLOW ? &r->output_timer : &r->control_timer, 0);
}

/*
 * The first request tells whether there is an agent at all.  One that is about
 * to be started is waited for; and if the task is known to be there, it is
 * waited for as long as that may be alive.
 */
static bool
may_give_up(const struct runner *r, const struct client_answer *a)
{
	const int64_t waited = clock_boot_ms() - r->begun_ms;

	if (r->adopted_session)
		return waited > r->link.timing.lease_ms + r->link.timing.grace_ms;
	return (a->f && (a->f->status == EXIT_ABSENT || a->f->status == EXIT_DENIED)) ||
	    waited > FIRST_ANSWER_MS;
}

static void
control_answered(const struct client_answer *a, void *cookie)
{
	struct runner *r = cookie;

	r->control = NULL;
	if (!a->f && a->status >= 200 && a->status < 300) {
		r->control_tries = 0;
		control_succeeded(r, a);
	} else if (is_final(a)) {
		control_refused(r, a);
	} else if (!r->ever_coupled && may_give_up(r, a)) {
		runner_fail(r, a);
	} else if (r->phase == RUNNER_SUBMIT && !a->f) {
		runner_fail(r, a);	/* 429, 507: it says that it did not record it */
	} else {
		loop_timer_set(r->loop, &r->control_timer, link_resend_ms(r->control_tries++));
	}
}

static struct json
session_body(struct runner *r)
{
	struct json v = json_object();

	json_set(&v, "id", json_number((double)r->session));
	json_set_text(&v, "controller", r->spec->label);
	json_set(&v, "run", json_number((double)controller_run(r->spec->controller)));
	json_set(&v, "period_ms", json_number((double)r->link.timing.period_ms));
	json_set(&v, "lease_ms", json_number((double)r->link.timing.lease_ms));
	json_set_text(&v, "on_loss", r->link.timing.leave ? "leave" : "kill");
	return v;
}

/* The body of the phase's POST, and its path. */
static struct json
phase_body(struct runner *r, char **path)
{
	struct json v = json_object();

	switch (r->phase) {
	case RUNNER_COUPLE:
		*path = xstrdup("/1/session");
		json_release(&v);
		return session_body(r);
	case RUNNER_SUBMIT:
		*path = xstrdup("/1/tasks");
		report_submitting(r);
		json_release(&v);
		v = json_copy(r->spec->request);
		json_set(&v, "id", json_number((double)r->task));
		json_set(&v, "session", json_number((double)r->session));
		json_set_text(&v, "on_loss", r->link.timing.leave ? "leave" : "kill");
		return v;
	case RUNNER_ADOPT:
		*path = xasprintf("/1/tasks/%jd/adopt", (intmax_t)r->task);
		json_set(&v, "session", json_number((double)r->session));
		break;
	default: {
		struct json tasks = json_array();

		*path = xstrdup("/1/release");
		json_append(&tasks, json_number((double)r->task));
		json_set(&v, "history", json_number((double)controller_adopted(r->spec->controller)));
		json_set(&v, "tasks", tasks);
	}
	}
	json_set(&v, "id", json_number((double)hlc_next(&r->clock, clock_wall_ms())));
	return v;
}

static void
control_next(void *cookie)
{
	struct runner *r = cookie;
	_cleanup_free_ char *path = NULL;
	_cleanup_json_ struct json v = JSON_ABSENT;

	if (r->control || r->phase == RUNNER_FOLLOW || r->over)
		return;
	if (r->phase == RUNNER_LOOKUP || r->phase == RUNNER_HISTORY) {
		path = r->phase == RUNNER_LOOKUP ? xasprintf("/1/tasks/%jd", (intmax_t)r->task) :
		    xasprintf("/1/history?after=%jd", (intmax_t)controller_adopted(r->spec->controller));
		r->control = client_get(r->spec->client, path, ANSWER_MS, control_answered, r);
		return;
	}
	v = phase_body(r, &path);
	r->control = client_post(r->spec->client, path, v, r->ever_coupled ? ANSWER_MS : 3 * ANSWER_MS,
	    control_answered, r);
}

/* --- signals */

static void signal_send(struct runner *r);

static void
signal_answered(const struct client_answer *a, void *cookie)
{
	struct runner *r = cookie;

	r->kill = NULL;
	if (r->detaching && !a->f && a->status == 200) {
		_cleanup_json_ struct json v = event_of("detached");
		_cleanup_free_ char *text = xasprintf("task %jd goes on; \"rejoin-task attach %jd\" comes back to it",
		    (intmax_t)r->task, (intmax_t)r->task);

		r->spec->report(v, text, r->spec->cookie);
		runner_finish(r, EXIT_OK);
	} else if (a->f && r->link.state != LINK_LOST) {
		signal_send(r);
	}
}

static void
signal_send(struct runner *r)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/%s", (intmax_t)r->task, r->detaching ? "policy" : "kill");

	if (!r->submitted && json_is_object(r->spec->request)) {
		runner_finish(r, 128 + r->pending_signal);	/* nothing runs yet, or it is adopted by its id */
		return;
	}
	json_set(&v, "id", json_number((double)hlc_next(&r->clock, clock_wall_ms())));
	if (r->detaching)
		json_set_text(&v, "on_loss", "leave");
	else
		json_set(&v, "signal", json_number(r->pending_signal));
	if (!r->detaching && r->signals > 2)
		json_set(&v, "grace_ms", json_number(0));
	client_cancel(r->kill);
	r->kill = client_post(r->spec->client, path, v, ANSWER_MS, signal_answered, r);
}

static void
answer_typed(int fd, short events, void *cookie)
{
	struct runner *r = cookie;
	char line[64];
	ssize_t n = io_read(fd, line, sizeof line);

	(void)events;
	loop_unwatch(r->loop, fd);
	r->detaching = n > 0 && (line[0] == 'd' || line[0] == 'D');
	if (r->detaching || (n > 0 && (line[0] == 'k' || line[0] == 'K')))
		signal_send(r);
	else
		r->signals = 0;		/* neither: it goes on */
}

static void
on_signal(struct runner *r, int signo)
{
	r->pending_signal = signo;
	if (++r->signals == 1 && signo == SIGINT && r->spec->is_terminal && r->submitted) {
		_cleanup_json_ struct json v = event_of("question");

		r->spec->report(v, "detach or kill the task? [d/k, again Ctrl-C: kill]", r->spec->cookie);
		loop_watch(r->loop, STDIN_FILENO, POLLIN, answer_typed, r);
		return;
	}
	if (r->spec->is_terminal && r->signals > 1)
		loop_unwatch(r->loop, STDIN_FILENO);
	r->detaching = false;
	signal_send(r);
}

static void
on_int(void *cookie)
{
	on_signal(cookie, SIGINT);
}

static void
on_term(void *cookie)
{
	on_signal(cookie, SIGTERM);
}

/* --- all of it */

static void
runner_release(struct runner *r)
{
	client_cancel(r->control);
	client_cancel(r->beat);
	client_cancel(r->output);
	client_cancel(r->kill);
	loop_timer_stop(r->loop, &r->beat_timer);
	loop_timer_stop(r->loop, &r->control_timer);
	loop_timer_stop(r->loop, &r->output_timer);
	for (int i = 0; i < 2; i++)
		pump_release(&r->pumps[i]);
}

int
runner_run(const struct runner_spec *spec, int64_t *task, struct fail *f)
{
	struct runner r = { .spec = spec, .loop = spec->loop, .fail = f, .phase = RUNNER_COUPLE,
	    .begun_ms = clock_boot_ms() };

	r.beat_timer = (struct loop_timer){ .fn = beat_next, .cookie = &r };
	r.control_timer = (struct loop_timer){ .fn = control_next, .cookie = &r };
	r.output_timer = (struct loop_timer){ .fn = output_next, .cookie = &r };
	for (int i = 0; i < 2; i++)
		pump_init(&r.pumps[i], r.loop, i + 1, pumps_empty, &r);
	hlc_see(&r.clock, spec->task);
	if (link_init(&r.link, &spec->timing) < 0) {
		fail_set(f, EXIT_USAGE, "twice the period is more than the lease");
		return RUNNER_FAILED;
	}
	/* the session that a killed controller had with this task, if its lease is valid */
	r.task = spec->task;
	r.session = r.task ? controller_session(spec->controller, r.task) : 0;
	r.adopted_session = r.session;
	if (r.session == 0)
		r.session = hlc_next(&r.clock, clock_wall_ms());
	loop_signal(r.loop, SIGINT, on_int, &r);
	loop_signal(r.loop, SIGTERM, on_term, &r);
	loop_signal(r.loop, SIGHUP, on_term, &r);
	loop_timer_set(r.loop, &r.control_timer, 0);
	loop_run(r.loop);
	runner_release(&r);
	if (task)
		*task = r.task;
	return r.status;
}
