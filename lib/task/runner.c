#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http_response.h"
#include "base/xalloc.h"
#include "task/archive.h"
#include "task/backlog.h"
#include "task/frames.h"
#include "task/interrupt.h"
#include "task/pump.h"
#include "task/runner.h"
#include "task/taskrequest.h"

enum { ANSWER_MS = 5000, OUTPUT_WAIT_S = 20, OUTPUT_MS = 25000, CLAIMS_MAX = 20 };

/* What is asked of the agent next, beside the output. */
enum runner_phase {
	RUNNER_WAIT,		/* for a session */
	RUNNER_SUBMIT, RUNNER_ADOPT, RUNNER_FOLLOW, RUNNER_LOOKUP, RUNNER_HISTORY, RUNNER_RELEASE,
};

struct runner {
	const struct runner_spec *spec;
	struct loop *loop;
	struct coupling *coupling;
	struct interrupt *interrupt;
	enum runner_phase phase;
	int64_t task;			/* 0 until the agent's clock is known */
	char nonce[TASKREQUEST_NONCE];	/* of a new task; else empty */
	int claims, sent;		/* how many ids it had; how often it was submitted with this one */
	int held_signal;		/* it came while the task was being submitted; 0: none */
	int64_t held_by;		/* the session that has the task's lease; 0: not known */
	bool submitted, over;
	bool ended;			/* the task has, as of its submission */
	bool unkept;			/* the session is not recorded here, and that was said */
	int write_error;		/* errno of standard output or error, once it has been noted; else 0 */
	int64_t at[2];			/* offsets of the next bytes of both streams */
	struct pump pumps[2];
	struct backlog backlog;
	struct client_request *control, *output, *size;
	struct loop_timer control_timer, output_timer;
	unsigned int control_tries, output_tries;
	int status;			/* the task's, when it is known */
	struct fail *fail;
};

static void
runner_finish(struct runner *r, int status)
{
	if (r->write_error != 0 && r->write_error != EPIPE)
		status = TASKEVENT_FAILED;
	r->over = true;
	r->status = status;
	loop_stop(r->loop, status);
}

static void
runner_fail(struct runner *r, const struct fail *f)
{
	*r->fail = *f;
	runner_finish(r, TASKEVENT_FAILED);
}

/* --- output */

static void
report_dropped(struct runner *r, int i, int64_t first)
{
	struct json v = taskevent_new("dropped");

	json_set(&v, "task", json_number((double)r->task));
	json_set_text(&v, "stream", i ? "err" : "out");
	json_set(&v, "from", json_number((double)r->at[i]));
	json_set(&v, "to", json_number((double)first));
	taskevent_report(&r->spec->events, v, "bytes %jd to %jd of its standard %s are no longer there",
	    (intmax_t)r->at[i], (intmax_t)first, i ? "error" : "output");
	r->at[i] = first;
}

/* Each byte is written once.  False where the answer is none. */
static bool
write_frames(struct runner *r, const struct buf *b)
{
	const char *p = b->s;
	struct task_frame f;
	int n;

	while ((n = frames_next(&p, b->s + b->len, false, &f)) > 0) {
		const int i = f.kind == FRAMES_ERR;

		if (f.offset != r->at[i])
			return false;
		pump_write(&r->pumps[i], f.bytes, (size_t)f.length);
		r->at[i] += f.length;
		backlog_add(&r->backlog, f.length, &r->spec->events, clock_boot_ms());
	}
	return n == 0;
}

static void
skip_gap(struct runner *r, struct json v)
{
	_cleanup_json_ struct json first = json_get(v, "first"), end = json_get(v, "end");
	const char *stream = json_get_text(v, "stream");
	int i = stream && strcmp(stream, "err") == 0;
	int64_t n;

	if (json_get_whole(first, &n) && n > r->at[i])
		report_dropped(r, i, n);
	/* the agent's machine lost power, and with it the end of what we have */
	else if (json_get_whole(end, &n) && n >= 0 && n < r->at[i])
		r->at[i] = n;
}

static bool
pumps_are_empty(const struct runner *r)
{
	return pump_is_empty(&r->pumps[0]) && pump_is_empty(&r->pumps[1]);
}

/*
 * A command whose output is read no more is ended by SIGPIPE.  What could not be
 * written for another reason stays at the agent, and is no success.
 */
static void
note_write_error(struct runner *r)
{
	const int error = r->pumps[0].error ? r->pumps[0].error : r->pumps[1].error;

	if (error == 0 || r->write_error != 0)
		return;
	r->write_error = error;
	if (error == EPIPE)
		interrupt_send(r->interrupt, SIGPIPE);
	else
		taskevent_report(&r->spec->events, taskevent_new("output"),
		    "its output cannot be written: %s; it stays at the agent: rejoin-task log %jd", strerror(error),
		    (intmax_t)r->task);
}

