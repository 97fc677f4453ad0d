/*
 * rejoin-task - run a command on this or another machine, and survive the loss
 * of the connection.
 *
 * The command runs under rejoin-taskd; its output and its end are fetched, each
 * byte once, through any number of cuts.  run and attach end with its status.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/json.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/table.h"
#include "base/xalloc.h"
#include "task/archive.h"
#include "task/taskbatch.h"
#include "task/tasklist.h"
#include "task/runner.h"
#include "task/target.h"
#include "task/tasklog.h"
#include "task/taskrequest.h"

enum { KEY_ALL = OPT_OWN, KEY_DETACH, KEY_FROM, KEY_ID, KEY_KEEP, KEY_LEASE, KEY_LINES, KEY_LOSS, KEY_PERIOD, KEY_USER };

static const struct opt opts[] = {
	{ KEY_ALL, "all", NULL, "release: all tasks that are over" },
	{ KEY_DETACH, "detach", NULL, "run: print the task's id and exit; it goes on without a controller" },
	{ 'e', "env", "NAME", "run: pass NAME, or NAME=VALUE, in its environment", .repeats = true },
	{ 'f', "follow", NULL, "log, history: wait for more" },
	OPT_FORMAT("jsonl table", "table on a terminal, else jsonl"),
	{ KEY_FROM, "from", "N", "log: standard output alone, from byte N on" },
	{ KEY_ID, "id", "ID", "run: the task is ID; one that is there is continued, not run again", .preset = "a new one" },
	OPT_JSON,
	{ KEY_KEEP, "keep", NULL, "run, attach: do not release the task at its end" },
	{ KEY_LEASE, "lease", "DUR", "run: the task goes on for DUR without a heartbeat", .preset = "40s" },
	{ KEY_LINES, "lines", NULL, "run: read requests as JSON Lines, and run them in one session" },
	{ KEY_LOSS, "on-loss", "WHAT", "run: what happens to it when the controller is lost", .choices = "kill leave",
	    .preset = "kill, leave with --detach" },
	{ KEY_PERIOD, "period", "DUR", "run: send a heartbeat each DUR", .preset = "5s" },
	{ 's', "signal", "SIGNAL", "kill: send SIGNAL first, SIGKILL after the grace period", .preset = "TERM" },
	{ 'i', "stdin", NULL, "run: give it the standard input, at most 1M" },
	OPT_TIMEOUT("run: end the task after DUR", "none"),
	{ KEY_USER, "user", "USER", "run: as USER; for root", .preset = "the caller" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "run a command that survives the loss of the connection",
	.synopsis = "[TARGET] run [--detach] [--id ID] [--on-loss WHAT]\n"
	    "\t[--period DUR] [--lease DUR] [--timeout DUR] [--user USER]\n"
	    "\t[-e NAME]... [-i] -- COMMAND [ARG]...\n"
	    "[TARGET] run --lines [--on-loss WHAT] [--period DUR]\n"
	    "\t[--lease DUR] [--keep]\n"
	    "[TARGET] attach ID\n[TARGET] log [-f] [--from N] ID\n[TARGET] list [--format F]\n"
	    "[TARGET] history [-f]\n[TARGET] kill [-s SIGNAL] ID\n[TARGET] release {--all | ID...}",
	.opts = opts,
	.operands = OPT_TASKS,
	.words = "run attach log list history kill release",
	.has_command = true,
	.statuses = "0 done; 1 no such task, or a task of --lines did not exit with 0; 2 usage; 3 trouble; 4 timeout; 5 no task agent; 6 a limit, or not over; 7 denied; "
	    "124 run: fate unknown; 125 run: own failure; 126 run: not executable; 127 run: not found",
	.example = "rejoin-task device7 run -- make -C /srv/build",
};

enum { INQUIRY_MS = 10000, WAIT_S = 30, SECONDS_MS = 1000 };

struct task_options {
	bool all, detach, follow, keep, lines, json, give_stdin, leave, loss_given;
	int64_t id, from, timeout_ms;	/* FROM -1: both streams */
	int format;			/* 0: jsonl, 1: table */
	int signo;
	struct link_timing timing;
	const char *user;
	struct json env;
	struct target target;
	char **operands, **command;
	char label[256];		/* the controller's name, for people at the agent */
	struct inquiry_agent agent;
	struct controller *controller;
	struct taskevent_sink events;
};

/* --- what the user should know, on stderr: in words, or as records */

static void
report(struct json event, const char *text, void *cookie)
{
	const struct task_options *o = cookie;
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
	const struct task_options *o = cookie;

	if (o->json)
		report(event, text, cookie);
	else
		diag_note("%s: %s", o->target.name, text);
}

/* --- run and attach: they end with the task's status */

static int
run_lines(struct task_options *o, struct fail *f)
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
run_task(struct task_options *o, struct json request, struct fail *f)
{
	const struct runner_spec spec = {
		.loop = o->agent.loop, .client = o->agent.client, .controller = o->controller, .name = o->target.name,
		.label = o->label, .task = o->id, .request = request, .timing = o->timing, .keep = o->keep,
		.detach = o->detach, .events = o->events,
		.is_terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && !o->give_stdin,
	};
	int64_t task;
	int status = runner_run(&spec, &task, f);

	if (o->detach && status == EXIT_OK)
		printf("%jd\n", (intmax_t)task);
	if (status == TASKEVENT_FAILED && f->text[0])
		fail_tell(f, NULL);
	return status;
}

