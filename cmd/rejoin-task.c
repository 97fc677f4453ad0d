/*
 * rejoin-task - run a command on this or another machine, and survive the loss
 * of the connection.
 *
 * The command runs under rejoin-taskd; its output and its end are fetched, each
 * byte once, through any number of cuts.  run and attach end with its status.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "task/params.h"
#include "task/taskcommand.h"
#include "task/taskverbs.h"

enum { KEY_ALL = OPT_OWN, KEY_DETACH, KEY_FROM, KEY_ID, KEY_KEEP, KEY_LEASE, KEY_LINES, KEY_LOSS, KEY_PERIOD, KEY_USER };

static const struct opt opts[] = {
	{ KEY_ALL, "all", NULL, "release: all tasks that are over" },
	{ KEY_DETACH, "detach", NULL, "run: print the task's id and exit; the task needs no controller" },
	{ 'e', "env", "NAME", "run: pass NAME, or NAME=VALUE, in the task's environment", .repeats = true },
	{ 'f', "follow", NULL, "log, history: wait for more" },
	OPT_FORMAT("jsonl table", "REJOIN_FORMAT, else table on a terminal, else jsonl"),
	{ KEY_FROM, "from", "N", "log: standard output alone, from byte N on" },
	{ KEY_ID, "id", "ID", "run: give the task this ID; a task that has it is continued, not run again", .preset = "a new one" },
	OPT_JSON,
	{ KEY_KEEP, "keep", NULL, "run, attach: do not release the task at its end" },
	{ KEY_LEASE, "lease", "DUR", "run, attach: end the task after DUR without a heartbeat", .preset = "40s" },
	{ KEY_LINES, "lines", NULL, "run: read requests as JSON Lines, and run them in one session" },
	{ KEY_LOSS, "on-loss", "WHAT", "run: WHAT happens to the task when the controller is lost", .choices = "kill leave",
	    .preset = "kill, leave with --detach" },
	{ KEY_PERIOD, "period", "DUR", "run, attach: send a heartbeat each DUR", .preset = "5s" },
	{ 's', "signal", "SIGNAL", "kill: send SIGNAL first, SIGKILL after the grace period", .preset = "TERM" },
	{ 'i', "stdin", NULL, "run: pass standard input to the task, at most 1M" },
	OPT_TIMEOUT("run: end the task after DUR", "none"),
	{ KEY_USER, "user", "USER", "run: run the task as USER; for root alone", .preset = "the caller" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "run a command that survives the loss of the connection",
	.synopsis = "[TARGET] run [--detach] [--id ID] [--on-loss WHAT]\n"
	    "\t[--period DUR] [--lease DUR] [--timeout DUR] [--user USER]\n"
	    "\t[-e NAME]... [-i] [--keep] -- COMMAND [ARG]...\n"
	    "[TARGET] run --lines [--on-loss WHAT] [--period DUR]\n"
	    "\t[--lease DUR] [--keep]\n"
	    "[TARGET] attach [--period DUR] [--lease DUR] [--keep] ID\n"
	    "[TARGET] log [-f] [--from N] ID\n[TARGET] list [--format F]\n"
	    "[TARGET] history [-f] [--format F]\n[TARGET] kill [-s SIGNAL] ID\n[TARGET] release {--all | ID...}",
	.opts = opts,
	.operands = OPT_TASKS,
	.words = "run attach log list history kill release",
	.has_command = true,
	.statuses = "0 done; 1 no such task, or a task of --lines did not exit with 0; 2 usage; 3 trouble; 4 timeout; 5 no task agent; 6 a limit, or not over; 7 denied; "
	    "124 run: fate unknown; 125 run: own failure; 126 run: not executable; 127 run: not found",
	.example = "rejoin-task device7 run -- make -C /srv/build",
};

_Static_assert(sizeof opts / sizeof *opts <= TASKCOMMAND_OPTIONS, "each option can be noted");

/* --- the command line */

