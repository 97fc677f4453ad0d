#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/table.h"
#include "base/xalloc.h"
#include "task/archive.h"
#include "task/runner.h"
#include "task/taskbatch.h"
#include "task/tasklist.h"
#include "task/tasklog.h"
#include "task/taskrequest.h"
#include "task/taskverbs.h"

enum { INQUIRY_MS = 10000, WAIT_S = 30, SECONDS_MS = 1000 };

/* --- what the user should know, on stderr: in words, or as records */

static void
report_event(struct json event, const char *text, void *cookie)
{
	const struct taskverbs *o = cookie;
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (!o->json) {
		diag_info("%s: %s", o->target.name, text);
		return;
	}
	json_format(event, &b);
	fprintf(stderr, "%s\n", b.s);
}

static void
report_step(struct json event, const char *text, void *cookie)
{
	const struct taskverbs *o = cookie;

	if (o->json)
		report_event(event, text, cookie);
	else
		diag_note("%s: %s", o->target.name, text);
}

/* --- run and attach: they end with the task's status */

static int
run_lines(struct taskverbs *o, struct fail *f)
{
	const struct taskbatch_spec spec = {
		.loop = o->agent.loop, .client = o->agent.client, .controller = o->controller, .name = o->target.name,
		.label = o->label, .timing = o->timing, .keep = o->keep, .in_fd = STDIN_FILENO, .events = o->events,
	};
	int status = taskbatch_run(&spec, f);

	if (status == TASKEVENT_FAILED)
		fail_tell(f, NULL);
	return status;
}

static int
run_task(struct taskverbs *o, struct json request, bool ended, struct fail *f)
{
	const struct runner_spec spec = {
		.loop = o->agent.loop, .client = o->agent.client, .controller = o->controller, .name = o->target.name,
		.label = o->label, .task = o->id, .request = request, .timing = o->timing, .keep = o->keep,
		.detach = o->detach, .ended = ended, .events = o->events,
		.is_terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && !o->give_stdin,
	};
	int64_t task;
	int status = runner_run(&spec, &task, f);

	/* the task runs whatever becomes of the line: without its id it could not be found again */
	if (o->detach && status == EXIT_OK && (printf("%jd\n", (intmax_t)task) < 0 || fflush(stdout) != 0)) {
		diag(0, "standard output: %s; task %jd runs: rejoin-task attach %jd", strerror(errno), (intmax_t)task,
		    (intmax_t)task);
		clearerr(stdout);	/* it is said, with its reason */
		status = EXIT_TROUBLE;
	}
	if (status == TASKEVENT_FAILED && f->text[0])
		fail_tell(f, NULL);
	return status;
}

int
taskverbs_run(struct taskverbs *o, struct fail *f)
{
	_cleanup_json_ struct json request = JSON_ABSENT;
	int r;

	if (o->lines)
		return run_lines(o, f);
	request = taskrequest_new(o->command, o->env);
	if (o->timeout_ms > 0)
		json_set(&request, "timeout_ms", json_number((double)o->timeout_ms));
	if (o->user)
		json_set_text(&request, "user", o->user);
	r = o->give_stdin ? taskrequest_read_stdin(&request, STDIN_FILENO) : 0;
	if (r == -EMSGSIZE)
		return fail_set(f, EXIT_TROUBLE, "standard input: is longer than 1 MiB, the most that a task gets");
	if (r < 0)
		return fail_errno(f, r, "standard input");
	return run_task(o, request, false, f);
}

int
taskverbs_attach(struct taskverbs *o, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd", (intmax_t)o->id);
	const char *on_loss;
	int r = inquiry_get(&o->agent, path, &q, f);

	if (r < 0)
		return r;
	on_loss = json_get_text(q.v, "on_loss");
	o->timing.leave = on_loss && strcmp(on_loss, "leave") == 0;
	return run_task(o, JSON_ABSENT, taskevent_is_over(q.v), f);
}

/* --- the others */

int
taskverbs_log(struct taskverbs *o, struct fail *f)
{
	return tasklog_copy(&o->agent, o->id, o->from, o->follow, &o->events, f);
}

int
taskverbs_list(struct taskverbs *o, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = inquiry_get(&o->agent, "/1/tasks", &q, f);

	if (r < 0)
		return r;
	tasklist_format(q.v, o->as_table, table_columns(STDOUT_FILENO), &b);
	json_sanitize(STDOUT_FILENO, &b);
	fwrite(b.s, 1, b.len, stdout);
	return EXIT_OK;
}

/* The records of B from SHOWN on. */
static int
print_history(const struct taskverbs *o, const struct buf *b, size_t shown, struct fail *f)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (b->len > shown)
		tasklist_format_history(b->s + shown, b->len - shown, o->as_table, table_columns(STDOUT_FILENO), &text);
	json_sanitize(STDOUT_FILENO, &text);
	fwrite(text.s, 1, text.len, stdout);
	return fflush(stdout) != 0 ? fail_errno(f, errno, "standard output") : 0;
}

int
taskverbs_history(struct taskverbs *o, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct inquiry_link link = { .events = &o->events };
	size_t shown = 0;
	int r = archive_follow(&o->agent, &link, o->controller, 0, f);

	while (r == 0) {
		buf_reset(&b);
		r = controller_history(o->controller, &b, f);
		if (r == 0)
			r = print_history(o, &b, shown, f);
		shown = b.len;
		if (r < 0 || !o->follow)
			break;
		r = archive_follow(&o->agent, &link, o->controller, WAIT_S, f);
	}
	return r;
}

int
taskverbs_kill(struct taskverbs *o, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/kill", (intmax_t)o->id);
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_json_ struct json v = json_object();
	int r;

	json_set(&v, "signal", json_number(o->signo));
	r = inquiry_post(&o->agent, path, &v, &q, f);
	if (r == 0 && q.status == 200)
		diag_info("%jd: it was over already", (intmax_t)o->id);
	return r;
}

int
taskverbs_release(struct taskverbs *o, struct fail *f)
{
	_cleanup_json_ struct json refused = JSON_ABSENT;
	int r = o->all ? archive_find_over(&o->agent, &o->ids, f) : 0, status = EXIT_OK;

	if (r == 0)
		r = archive_release(&o->agent, o->controller, o->ids, &refused, f);
	for (size_t i = 0; r == 0 && i < json_count(refused); i++) {
		_cleanup_json_ struct json item = json_at(refused, i);
		const char *reason = json_get_text(item, "reason");

		diag(0, "%s: %s", o->target.name, reason ? reason : "refused");
		if (!archive_is_unknown(item))
			status = EXIT_BUSY;
		else if (status == EXIT_OK)
			status = EXIT_NO;
	}
	return r < 0 ? r : status;
}

/* --- what they need */

int
taskverbs_open(struct taskverbs *o, struct fail *f)
{
	gethostname(o->label, sizeof o->label - 1);
	o->events = (struct taskevent_sink){ report_event, report_step, o };
	o->agent = (struct inquiry_agent){ .loop = loop_new(), .name = o->target.name,
	    .timeout_ms = INQUIRY_MS + (o->follow ? WAIT_S * SECONDS_MS : 0) };
	o->controller = controller_open(o->target.key, f);
	if (o->controller)
		o->agent.client = client_new(o->agent.loop, &o->target, f);
	return o->agent.client ? 0 : -EIO;
}

void
taskverbs_close(struct taskverbs *o)
{
	client_free(o->agent.client);
	controller_close(o->controller);
	loop_free(o->agent.loop);
	target_release(&o->target);
	json_release(&o->env);
	json_release(&o->ids);
}
