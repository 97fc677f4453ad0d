#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "task/archive.h"
#include "task/taskbatch.h"
#include "task/taskbatch_lines.h"
#include "task/taskbatch_set.h"
#include "task/taskbatch_step.h"
#include "task/pump.h"
#include "task/usersignals.h"

enum {
	ANSWER_MS = 5000, OUTPUT_WAIT_S = 20, OUTPUT_MS = 25000,
	QUEUE_MAX = 64, BLOCKED_MS = 1000, CLAIMS_MAX = 20,
};

struct taskbatch {
	const struct taskbatch_spec *spec;
	struct loop *loop;
	struct coupling *coupling;	/* made with the first line, whose id may name a session */
	bool is_coupled, is_over;
	struct taskbatch_lines lines;
	struct taskbatch_set tasks;
	enum taskbatch_step step;	/* what is asked of the agent now, beside the output */
	struct taskbatch_task *of_step;	/* the task of SUBMIT, ADOPT, KILL */
	bool blocked;			/* the agent takes no more, until some are released */
	char *cursor;
	struct client_request *control, *output;
	struct loop_timer control_timer, output_timer;
	unsigned int control_tries, output_tries;
	struct pump pump;
	struct usersignals user_signals;
	int signo, signals;
	int status;
	struct fail *fail;
};

static void control_soon(struct taskbatch *b);
static void output_soon(struct taskbatch *b);

/* --- records */

static void
write_records(struct taskbatch *b, struct buf *records)
{
	pump_write(&b->pump, records->s, records->len);
}

static void
taskbatch_stop(struct taskbatch *b, int status)
{
	b->is_over = true;
	b->status = status;
	loop_stop(b->loop, status);
}

/* All are written, and nothing more can come. */
static void
check_over(struct taskbatch *b)
{
	if (b->lines.at_end && !b->tasks.first && pump_is_empty(&b->pump) && !b->is_over)
		taskbatch_stop(b, b->tasks.status);
}

/* T is over; it stays here until it is released. */
static void
end_task(struct taskbatch *b, struct taskbatch_task *t, struct json v)
{
	_cleanup_buf_ struct buf records = BUF_INIT;

	taskbatch_set_end(&b->tasks, t, v, &records);
	write_records(b, &records);
}

/* --- the lines */

/* Read on while few wait to be submitted. */
static void
want_lines(struct taskbatch *b)
{
	taskbatch_lines_want(&b->lines, b->tasks.queued < QUEUE_MAX);
}

static void
add_line(int64_t number, const char *line, size_t len, int err, void *cookie)
{
	struct taskbatch *b = cookie;
	struct json request = JSON_ABSENT;
	struct taskbatch_task *t;
	struct fail f;
	int r = err ? fail_set(&f, EXIT_TROUBLE, "the line cannot be read: %s", strerror(err)) :
	    taskrequest_parse(line, len, b->spec->timing.leave, &request, &f);
	const bool known = taskbatch_set_find(&b->tasks, taskbatch_task_id(request)) != NULL;

	t = taskbatch_task_new(number, request);
	taskbatch_set_add(&b->tasks, t);
	if (r < 0)
		taskbatch_set_refuse(&b->tasks, t, "refused", f.text);
	else if (t->id && known)
		taskbatch_set_refuse(&b->tasks, t, "refused", "another line has this id");
}

static void start_session(struct taskbatch *b);

static void
lines_read(void *cookie)
{
	struct taskbatch *b = cookie;

	want_lines(b);
	if (b->tasks.first && !b->coupling)
		start_session(b);
	control_soon(b);
	check_over(b);
}

/* --- output */

/* T is at the agent, under the lease of SESSION. */
static void
mark_submitted(struct taskbatch *b, struct taskbatch_task *t, int64_t session)
{
	taskbatch_set_submitted(&b->tasks, t, session);
	want_lines(b);
}

/* False where the answer is none. */
static bool
write_frames(struct taskbatch *b, const struct buf *answer)
{
	_cleanup_buf_ struct buf records = BUF_INIT;
	const char *p = answer->s;
	struct task_frame f;
	int n;

	while ((n = frames_next(&p, answer->s + answer->len, true, &f)) > 0) {
		struct taskbatch_task *t = taskbatch_set_find(&b->tasks, f.task);
		_cleanup_json_ struct json v = JSON_ABSENT;
		struct fail ignored;

		if (f.kind == FRAMES_CURSOR) {
			free(b->cursor);
			b->cursor = xstrndup(f.bytes, (size_t)f.length);
		} else if (!t || t->over) {
			continue;	/* another controller's with this session, or sent again */
		} else if (f.kind != FRAMES_END) {
			if (!taskbatch_task_frame(t, &f, &records))
				return false;
		} else if (json_parse(NULL, f.bytes, (size_t)f.length, &v, &ignored) == 0) {
			mark_submitted(b, t, coupling_session(b->coupling));	/* the answer to that may have been lost */
			taskbatch_set_end(&b->tasks, t, v, &records);
		}
	}
	write_records(b, &records);
	return n == 0;
}