static int
run_new_task(struct task_options *o, struct fail *f)
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
	if (r < 0)
		return fail_errno(f, r, "standard input");
	return run_task(o, request, f);
}

static int
attach(struct task_options *o, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd", (intmax_t)o->id);
	const char *on_loss;
	int r = inquiry_get(&o->agent, path, &q, f);

	if (r < 0)
		return r;
	on_loss = json_get_text(q.v, "on_loss");
	o->timing.leave = on_loss && strcmp(on_loss, "leave") == 0;
	return run_task(o, JSON_ABSENT, f);
}

/* --- the others */

static int64_t
id_of(const char *text)
{
	int64_t id;

	if (num_parse(text, 1, INT64_MAX, &id) < 0)
		opt_misused("not a task's id: '%s'", text);
	return id;
}

static int
show_log(struct task_options *o, struct fail *f)
{
	return tasklog_copy(&o->agent, o->id, o->from, o->follow, &o->events, f);
}

static int
list(struct task_options *o, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = inquiry_get(&o->agent, "/1/tasks", &q, f);

	if (r < 0)
		return r;
	tasklist_format(q.v, o->format == 1, table_columns(STDOUT_FILENO), &b);
	json_sanitize(STDOUT_FILENO, &b);
	fwrite(b.s, 1, b.len, stdout);
	return EXIT_OK;
}

static int
history(struct task_options *o, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t shown = 0;
	int r = archive_merge(&o->agent, o->controller, 0, f);

	while (r == 0) {
		buf_reset(&b);
		r = controller_history(o->controller, &b, f);
		if (r == 0 && b.len > shown)
			fwrite(b.s + shown, 1, b.len - shown, stdout);
		if (fflush(stdout) != 0)
			return fail_errno(f, errno, "standard output");
		shown = b.len;
		if (r < 0 || !o->follow)
			break;
		r = archive_merge(&o->agent, o->controller, WAIT_S, f);
	}
	return r;
}

static int
kill_task(struct task_options *o, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/kill", (intmax_t)o->id);
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_json_ struct json v = json_object();
	int r;

	json_set(&v, "signal", json_number(o->signo));
	r = inquiry_post(&o->agent, path, &v, &q, f);
	if (r == 0 && q.status == 200)
		diag_info("%s: it was over already", o->operands[0]);
	return r;
}

static int
release(struct task_options *o, struct fail *f)
{
	_cleanup_json_ struct json ids = json_array(), refused = JSON_ABSENT;
	int r = 0;

	if (o->all == (o->operands[0] != NULL))
		opt_misused("either --all or the ids of tasks");
	for (char **p = o->operands; *p; p++)
		json_append(&ids, json_number((double)id_of(*p)));
	if (o->all)
		r = archive_find_over(&o->agent, &ids, f);
	if (r == 0)
		r = archive_release(&o->agent, o->controller, ids, &refused, f);
	for (size_t i = 0; r == 0 && i < json_count(refused); i++) {
		_cleanup_json_ struct json item = json_at(refused, i);
		const char *reason = json_get_text(item, "reason");

		diag(0, "%s", reason ? reason : "refused");
	}
	return r < 0 ? r : json_count(refused) > 0 ? EXIT_BUSY : EXIT_OK;
}

/* --- the command line */

static const struct command {
	const char *name;
	int (*perform)(struct task_options *o, struct fail *f);	/* a status, or < 0 with F */
	bool passes_on;		/* ends with the task's status */
	bool of_task;		/* its operand is a task's id */
} commands[] = {
	{ "run", run_new_task, true, false }, { "attach", attach, true, true }, { "log", show_log, false, true },
	{ "list", list, false, false }, { "history", history, false, false }, { "kill", kill_task, false, true },
	{ "release", release, false, false },
};

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; name && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void
set_env(struct task_options *o, const char *text)
{
	_cleanup_free_ char *name = xstrndup(text, strcspn(text, "="));
	const char *value = strchr(text, '=') ? strchr(text, '=') + 1 : getenv(name);

	if (!*name)
		opt_misused("--env: no name: '%s'", text);
	if (value)
		json_set_text(&o->env, name, value);
}

static int
signal_of(const char *text)
{
	int64_t n;

	if (num_parse(text, 1, NSIG - 1, &n) == 0)
		return (int)n;
	if (strncmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < NSIG; i++)
		if (sigabbrev_np(i) && strcmp(sigabbrev_np(i), text) == 0)
			return i;
	opt_misused("--signal: no such signal: '%s'", text);
}