static void
set_env(struct taskcommand_line *o, const char *text)
{
	_cleanup_free_ char *name = xstrndup(text, strcspn(text, "="));
	const char *value = strchr(text, '=') ? strchr(text, '=') + 1 : getenv(name);

	if (!*name)
		opt_misused("--env: no name: '%s'", text);
	taskcommand_need_utf8("--env", name);
	taskcommand_need_utf8("--env", value ? value : "");
	if (value)
		json_set_text(&o->verb.env, name, value);
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
parse_option(struct opt_scan *s, int key, struct taskcommand_line *o)
{
	taskcommand_note(o, s->opt);
	switch (key) {
	case KEY_ALL:
		o->verb.all = true;
		break;
	case KEY_DETACH:
		o->verb.detach = true;
		break;
	case 'e':
		set_env(o, s->arg);
		break;
	case 'f':
		o->verb.follow = true;
		break;
	case OPT_KEY_FORMAT:
		o->format = (int)opt_choice(s);
		break;
	case KEY_FROM:
		o->verb.from = opt_number(s, 0, INT64_MAX);
		break;
	case KEY_ID:
		o->verb.id = opt_number(s, 1, PARAMS_ID_MAX);
		break;
	case OPT_KEY_JSON:
		o->verb.json = true;
		o->format = 0;
		break;
	case KEY_KEEP:
		o->verb.keep = true;
		break;
	case KEY_LEASE:
		o->verb.timing.lease_ms = opt_duration(s);
		break;
	case KEY_LINES:
		o->verb.lines = true;
		break;
	case KEY_LOSS:
		o->leave = opt_choice(s) == 1;
		o->loss_given = true;
		break;
	case KEY_PERIOD:
		o->verb.timing.period_ms = opt_duration(s);
		break;
	case 's':
		o->verb.signo = signal_of(s->arg);
		break;
	case 'i':
		o->verb.give_stdin = true;
		break;
	case OPT_KEY_TIMEOUT:
		o->verb.timeout_ms = opt_duration(s);
		break;
	case KEY_USER:
		o->verb.user = s->arg;
		break;
	}
}

/* The status of misuse is that of the command, options that stand before it included. */
static void
note_command(char *argv[])
{
	while (*++argv && strcmp(*argv, "--") != 0) {
		const struct taskcommand *c = taskcommand_find(*argv);

		if (c && c->passes_on)
			opt_passes_on(TASKEVENT_FAILED);
	}
}

static const struct taskcommand *
parse(int argc, char *argv[], struct taskcommand_line *o)
{
	const struct taskcommand *c;
	struct opt_scan s;
	struct fail f;
	int key;

	note_command(argv);
	opt_begin(&s, argc, argv, &tool);
	while ((key = opt_next(&s)) != -1)
		parse_option(&s, key, o);
	o->operands = s.operands;
	o->verb.command = s.command;
	c = taskcommand_find(o->operands[0]);
	if (!c && o->operands[0] && (o->operands[1] || target_is_one(o->operands[0]))) {
		if (target_parse(*o->operands++, &o->verb.target, &f) < 0)
			opt_misused("%s", f.text);
		c = taskcommand_find(o->operands[0]);
	} else {
		target_parse("", &o->verb.target, &f);
	}
	if (!c && o->operands[0])
		opt_unknown_command(&tool, o->operands[0]);
	if (!c)
		opt_misused("what to do is missing: run, attach, log, list, history, kill or release");
	o->operands++;
	taskcommand_check(c, o);
	if (o->format < 0 && taskcommand_prints_records(c))
		o->format = opt_environment_format(&tool);
	o->verb.as_table = o->format < 0 ? isatty(STDOUT_FILENO) : o->format == 1;
	return c;
}

int
main(int argc, char *argv[])
{
	struct taskcommand_line o = { .format = -1, .verb = { .from = -1, .signo = SIGTERM,
	    .timing = LINK_TIMING, .env = json_object(), .ids = json_array() } };
	struct fail f = { .status = EXIT_TROUBLE, .text = "" };
	const struct taskcommand *c;
	int r;

	diag_init(argv);
	c = parse(argc, argv, &o);
	r = taskverbs_open(&o.verb, &f);
	if (r == 0)
		r = c->perform(&o.verb, &f);
	if (r < 0) {
		fail_tell(&f, NULL);
		r = c->passes_on ? TASKEVENT_FAILED : (int)f.status;
	}
	taskverbs_close(&o.verb);
	finish((enum exit_status)r);
}
