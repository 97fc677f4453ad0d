/*
 * rejoin-status - tell what an agent is doing.
 *
 * Prints one record: whether the agent runs and since when, its state, the
 * components that it waits for, and the last result of each component.  With
 * --until it waits for a state first.  The exit status tells the state, too.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/overview.h"
#include "agent/process.h"
#include "agent/profile.h"
#include "agent/status.h"
#include "agent/status_text.h"
#include "agent/status_waiter.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/dirs.h"
#include "base/json.h"
#include "base/opt.h"
#include "base/spawn.h"
#include "base/table.h"
#include "base/xalloc.h"
#include "doctor/codes.h"
#include "doctor/program.h"
#include "retry/pending.h"

enum { KEY_UNTIL = OPT_OWN };

static const struct opt opts[] = {
	OPT_AGENT,
	OPT_FORMAT("jsonl json table kv", "REJOIN_FORMAT, else table on a terminal, else jsonl"),
	OPT_JSON,
	OPT_TIMEOUT("with --until, give up after DUR", "none"),
	{ KEY_UNTIL, "until", "STATE", "wait until the agent is in STATE", .choices = "idle busy ready settled" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "tell what an agent is doing",
	.synopsis = "[-A NAME] [--until STATE] [--timeout DUR] [--format F]",
	.opts = opts,
	.statuses = "0 idle and well, or STATE is reached; 1 the last deployment failed; 2 usage; 3 unknown or hung; 4 timeout; "
	    "5 not running; 6 busy or needs a reboot; 7 denied",
	.example = "rejoin-status --until settled --timeout 5m",
};

enum format { JSONL, JSON, TABLE, KV };
enum until { NOW, IDLE, BUSY, READY, SETTLED };
enum { LOG_MS = 3000 };

static const char *const until_names[] = { "nothing", "idle", "busy", "ready", "settled" };

struct viewer {
	const char *agent;	/* NULL for the default */
	enum format format;
	enum until until;
	int64_t timeout_ms;	/* -1 for none */
	struct profile *profile;
	struct pending pending;
};

static void
parse_options(struct opt_scan *s, struct viewer *v)
{
	int key;

	while ((key = opt_next(s)) != -1) {
		switch (key) {
		case 'A':
			v->agent = s->arg;
			break;
		case OPT_KEY_FORMAT:
			v->format = (enum format)opt_choice(s);
			break;
		case OPT_KEY_JSON:
			v->format = JSONL;
			break;
		case OPT_KEY_TIMEOUT:
			v->timeout_ms = opt_duration(s);
			break;
		case KEY_UNTIL:
			v->until = (enum until)(opt_choice(s) + 1);
			break;
		}
	}
	opt_no_operands(s);
}

static bool
is_at_rest(const struct status *s)
{
	return s->state == AGENT_IDLE || (s->state == AGENT_FAILED && s->running != 0);
}

static bool
is_reached(const struct viewer *v, const struct status *s)
{
	switch (v->until) {
	case IDLE:
		return is_at_rest(s);
	case BUSY:
		return s->state == AGENT_BUSY;
	case READY:
		return is_at_rest(s) || s->state == AGENT_BUSY;
	case SETTLED:
		/* every request was delivered and evaluated */
		return is_at_rest(s) && !s->pending && s->settled >= s->retries &&
		    !pending_exists(&v->pending);
	case NOW:
		break;
	}
	return true;
}

/* Read the status until it is as --until wants it; false at the deadline. */
static bool
wait_for_state(const struct viewer *v, struct status *s)
{
	const int64_t end = clock_mono_ms() + v->timeout_ms;
	_cleanup_status_waiter_ struct status_waiter change;
	bool told = false;
	struct fail f;

	status_waiter_open(&change, v->profile);
	for (;;) {
		const char *const before = status_text_state(s->state);
		int64_t left = v->timeout_ms < 0 ? -1 : end - clock_mono_ms();

		if (status_read(v->profile, s, &f) < 0)
			fail_die(&f);
		if (is_reached(v, s))
			return true;
		if (!told || before != status_text_state(s->state))
			diag_note("%s: waiting for %s; it is %s%s%s%s", v->profile->name, until_names[v->until],
			    status_text_state(s->state), *s->phase ? ", " : "", s->phase,
			    pending_exists(&v->pending) ? ", and a retry request is pending" : "");
		told = true;
		if (v->timeout_ms >= 0 && left <= 0)
			return false;
		status_waiter_wait(&change, left);
	}
}