static void
output_written(void *cookie)
{
	struct runner *r = cookie;

	note_write_error(r);
	if (pumps_are_empty(r) && r->phase == RUNNER_FOLLOW)
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
		taskevent_report(&r->spec->events, taskevent_new("end"), "the agent does not know the task any more");
		runner_finish(r, TASKEVENT_UNKNOWN);
	} else if (a->status == 416) {
		skip_gap(r, a->v);
		loop_timer_set(r->loop, &r->output_timer, 0);
	} else if (http_response_header(a->r, "Rejoin-End")) {
		r->phase = RUNNER_LOOKUP;
		loop_timer_set(r->loop, &r->control_timer, 0);
	} else if (!write_frames(r, &a->r->body)) {
		output_again(r);
	} else if (pumps_are_empty(r)) {	/* nothing came, or it cannot be written */
		loop_timer_set(r->loop, &r->output_timer, 0);
	}
}

static void
output_next(void *cookie)
{
	struct runner *r = cookie;
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/output?out=%jd&err=%jd&wait=%d", (intmax_t)r->task,
	    (intmax_t)r->at[0], (intmax_t)r->at[1], OUTPUT_WAIT_S);

	if (r->phase != RUNNER_FOLLOW || r->output || !pumps_are_empty(r))
		return;
	r->output = client_get(r->spec->client, path, OUTPUT_MS, output_answered, r);
}

/* --- the session */

/* A task that runs is moved to our session; one that is over is read whatever session it had. */
static bool
needs_adoption(const struct runner *r)
{
	return r->held_by != coupling_session(r->coupling) && !r->spec->timing.leave && !r->ended;
}

/* A restarted controller takes up the session by this. */
static void
keep_session(struct runner *r)
{
	int e = controller_keep_session(r->spec->controller, r->task, coupling_session(r->coupling));

	if (e < 0 && !r->unkept)
		taskevent_report(&r->spec->events, taskevent_new("state"),
		    "the session cannot be recorded here, so no other controller could take it up: %s", strerror(-e));
	r->unkept = e < 0;
}

/* A task of ours, not one that is there. */
static bool
claim_task(struct runner *r)
{
	struct fail f;
	int64_t id = coupling_claim_id(r->coupling, &f);

	if (id < 0) {
		runner_fail(r, &f);
		return false;
	}
	r->task = id;
	r->claims++;
	r->sent = 0;
	taskrequest_nonce(r->nonce);
	return true;
}

static void
session_coupled(struct json answer, void *cookie)
{
	struct runner *r = cookie;

	(void)answer;
	if (r->task == 0 && !claim_task(r))
		return;
	keep_session(r);
	if (r->control || r->phase > RUNNER_FOLLOW)
		return;		/* what is asked now needs no session, or is refused and comes back here */
	if (!r->submitted && json_is_object(r->spec->request))
		r->phase = RUNNER_SUBMIT;
	else
		r->phase = needs_adoption(r) ? RUNNER_ADOPT : RUNNER_FOLLOW;
	loop_timer_set(r->loop, r->phase == RUNNER_FOLLOW ? &r->output_timer : &r->control_timer, 0);
}

static void
size_answered(const struct client_answer *a, void *cookie)
{
	struct runner *r = cookie;
	_cleanup_json_ struct json out = json_get(a->v, "out"), err = json_get(a->v, "err");
	int64_t bytes[2] = { 0, 0 };

	r->size = NULL;
	json_get_whole(out, &bytes[0]);
	json_get_whole(err, &bytes[1]);
	if (!a->f && a->status == 200)
		backlog_begin(&r->backlog, bytes[0] + bytes[1] - r->at[0] - r->at[1], &r->spec->events, clock_boot_ms());
}

static void
session_reconnected(void *cookie)
{
	struct runner *r = cookie;
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd", (intmax_t)r->task);

	/* what waits on the old connection may wait for long */
	client_cancel(r->output);
	r->output = NULL;
	r->output_tries = r->control_tries = 0;
	interrupt_reconnected(r->interrupt);
	if (r->phase == RUNNER_FOLLOW) {
		client_cancel(r->size);
		r->size = client_get(r->spec->client, path, ANSWER_MS, size_answered, r);
		loop_timer_set(r->loop, &r->output_timer, 0);
	}
	if (!r->control)
		loop_timer_set(r->loop, &r->control_timer, 0);
}

static void
session_lost(void *cookie)
{
	runner_finish(cookie, TASKEVENT_UNKNOWN);
}

