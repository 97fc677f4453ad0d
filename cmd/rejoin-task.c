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

#include "base/base64.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/json.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/table.h"
#include "base/xalloc.h"
#include "task/controller.h"
#include "task/inquiry.h"
#include "task/runner.h"
#include "task/target.h"

enum { KEY_ALL = OPT_OWN, KEY_DETACH, KEY_FROM, KEY_ID, KEY_KEEP, KEY_LEASE, KEY_LOSS, KEY_PERIOD, KEY_USER };

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
	    "[TARGET] attach ID\n[TARGET] log [-f] [--from N] ID\n[TARGET] list [--format F]\n"
	    "[TARGET] history [-f]\n[TARGET] kill [-s SIGNAL] ID\n[TARGET] release {--all | ID...}",
	.opts = opts,
	.operands = OPT_TEXTS,
	.words = "run attach log list history kill release",
	.has_command = true,
	.statuses = "0 done; 1 no such task; 2 usage; 3 trouble; 4 timeout; 5 no task agent; 6 a limit, or not over; 7 denied; "
	    "124 run: fate unknown; 125 run: own failure; 126 run: not executable; 127 run: not found",
	.example = "rejoin-task device7 run -- make -C /srv/build",
};

enum { INQUIRY_MS = 10000, WAIT_S = 30, SECONDS_MS = 1000 };

struct task_options {
	bool all, detach, follow, keep, json, give_stdin, leave, loss_given;
	int64_t id, from, timeout_ms;	/* FROM -1: both streams */
	int format;			/* -1: by the terminal */
	int signo;
	struct link_timing timing;
	const char *user;
	struct json env;
	struct target target;
	char **operands, **command;
	struct inquiry_agent agent;
	struct controller *controller;
};

/* --- run and attach */