static void
parse_option(struct opt_scan *s, int key, struct task_options *o)
{
	switch (key) {
	case KEY_ALL:
		o->all = true;
		break;
	case KEY_DETACH:
		o->detach = true;
		break;
	case 'e':
		set_env(o, s->arg);
		break;
	case 'f':
		o->follow = true;
		break;
	case OPT_KEY_FORMAT:
		o->format = (int)opt_choice(s);
		break;
	case KEY_FROM:
		o->from = opt_number(s, 0, INT64_MAX);
		break;
	case KEY_ID:
		o->id = opt_number(s, 1, INT64_C(1) << 53);
		break;
	case OPT_KEY_JSON:
		o->json = true;
		o->format = 0;
		break;
	case KEY_KEEP:
		o->keep = true;
		break;
	case KEY_LEASE:
		o->timing.lease_ms = opt_duration(s);
		break;
	case KEY_LINES:
		o->lines = true;
		break;
	case KEY_LOSS:
		o->leave = opt_choice(s) == 1;
		o->loss_given = true;
		break;
	case KEY_PERIOD:
		o->timing.period_ms = opt_duration(s);
		break;
	case 's':
		o->signo = signal_of(s->arg);
		break;
	case 'i':
		o->give_stdin = true;
		break;
	case OPT_KEY_TIMEOUT:
		o->timeout_ms = opt_duration(s);
		break;
	case KEY_USER:
		o->user = s->arg;
		break;
	}
}

/* Misuse of the command C. */
static void
check_command(const struct command *c, struct task_options *o)
{
	const bool runs = c->perform == run_new_task, has_command = o->command && o->command[0];

	if (runs && o->operands[0])
		opt_misused("unexpected operand: '%s' (the command stands behind --)", o->operands[0]);
	if (runs && !o->lines && !has_command)
		opt_misused("the command is missing: run -- COMMAND");
	if (runs && o->lines && (has_command || o->detach || o->give_stdin || o->id || o->user || o->timeout_ms))
		opt_misused("--lines: the command, its id, user, timeout and input stand in the lines");
	if (!runs && o->command)
		opt_misused("%s takes no command", c->name);
	if (!runs && o->lines)
		opt_misused("--lines is for run");
	if (c->of_task && !o->operands[0])
		opt_misused("the task's id is missing");
	if (c->of_task && o->operands[1])
		opt_misused("unexpected operand: '%s'", o->operands[1]);
	if (c->of_task)
		o->id = id_of(o->operands[0]);
	if (o->detach && o->loss_given && !o->leave)
		opt_misused("--detach leaves the task without a controller: not with --on-loss kill");
	o->timing.leave = o->loss_given ? o->leave : o->detach;
	if (!o->timing.leave && 2 * o->timing.period_ms > o->timing.lease_ms)
		opt_misused("twice the --period is more than the --lease");
}

static const struct command *
parse(int argc, char *argv[], struct task_options *o)
{
	const struct command *c;
	struct opt_scan s;
	struct fail f;
	int key;

	opt_begin(&s, argc, argv, &tool);
	while ((key = opt_next(&s)) != -1)
		parse_option(&s, key, o);
	o->operands = s.operands;
	o->command = s.command;
	c = find_command(o->operands[0]);
	if (!c && o->operands[0] && (o->operands[1] || target_is_one(o->operands[0]))) {
		if (target_parse(*o->operands++, &o->target, &f) < 0)
			opt_misused("%s", f.text);
		c = find_command(o->operands[0]);
	} else {
		target_parse("", &o->target, &f);
	}
	if (!c && o->operands[0])
		opt_misused("no such command: '%s' (run, attach, log, list, history, kill, release)", o->operands[0]);
	if (!c)
		opt_misused("what to do is missing: run, attach, log, list, history, kill or release");
	o->operands++;
	if (c->passes_on)
		opt_passes_on(TASKEVENT_FAILED);
	check_command(c, o);
	return c;
}

static int
perform(const struct command *c, struct task_options *o)
{
	struct fail f = { .status = EXIT_TROUBLE, .text = "" };
	int r = -EIO;

	gethostname(o->label, sizeof o->label - 1);
	o->events = (struct taskevent_sink){ report, report_step, o };
	o->agent = (struct inquiry_agent){ .loop = loop_new(), .name = o->target.name,
	    .timeout_ms = INQUIRY_MS + (o->follow ? WAIT_S * SECONDS_MS : 0) };
	o->controller = controller_open(o->target.key, &f);
	if (o->controller)
		o->agent.client = client_new(o->agent.loop, &o->target, &f);
	if (o->agent.client)
		r = c->perform(o, &f);
	client_free(o->agent.client);
	controller_close(o->controller);
	loop_free(o->agent.loop);
	if (r >= 0)
		return r;
	fail_tell(&f, NULL);
	return c->passes_on ? TASKEVENT_FAILED : (int)f.status;
}

int
main(int argc, char *argv[])
{
	struct task_options o = { .from = -1, .format = isatty(STDOUT_FILENO) ? 1 : 0, .signo = SIGTERM,
	    .timing = LINK_TIMING, .env = json_object() };
	const struct command *c;
	int status;

	diag_init(argv);
	c = parse(argc, argv, &o);
	status = perform(c, &o);
	target_release(&o.target);
	json_release(&o.env);
	finish((enum exit_status)status);
}