static void
output_answered(const struct client_answer *a, void *cookie)
{
	struct taskbatch *b = cookie;

	b->output = NULL;
	if (a->f || a->status != 200 || !write_frames(b, &a->r->body)) {
		loop_timer_set(b->loop, &b->output_timer, link_resend_ms(b->output_tries++));
		return;
	}
	b->output_tries = 0;
	control_soon(b);
	output_soon(b);
}

static void
output_next(void *cookie)
{
	struct taskbatch *b = cookie;
	_cleanup_free_ char *path = xasprintf("/1/output?session=%jd&after=%s&wait=%d",
	    (intmax_t)coupling_session(b->coupling), b->cursor ? b->cursor : "", OUTPUT_WAIT_S);

	if (b->output || !b->is_coupled || !b->tasks.first || !pump_is_empty(&b->pump))
		return;
	b->output = client_get(b->spec->client, path, OUTPUT_MS, output_answered, b);
}

static void
output_soon(struct taskbatch *b)
{
	if (b->coupling)
		loop_timer_set(b->loop, &b->output_timer, 0);
}

static void signal_came(int signo, void *cookie);

static void
records_written(void *cookie)
{
	struct taskbatch *b = cookie;

	/* as commands whose output is read no more */
	if (b->pump.error == EPIPE && b->signals == 0)
		signal_came(SIGPIPE, b);
	output_soon(b);
	check_over(b);
}

/* --- one control request at a time */

static void
forget_released(struct taskbatch *b, struct json v)
{
	_cleanup_json_ struct json released = json_get(v, "released"), refused = json_get(v, "refused");

	archive_forget(b->spec->controller, v);
	taskbatch_set_forget(&b->tasks, released);
	taskbatch_set_forget(&b->tasks, refused);
}

/* The session that has the lease of a task: another one where the task was there before. */
static int64_t
holder_of(const struct taskbatch *b, struct json task)
{
	_cleanup_json_ struct json session = json_get(task, "session");
	int64_t id;

	return json_get_whole(session, &id) ? id : coupling_session(b->coupling);
}

static void
control_succeeded(struct taskbatch *b, const struct client_answer *a)
{
	struct fail f;

	switch (b->step) {
	case BATCH_SUBMIT:
		json_release(&b->of_step->request);
		mark_submitted(b, b->of_step, holder_of(b, a->v));
		b->of_step->to_kill = b->signals > 0;
		output_soon(b);
		break;
	case BATCH_ADOPT:
		b->of_step->held_by = coupling_session(b->coupling);
		break;
	case BATCH_KILL:
		b->of_step->to_kill = false;
		break;
	case BATCH_HISTORY:
		/* what could not be written here stays there: nothing is released then */
		if (controller_adopt(b->spec->controller, client_store(a), a->r->body.s, a->r->body.len, &f) == 0) {
			b->step = BATCH_RELEASE;
			return;
		}
		taskevent_report(&b->spec->events, taskevent_new("history"), "%s", f.text);
		taskbatch_set_forget_over(&b->tasks);
		break;
	case BATCH_RELEASE:
		forget_released(b, a->v);
		b->blocked = false;
		break;
	case BATCH_IDLE:
		break;
	}
	b->step = BATCH_IDLE;
}

/* The agent will not do it, however often it is asked. */
static void
control_refused(struct taskbatch *b, const struct client_answer *a)
{
	const char *word = json_get_text(a->v, "error");
	struct fail f;

	client_explain(a, b->spec->name, &f);
	if (word && strcmp(word, "no-session") == 0 && b->step <= BATCH_ADOPT) {
		b->is_coupled = false;
		coupling_renew(b->coupling);
	} else if (b->of_step && b->of_step->over && b->step <= BATCH_KILL) {
		;		/* its end came by the other connection */
	} else if (b->step == BATCH_SUBMIT && b->of_step->nonce[0] && b->of_step->claims < CLAIMS_MAX &&
	    taskrequest_is_id_taken(word, b->of_step->sent)) {
		controller_forget_task(b->spec->controller, b->of_step->id);
		b->of_step->id = 0;	/* another id will do */
	} else if (b->step == BATCH_SUBMIT) {
		if (taskrequest_is_void(word, b->of_step->nonce[0] != '\0'))
			controller_forget_task(b->spec->controller, b->of_step->id);
		taskbatch_set_refuse(&b->tasks, b->of_step, "refused", f.text);
		want_lines(b);
	} else if (b->step == BATCH_ADOPT) {
		_cleanup_json_ struct json v = json_object();

		json_set_text(&v, "state", "unknown");
		json_set_text(&v, "reason", f.text);
		end_task(b, b->of_step, v);
	} else if (b->step == BATCH_KILL) {
		b->of_step->to_kill = false;
	} else {
		taskbatch_set_forget_over(&b->tasks);
	}
	b->step = BATCH_IDLE;
}