/* What the user should know, on stderr: in words, or as records. */
static void
report(struct json event, const char *text, void *cookie)
{
	const struct task_options *o = cookie;
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (o->json) {
		json_format(event, &b);
		fprintf(stderr, "%s\n", b.s);
	} else if (text) {
		diag_info("%s: %s", o->target.name, text);
	}
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

static int
read_stdin(struct json *request)
{
	_cleanup_buf_ struct buf in = BUF_MAX(1 << 20), text = BUF_INIT;
	ssize_t n;

	while ((n = io_read_buf(STDIN_FILENO, &in)) > 0)
		;
	if (n == -EMSGSIZE && read(STDIN_FILENO, &(char){ 0 }, 1) == 0)
		n = 0;		/* just as much as fits */
	if (n < 0)
		return (int)n;
	base64_encode(in.s, in.len, &text);
	json_set_text(request, "stdin_b64", text.s);
	return 0;
}

/* What is to be executed.  Locale, zone and terminal are the caller's; the rest of the environment is not. */
static struct json
request_of(struct task_options *o)
{
	static const char *const passed[] = { "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM" };
	struct json v = json_object(), argv = json_array(), env = json_object();

	for (char **a = o->command; *a; a++)
		json_append(&argv, json_string(*a));
	json_set_text(&env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
		if (getenv(passed[i]))
			json_set_text(&env, passed[i], getenv(passed[i]));
	for (struct json_iter it = json_begin(o->env); json_next(&it); )
		json_set(&env, it.key, json_copy(it.value));
	json_set(&v, "argv", argv);
	json_set(&v, "env", env);
	if (o->timeout_ms > 0)
		json_set(&v, "timeout_ms", json_number((double)o->timeout_ms));
	if (o->user)
		json_set_text(&v, "user", o->user);
	return v;
}

static int
run_task(struct task_options *o, struct json request, struct fail *f)
{
	char label[256] = "";
	struct runner_spec spec = {
		.loop = o->agent.loop, .client = o->agent.client, .controller = o->controller, .name = o->target.name,
		.label = label, .task = o->id, .request = request,
		.timing = o->timing, .keep = o->keep, .detach = o->detach, .events = { report, report_step, o },
		.is_terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && !o->give_stdin,
	};
	int64_t task;
	int status;

	gethostname(label, sizeof label - 1);
	status = runner_run(&spec, &task, f);
	if (o->detach && status == EXIT_OK)
		printf("%jd\n", (intmax_t)task);
	if (status == TASKEVENT_FAILED && f->text[0])
		fail_tell(f, NULL);
	return status;
}

static int
run(struct task_options *o, struct fail *f)
{
	_cleanup_json_ struct json request = request_of(o);
	int r = o->give_stdin ? read_stdin(&request) : 0;

	if (r < 0) {
		diag(r, "standard input");
		return TASKEVENT_FAILED;
	}
	o->timing.leave = o->loss_given ? o->leave : o->detach;
	return run_task(o, request, f);
}

static bool
task_of(const char *text, int64_t *id)
{
	return num_parse(text, 1, INT64_MAX, id) == 0;
}

/* The operand as a task's id. */
static int64_t
operand_id(const struct task_options *o)
{
	int64_t id;

	if (!o->operands[0])
		opt_misused("the task's id is missing");
	if (o->operands[1])
		opt_misused("unexpected operand: '%s'", o->operands[1]);
	if (!task_of(o->operands[0], &id))
		opt_misused("not a task's id: '%s'", o->operands[0]);
	return id;
}

static int
attach(struct task_options *o, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_free_ char *path = NULL;
	const char *on_loss;

	o->id = operand_id(o);
	path = xasprintf("/1/tasks/%jd", (intmax_t)o->id);
	if (inquiry_get(&o->agent, path, &q, f) < 0) {
		fail_tell(f, NULL);
		return TASKEVENT_FAILED;
	}
	on_loss = json_get_text(q.v, "on_loss");
	o->timing.leave = on_loss && strcmp(on_loss, "leave") == 0;
	return run_task(o, JSON_ABSENT, f);
}

/* --- the others */

static int
show_log(struct task_options *o, struct fail *f)
{
	const int64_t id = operand_id(o);
	int64_t at[2] = { o->from > 0 ? o->from : 0, 0 }, n;
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	int r = 0;

	/* one stream after the other: a pipe reads one of them; -f: both, as they come */
	for (int i = 0; i < 2; i++) {
		do {
			_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/%s?from=%jd&wait=%d", (intmax_t)id, i ? "err" : "out",
			    (intmax_t)at[i], o->follow ? WAIT_S : 0);
			_cleanup_json_ struct json first = JSON_ABSENT;

			r = inquiry_get(&o->agent, path, &q, f);
			if (r < 0)
				return r;
			if (q.status == 416) {
				first = json_get(q.v, "first");
				if (!json_get_whole(first, &n) || n <= at[i])
					return fail_set(f, EXIT_TROUBLE, "%s: an answer that is not understood", o->target.name);
				diag_info("task %jd: bytes %jd to %jd of its standard %s are no longer there", (intmax_t)id,
				    (intmax_t)at[i], (intmax_t)n, i ? "error" : "output");
				at[i] = n;
				continue;
			}
			r = io_write_all(i + 1, q.body.s, q.body.len);
			if (r < 0)
				return fail_errno(f, r, "standard %s", i ? "error" : "output");
			at[i] += (int64_t)q.body.len;
		} while (!q.end && (o->follow || q.body.len > 0 || q.status == 416));
		if (o->from >= 0)
			break;
	}
	return EXIT_OK;
}

static void
table_row(struct table *t, struct json v)
{
	_cleanup_json_ struct json id = json_get(v, "id"), status = json_get(v, "status"), e = json_get(status, "exit");
	_cleanup_json_ struct json s = json_get(status, "signal");
	const char *state = json_get_text(v, "state"), *command = json_get_text(v, "command");
	char text[32] = "", end[32] = "";
	int64_t n;

	if (json_get_whole(id, &n))
		snprintf(text, sizeof text, "%jd", (intmax_t)n);
	if (json_get_whole(e, &n))
		snprintf(end, sizeof end, "%jd", (intmax_t)n);
	else if (json_get_whole(s, &n))
		snprintf(end, sizeof end, "signal %jd", (intmax_t)n);
	table_cell(t, text);
	table_cell(t, state ? state : "");
	table_cell(t, end);
	table_cell(t, command ? command : "");
	table_end_row(t);
}

static int
list(struct task_options *o, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_json_ struct json tasks = JSON_ABSENT;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct table *t;
	int r = inquiry_get(&o->agent, "/1/tasks", &q, f);

	if (r < 0)
		return r;
	tasks = json_get(q.v, "tasks");
	t = table_new();
	for (size_t i = 0; i < json_count(tasks); i++) {
		_cleanup_json_ struct json v = json_at(tasks, i);

		if (o->format == 1)
			table_row(t, v);
		else
			json_print(v);
	}
	table_format(t, &b);
	fputs(b.s, stdout);
	table_free(t);
	return EXIT_OK;
}

/* What is new at the agent, into the local history. */
static int
merge_history(struct task_options *o, int wait_s, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_free_ char *path = xasprintf("/1/history?after=%jd&wait=%d",
	    (intmax_t)controller_adopted(o->controller), wait_s);
	int r = inquiry_get(&o->agent, path, &q, f);

	return r < 0 ? r : controller_adopt(o->controller, q.body.s, q.body.len, f);
}

static int
history(struct task_options *o, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t shown = 0;
	int r = merge_history(o, 0, f);

	while (r == 0) {
		r = controller_history(o->controller, &b, f);
		if (r == 0 && b.len > shown)
			fwrite(b.s + shown, 1, b.len - shown, stdout);
		if (fflush(stdout) != 0)
			return fail_errno(f, errno, "standard output");
		shown = b.len;
		if (r < 0 || !o->follow)
			break;
		r = merge_history(o, WAIT_S, f);
	}
	return r;
}

static int
kill_task(struct task_options *o, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("/1/tasks/%jd/kill", (intmax_t)operand_id(o));
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_json_ struct json v = json_object();
	int r;

	json_set(&v, "signal", json_number(o->signo));
	r = inquiry_post(&o->agent, path, &v, &q, f);
	if (r == 0 && q.status == 200)
		diag_info("%s: it was over already", o->operands[0]);
	return r;
}

/* The ids of the operands, or of all tasks that are over. */
static int
tasks_to_release(struct task_options *o, struct json *ids, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_json_ struct json tasks = JSON_ABSENT;
	int64_t id;

	for (char **p = o->operands; *p; p++) {
		if (!task_of(*p, &id))
			opt_misused("not a task's id: '%s'", *p);
		json_append(ids, json_number((double)id));
	}
	if (!o->all)
		return 0;
	if (inquiry_get(&o->agent, "/1/tasks", &q, f) < 0)
		return -EIO;
	tasks = json_get(q.v, "tasks");
	for (size_t i = 0; i < json_count(tasks); i++) {
		_cleanup_json_ struct json v = json_at(tasks, i);
		const char *state = json_get_text(v, "state");

		if (state && strcmp(state, "running") != 0 && strcmp(state, "recorded") != 0)
			json_append(ids, json_get(v, "id"));
	}
	return 0;
}

static void
forget_released(struct task_options *o, struct json v)
{
	_cleanup_json_ struct json released = json_get(v, "released");
	int64_t id;

	for (size_t i = 0; i < json_count(released); i++) {
		_cleanup_json_ struct json item = json_at(released, i);

		if (json_get_whole(item, &id))
			controller_forget_task(o->controller, id);
	}
}

static int
release(struct task_options *o, struct fail *f)
{
	_cleanup_inquiry_ struct inquiry q = INQUIRY_INIT;
	_cleanup_json_ struct json v = json_object(), refused = JSON_ABSENT;
	struct json ids = json_array();
	int r;

	if (o->all == (o->operands[0] != NULL))
		opt_misused("either --all or the ids of tasks");
	r = tasks_to_release(o, &ids, f);
	if (r == 0)
		r = merge_history(o, 0, f);	/* on the disk here before it may go there */
	json_set(&v, "history", json_number((double)controller_adopted(o->controller)));
	json_set(&v, "tasks", ids);
	if (r == 0)
		r = inquiry_post(&o->agent, "/1/release", &v, &q, f);
	if (r < 0)
		return r;
	forget_released(o, q.v);
	refused = json_get(q.v, "refused");
	for (size_t i = 0; i < json_count(refused); i++) {
		_cleanup_json_ struct json item = json_at(refused, i);
		const char *reason = json_get_text(item, "reason");

		diag(0, "%s", reason ? reason : "refused");
	}
	return json_count(refused) > 0 ? EXIT_BUSY : EXIT_OK;
}

/* --- the command line */

static const struct command {
	const char *name;
	int (*perform)(struct task_options *o, struct fail *f);	/* a status, or < 0 with F */
	bool passes_on;		/* ends with the task's status */
} commands[] = {
	{ "run", run, true }, { "attach", attach, true }, { "log", show_log, false }, { "list", list, false },
	{ "history", history, false }, { "kill", kill_task, false }, { "release", release, false },
};

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
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
	c = o->operands[0] ? find_command(o->operands[0]) : NULL;
	if (!c && o->operands[0] && (o->operands[1] || target_is_one(o->operands[0]))) {
		if (target_parse(*o->operands++, &o->target, &f) < 0)
			opt_misused("%s", f.text);
		c = o->operands[0] ? find_command(o->operands[0]) : NULL;
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
	if (c->perform == run && o->operands[0])
		opt_misused("unexpected operand: '%s' (the command stands behind --)", o->operands[0]);
	if (c->perform == run && (!o->command || !o->command[0]))
		opt_misused("the command is missing: run -- COMMAND");
	if (c->perform != run && o->command)
		opt_misused("%s takes no command", c->name);
	if (o->detach && o->loss_given && !o->leave)
		opt_misused("--detach leaves the task without a controller: not with --on-loss kill");
	if (!o->leave && !o->detach && 2 * o->timing.period_ms > o->timing.lease_ms)
		opt_misused("twice the --period is more than the --lease");
	return c;
}

static int
perform(const struct command *c, struct task_options *o)
{
	struct fail f = { .status = EXIT_TROUBLE, .text = "" };
	int r = -EIO;

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