/* On a terminal: the last lines of the agent's log, if they can be had soon. */
static void
print_log(const struct viewer *v)
{
	_cleanup_free_ char *program = program_sibling("rejoin-log");
	const struct spawn_spec spec = { .argv = (char *[]){ program, (char[]){ "-q" }, (char[]){ "-n5" },
	    (char[]){ "-A" }, v->profile->name, NULL }, .timeout_ms = LOG_MS, .grace_ms = 100, .out_max = 16384 };
	const unsigned columns = table_columns(STDOUT_FILENO);
	_cleanup_buf_ struct buf shown = BUF_INIT;
	struct spawn_result r;

	if (v->format != TABLE || !isatty(STDOUT_FILENO) || v->profile->n_logs == 0)
		return;
	spawn_run(&spec, &r);
	for (char *line, *rest = r.out.s; r.status == 0 && (line = strsep(&rest, "\n")) && *line; ) {
		if (table_width(line) > columns)
			table_pad(line, columns, &shown);
		else
			table_escape(line, &shown);
		buf_putc(&shown, '\n');
	}
	if (shown.len)
		printf("\nLOG\n%s", shown.s);
	buf_release(&r.out);
	buf_release(&r.err);
}

static void
print_record(const struct viewer *v, const struct status *s)
{
	_cleanup_json_ struct json record = overview_of(v->profile, s, pending_exists(&v->pending));
	_cleanup_buf_ struct buf b = BUF_INIT;

	switch (v->format) {
	case JSON:	/* one record is one document */
	case JSONL:
		json_print(record);
		break;
	case TABLE:
		codes_name_results(&record);
		overview_format(record, &(struct overview_style){ .now_s = clock_wall_ms() / 1000,
		    .terminal = STDOUT_FILENO }, &b);
		break;
	case KV:
		overview_format_kv(record, &b);
		break;
	}
	fputs(b.s, stdout);
}

static enum exit_status
status_of(const struct viewer *v, const struct status *s)
{
	switch (s->state) {
	case AGENT_STOPPED:
		return EXIT_ABSENT;
	case AGENT_FAILED:	/* its last deployment, or its unit */
		return s->running == 0 ? EXIT_ABSENT : EXIT_NO;
	case AGENT_IDLE:
		return EXIT_OK;
	case AGENT_STARTING:
	case AGENT_STOPPING:
	case AGENT_BUSY:	/* that may be what was waited for */
		return v->until == NOW ? EXIT_BUSY : EXIT_OK;
	case AGENT_NEEDS_REBOOT:
		return EXIT_BUSY;
	case AGENT_HUNG:
	case AGENT_UNKNOWN:
		break;
	}
	return EXIT_TROUBLE;
}

/* A process that hangs cannot be asked, and its files tell what it did last. */
static void
check_hung(struct status *s)
{
	const char *why;

	if (s->running == 0 || s->pid <= 0 || !process_is_hung(s->pid, &why))
		return;
	s->state = AGENT_HUNG;
	snprintf(s->note, sizeof s->note, "process %jd is %s", (intmax_t)s->pid, why);
}

/* An ordinary user looks in directories of its own, where the system's agent is not.  true: that was said. */
static bool
mention_system(const struct viewer *v, const struct status *s)
{
	_cleanup_free_ char *path = xasprintf("%s/agent/status", dirs_runtime_system());
	const struct profile_status how = { .method = STATUS_FILE, .path = path };
	struct profile p = *v->profile;
	struct status other;
	struct fail f;

	if (s->running == 1 || geteuid() == 0 || strcmp(dirs_runtime(), dirs_runtime_system()) == 0 ||
	    secure_getenv("REJOIN_RUNTIME_DIR"))
		return false;
	p.status = how;
	if (status_read(&p, &other, &f) < 0 || other.running != 1)
		return false;
	diag_info("%s: looked in %s, a directory of the calling user", p.name, dirs_runtime());
	diag_hint("the system's agent runs: sudo rejoin-status, or REJOIN_RUNTIME_DIR=%s rejoin-status",
	    dirs_runtime_system());
	return true;
}

int
main(int argc, char *argv[])
{
	struct viewer v = { .timeout_ms = -1, .format = isatty(STDOUT_FILENO) ? TABLE : JSONL };
	enum exit_status status;
	struct status s = { 0 };
	struct opt_scan scan;
	bool reached, elsewhere;

	diag_init(argv);
	opt_begin(&scan, argc, argv, &tool);
	if (opt_environment_format(&tool) >= 0)
		v.format = (enum format)opt_environment_format(&tool);
	parse_options(&scan, &v);
	v.profile = profile_load_or_die(v.agent);
	pending_init(&v.pending, v.profile);
	reached = wait_for_state(&v, &s);
	check_hung(&s);
	elsewhere = mention_system(&v, &s);
	print_record(&v, &s);
	print_log(&v);
	if (v.format == TABLE && s.running == 0 && !elsewhere)
		diag_hint("rejoin-doctor -A %s says what to do", v.profile->name);
	status = reached || s.running == 0 ? status_of(&v, &s) : EXIT_TIMEOUT;
	if (!reached)
		diag(0, "%s: timed out waiting for %s; it is %s%s", v.profile->name, until_names[v.until],
		    status_text_state(s.state),
		    pending_exists(&v.pending) ? ", and a retry request is pending" : "");
	pending_release(&v.pending);
	profile_free(v.profile);
	finish(status);
}