static void
control_answered(const struct client_answer *a, void *cookie)
{
	struct taskbatch *b = cookie;
	int64_t wait = 0;

	b->control = NULL;
	if (!a->f && a->status >= 200 && a->status < 300) {
		b->control_tries = 0;
		control_succeeded(b, a);
	} else if (coupling_is_final(a)) {
		control_refused(b, a);
	} else if (b->step == BATCH_SUBMIT && !a->f && a->status != 503) {
		/* 429, 507: it says that it did not record it; some that are over make room */
		b->blocked = b->tasks.over > 0;
		b->step = BATCH_IDLE;
		wait = b->blocked ? 0 : BLOCKED_MS;
	} else {
		if (b->step != BATCH_RELEASE)
			b->step = BATCH_IDLE;
		wait = link_resend_ms(b->control_tries++);
	}
	if (b->is_over)
		return;
	loop_timer_set(b->loop, &b->control_timer, wait);
	check_over(b);
}

/* A task of ours, not one that is there. */
static bool
claim_task(struct taskbatch *b, struct taskbatch_task *t)
{
	struct fail f;
	int64_t id = coupling_claim_id(b->coupling, &f);

	if (id < 0) {
		taskbatch_set_refuse(&b->tasks, t, "refused", f.text);
		return false;
	}
	t->id = id;
	t->claims++;
	t->sent = 0;
	t->announced = false;
	taskrequest_nonce(t->nonce);
	return true;
}

/* It is said once that T is being submitted. */
static void
announce_task(struct taskbatch *b, struct taskbatch_task *t)
{
	_cleanup_buf_ struct buf records = BUF_INIT;

	t->sent++;
	controller_keep_session(b->spec->controller, t->id, coupling_session(b->coupling));
	if (!t->announced)
		taskbatch_task_submitting(t, &records);
	t->announced = true;
	write_records(b, &records);
}

/* The request of the step. */
static struct client_request *
send_step(struct taskbatch *b)
{
	const struct adopted_mark adopted = b->step >= BATCH_HISTORY ? controller_adopted(b->spec->controller) :
	    (struct adopted_mark){ 0, 0 };
	_cleanup_free_ char *path = taskbatch_step_path(b->step, b->of_step, adopted);
	const struct taskbatch_step_call call = {
		.id = coupling_new_id(b->coupling), .session = coupling_session(b->coupling), .leave = b->spec->timing.leave,
		.adopted = adopted, .signo = b->signo, .signals = b->signals,
	};
	_cleanup_json_ struct json v = taskbatch_step_body(b->step, b->of_step, &b->tasks, &call);

	if (b->step == BATCH_HISTORY)
		return client_get(b->spec->client, path, ANSWER_MS, control_answered, b);
	return client_post(b->spec->client, path, v, ANSWER_MS, control_answered, b);
}

static void
control_next(void *cookie)
{
	struct taskbatch *b = cookie;

	if (b->control || !b->is_coupled || b->is_over)
		return;
	if (b->spec->keep || b->pump.error)	/* what could not be written stays there */
		taskbatch_set_forget_over(&b->tasks);	/* none is the task of a request that is under way */
	if (b->step != BATCH_RELEASE)
		b->step = taskbatch_step_next(&b->tasks, coupling_session(b->coupling), b->blocked, &b->of_step);
	if (b->step == BATCH_IDLE) {
		check_over(b);
		return;
	}
	if (b->step == BATCH_SUBMIT && !b->of_step->id && !claim_task(b, b->of_step)) {
		control_soon(b);
		return;
	}
	if (b->step == BATCH_SUBMIT)
		announce_task(b, b->of_step);
	b->control = send_step(b);
}

static void
control_soon(struct taskbatch *b)
{
	if (!b->control && b->coupling)
		loop_timer_set(b->loop, &b->control_timer, 0);
}

/* --- the session */