static void
session_failed(const struct fail *f, void *cookie)
{
	runner_fail(cookie, f);
}

/* --- one control request at a time, by the phase */

static void
task_submitted(struct runner *r, struct json task)
{
	_cleanup_json_ struct json session = json_get(task, "session");
	int64_t id;

	r->submitted = true;
	r->held_by = json_get_whole(session, &id) ? id : coupling_session(r->coupling);
	r->ended = taskevent_is_over(task);
	interrupt_set_task(r->interrupt, r->task);
	if (r->held_signal != 0) {
		interrupt_send(r->interrupt, r->held_signal);
	} else if (r->spec->detach) {
		runner_finish(r, EXIT_OK);
		return;
	}
	r->phase = needs_adoption(r) ? RUNNER_ADOPT : RUNNER_FOLLOW;
}

static void
history_merged(struct runner *r, const struct client_answer *a)
{
	struct fail f;

	/* what could not be written here stays there: nothing is released then */
	if (controller_adopt(r->spec->controller, client_store(a), a->r->body.s, a->r->body.len, &f) < 0) {
		taskevent_report(&r->spec->events, taskevent_new("history"), "%s", f.text);
		runner_finish(r, r->status);
		return;
	}
	r->phase = RUNNER_RELEASE;
	if (r->spec->keep || (r->write_error != 0 && r->write_error != EPIPE))
		runner_finish(r, r->status);
}

static void
control_refused(struct runner *r, const struct client_answer *a)
{
	const char *word = json_get_text(a->v, "error");
	struct fail f;

	if (word && strcmp(word, "no-session") == 0 && r->phase <= RUNNER_ADOPT) {
		r->phase = RUNNER_WAIT;
		coupling_renew(r->coupling);
	} else if (r->phase == RUNNER_HISTORY || r->phase == RUNNER_RELEASE) {
		runner_finish(r, r->status);
	} else if (r->phase == RUNNER_SUBMIT && r->nonce[0] && r->claims < CLAIMS_MAX &&
	    taskrequest_is_id_taken(word, r->sent)) {
		controller_forget_task(r->spec->controller, r->task);
		if (r->held_signal != 0) {
			runner_finish(r, 128 + r->held_signal);
		} else if (claim_task(r)) {
			keep_session(r);
			loop_timer_set(r->loop, &r->control_timer, 0);
		}
	} else {
		if (r->phase == RUNNER_SUBMIT && taskrequest_is_void(word, r->nonce[0] != '\0'))
			controller_forget_task(r->spec->controller, r->task);
		client_explain(a, r->spec->name, &f);
		runner_fail(r, &f);
	}
}

static void
control_succeeded(struct runner *r, const struct client_answer *a)
{
	switch (r->phase) {
	case RUNNER_SUBMIT:
		task_submitted(r, a->v);
		break;
	case RUNNER_ADOPT:
		r->held_by = coupling_session(r->coupling);
		r->phase = RUNNER_FOLLOW;
		break;
	case RUNNER_LOOKUP:
		r->status = taskevent_end(&r->spec->events, r->task, a->v);
		r->phase = RUNNER_HISTORY;
		break;
	case RUNNER_HISTORY:
		history_merged(r, a);
		break;
	case RUNNER_RELEASE:
		controller_forget_task(r->spec->controller, r->task);
		runner_finish(r, r->status);
		break;
	case RUNNER_WAIT:
	case RUNNER_FOLLOW:
		break;
	}
	if (!r->over)
		loop_timer_set(r->loop, r->phase == RUNNER_FOLLOW ? &r->output_timer : &r->control_timer, 0);
}

static void
control_answered(const struct client_answer *a, void *cookie)
{
	struct runner *r = cookie;
	struct fail f;

	r->control = NULL;
	if (!a->f && a->status >= 200 && a->status < 300) {
		r->control_tries = 0;
		control_succeeded(r, a);
	} else if (coupling_is_final(a)) {
		control_refused(r, a);
	} else if (r->phase == RUNNER_SUBMIT && !a->f && a->status != 503) {
		client_explain(a, r->spec->name, &f);	/* 429, 507: it says that it did not record it */
		runner_fail(r, &f);
	} else {
		loop_timer_set(r->loop, &r->control_timer, link_resend_ms(r->control_tries++));
	}
}

/* The body of the phase's POST, and its path. */
static struct json
phase_body(struct runner *r, char **path)
{
	struct json v = r->phase == RUNNER_SUBMIT ? json_copy(r->spec->request) : json_object();
	struct json event, tasks;

	json_set(&v, "id", json_number((double)(r->phase == RUNNER_SUBMIT ? r->task : coupling_new_id(r->coupling))));
	switch (r->phase) {
	case RUNNER_SUBMIT:
		*path = xstrdup("/1/tasks");
		event = taskevent_new("submitting");
		json_set(&event, "task", json_number((double)r->task));
		taskevent_step(&r->spec->events, event, "task %jd: submitting", (intmax_t)r->task);
		if (r->nonce[0])
			json_set_text(&v, "nonce", r->nonce);
		r->sent++;
		json_set(&v, "session", json_number((double)coupling_session(r->coupling)));
		json_set_text(&v, "on_loss", r->spec->timing.leave ? "leave" : "kill");
		break;
	case RUNNER_ADOPT:
		*path = xasprintf("/1/tasks/%jd/adopt", (intmax_t)r->task);
		json_set(&v, "session", json_number((double)coupling_session(r->coupling)));
		break;
	default:
		*path = xstrdup("/1/release");
		tasks = json_array();
		json_append(&tasks, json_number((double)r->task));
		archive_describe(&v, controller_adopted(r->spec->controller));
		json_set(&v, "tasks", tasks);
	}
	return v;
}

static void
control_next(void *cookie)
{
	struct runner *r = cookie;
	_cleanup_free_ char *path = NULL;
	_cleanup_json_ struct json v = JSON_ABSENT;

	if (r->control || r->phase == RUNNER_WAIT || r->phase == RUNNER_FOLLOW || r->over)
		return;
	if (r->phase == RUNNER_LOOKUP || r->phase == RUNNER_HISTORY) {
		path = r->phase == RUNNER_LOOKUP ? xasprintf("/1/tasks/%jd", (intmax_t)r->task) :
		    archive_path(controller_adopted(r->spec->controller), 0);
		r->control = client_get(r->spec->client, path, ANSWER_MS, control_answered, r);
		return;
	}
	v = phase_body(r, &path);
	r->control = client_post(r->spec->client, path, v, ANSWER_MS, control_answered, r);
}

/* --- signals */

static void
task_detached(void *cookie)
{
	runner_finish(cookie, EXIT_OK);
}

/* The agent may have the task already, while its answer is on its way: the signal follows that. */
static void
nothing_submitted(int signo, void *cookie)
{
	struct runner *r = cookie;

	if (r->phase == RUNNER_SUBMIT && r->sent > 0 && r->held_signal == 0)
		r->held_signal = signo;
	else
		runner_finish(r, 128 + signo);
}

/* --- all of it */

static void
runner_release(struct runner *r)
{
	client_cancel(r->control);
	client_cancel(r->output);
	client_cancel(r->size);
	interrupt_free(r->interrupt);
	coupling_free(r->coupling);
	loop_timer_stop(r->loop, &r->control_timer);
	loop_timer_stop(r->loop, &r->output_timer);
	for (int i = 0; i < 2; i++)
		pump_release(&r->pumps[i]);
}

static void
start_session(struct runner *r)
{
	const struct runner_spec *spec = r->spec;
	const struct coupling_spec session = {
		.loop = spec->loop, .client = spec->client, .name = spec->name, .label = spec->label,
		.controller = spec->controller, .session = r->held_by, .above = spec->task,
		.timing = spec->timing, .events = spec->events,
		.callbacks = { session_coupled, session_reconnected, session_lost, session_failed, r },
	};
	struct interrupt_spec signals = {
		.loop = spec->loop, .client = spec->client, .events = spec->events, .is_terminal = spec->is_terminal,
		.detached = task_detached, .unsubmitted = nothing_submitted, .cookie = r,
	};

	r->coupling = coupling_new(&session, r->fail);
	if (!r->coupling)
		return;
	signals.coupling = r->coupling;
	r->interrupt = interrupt_new(&signals);
	if (!json_is_object(spec->request))
		interrupt_set_task(r->interrupt, spec->task);
}

int
runner_run(const struct runner_spec *spec, int64_t *task, struct fail *f)
{
	struct runner r = { .spec = spec, .loop = spec->loop, .fail = f, .task = spec->task,
	    .status = TASKEVENT_FAILED };

	r.control_timer = (struct loop_timer){ .fn = control_next, .cookie = &r };
	r.output_timer = (struct loop_timer){ .fn = output_next, .cookie = &r };
	for (int i = 0; i < 2; i++)
		pump_init(&r.pumps[i], r.loop, i + 1, output_written, &r);
	/* the session that a killed controller had with this task, if its lease is valid */
	r.ended = spec->ended;
	r.held_by = r.task ? controller_session(spec->controller, r.task) : 0;
	signal(SIGPIPE, SIG_IGN);
	start_session(&r);
	if (r.coupling)
		loop_run(r.loop);
	runner_release(&r);
	*task = r.task;
	return r.status;
}