static void
session_coupled(struct json answer, void *cookie)
{
	struct taskbatch *b = cookie;

	(void)answer;
	b->is_coupled = true;
	/* the tasks of a session before this one are moved to it, and begin anew in its cursor */
	free(TAKE_PTR(b->cursor));
	client_cancel(b->output);
	b->output = NULL;
	for (const struct taskbatch_task *t = b->tasks.first; t; t = t->next)
		if (t->held_by && !t->over)
			controller_keep_session(b->spec->controller, t->id, coupling_session(b->coupling));
	control_soon(b);
	output_soon(b);
}

static void
session_reconnected(void *cookie)
{
	struct taskbatch *b = cookie;

	client_cancel(b->output);
	b->output = NULL;
	b->output_tries = b->control_tries = 0;
	control_soon(b);
	output_soon(b);
}

static void
session_lost(void *cookie)
{
	struct taskbatch *b = cookie;
	_cleanup_json_ struct json v = json_object();

	json_set_text(&v, "state", "unknown");
	json_set_text(&v, "reason", "the task agent is lost");
	for (struct taskbatch_task *t = b->tasks.first; t; t = t->next)
		if (t->held_by && !t->over)
			end_task(b, t, v);
	taskbatch_stop(b, TASKEVENT_UNKNOWN);
}

static void
session_failed(const struct fail *f, void *cookie)
{
	struct taskbatch *b = cookie;

	*b->fail = *f;
	taskbatch_stop(b, TASKEVENT_FAILED);
}

/* --- signals: to all tasks; what is not submitted is not run */

static void
signal_came(int signo, void *cookie)
{
	struct taskbatch *b = cookie;

	b->signo = signo;
	b->signals++;
	taskbatch_lines_end(&b->lines);
	for (struct taskbatch_task *t = b->tasks.first, *next; t; t = next) {
		next = t->next;
		t->to_kill = t->held_by && !t->over;
		if (!t->held_by && (t != b->of_step || !b->control))
			taskbatch_set_refuse(&b->tasks, t, "refused", "interrupted");
	}
	control_soon(b);
	check_over(b);
}

/* --- all of it */

/* A session that a killed controller had with the first task is taken up. */
static void
start_session(struct taskbatch *b)
{
	const struct taskbatch_spec *spec = b->spec;
	const struct coupling_spec session = {
		.loop = spec->loop, .client = spec->client, .name = spec->name, .label = spec->label,
		.controller = spec->controller, .above = b->tasks.first->id,
		.session = b->tasks.first->id ? controller_session(spec->controller, b->tasks.first->id) : 0,
		.timing = spec->timing, .events = spec->events,
		.callbacks = { session_coupled, session_reconnected, session_lost, session_failed, b },
	};

	b->coupling = coupling_new(&session, b->fail);
	if (!b->coupling)
		taskbatch_stop(b, TASKEVENT_FAILED);
}

/* What was not written yet is: there is nothing else to wait for. */
static void
flush_records(struct taskbatch *b)
{
	struct pump *p = &b->pump;

	if (!p->error)
		p->error = -io_write_all(p->fd, p->bytes.s + p->done, p->bytes.len - p->done);
}

/* Records that nothing could read are no success. */
static int
final_status(const struct taskbatch *b)
{
	if (b->pump.error == 0 || b->pump.error == EPIPE)
		return b->status;
	fail_errno(b->fail, b->pump.error, "standard output");
	return TASKEVENT_FAILED;
}

int
taskbatch_run(const struct taskbatch_spec *spec, struct fail *f)
{
	struct taskbatch b = { .spec = spec, .loop = spec->loop, .fail = f };

	signal(SIGPIPE, SIG_IGN);
	taskbatch_set_init(&b.tasks, &b.pump);
	b.control_timer = (struct loop_timer){ .fn = control_next, .cookie = &b };
	b.output_timer = (struct loop_timer){ .fn = output_next, .cookie = &b };
	pump_init(&b.pump, b.loop, STDOUT_FILENO, records_written, &b);
	b.user_signals = (struct usersignals){ signal_came, &b };
	usersignals_watch(&b.user_signals, b.loop);
	taskbatch_lines_init(&b.lines, b.loop, spec->in_fd);
	b.lines.line = add_line;
	b.lines.read = lines_read;
	b.lines.cookie = &b;
	want_lines(&b);
	loop_run(b.loop);
	flush_records(&b);
	b.status = final_status(&b);
	client_cancel(b.control);
	client_cancel(b.output);
	coupling_free(b.coupling);
	loop_timer_stop(b.loop, &b.control_timer);
	loop_timer_stop(b.loop, &b.output_timer);
	pump_release(&b.pump);
	taskbatch_set_release(&b.tasks);
	taskbatch_lines_release(&b.lines);
	free(b.cursor);
	return b.status;
}
