/*
 * rejoin-ready - tell a first start from a restart, by a readiness handshake.
 *
 * A peer announces that it is ready; an agent that starts is told whether both
 * started, it alone, or the peer is offline, and runs its work cycle once.  A
 * gate passes lines on only while the peer is ready.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "ready/cycle_runner.h"
#include "ready/gate.h"
#include "ready/handshake.h"
#include "ready/readiness.h"

enum { KEY_INCARNATION = OPT_OWN, KEY_GRACE, KEY_CONNECTED, KEY_POLL, KEY_ON, KEY_DROP };

static const struct opt opts[] = {
	{ KEY_CONNECTED, "connected", "ARGV", "wait, run: the peer is connected if the command ARGV exits with 0" },
	{ KEY_DROP, "drop-oldest", "SIZE", "gate: while closed keep up to SIZE of input and drop the oldest beyond" },
	{ KEY_GRACE, "grace", "DUR", "wait, run: wait up to DUR for an announcement", .preset = "30s" },
	{ KEY_INCARNATION, "incarnation", "ID", "use ID, up to 128 bytes, as the instance id of the caller",
	    .preset = "INVOCATION_ID, or the process" },
	{ KEY_ON, "on", "VERDICT ARGV", "run: run the command ARGV as well on VERDICT",
	    .choices = "cold-start agent-restart peer-offline peer-restart", .repeats = true },
	{ KEY_POLL, "poll", "DUR", "run: with --connected, ask again every DUR while the peer is offline" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "tell a first start from a restart by a readiness handshake",
	.synopsis = "announce PEER [--incarnation ID]\nforget PEER\n"
	    "wait PEER [--incarnation ID] [--grace DUR]\n\t[--connected ARGV]\n"
	    "run PEER [--incarnation ID] [--grace DUR]\n"
	    "\t[--connected ARGV [--poll DUR]] [--on VERDICT ARGV]...\n\t-- CYCLE [ARGS]\n"
	    "gate PEER [--drop-oldest SIZE]",
	.opts = opts,
	.operands = OPT_PEERS, .words = "announce forget wait run gate", .has_command = true,
	.statuses = "0 done; 1 wait: the peer is offline; 2 usage; 3 trouble; 7 denied; run: the status of CYCLE; "
	    "125 run failed; 126 CYCLE cannot be run; 127 CYCLE not found",
	.example = "rejoin-ready run lamp --connected 'ping -c 1 lamp' -- ./cycle",
};

enum { GRACE_MS = 30000, KEEP_MAX = 1 << 30 };

struct ready {
	const char *peer;
	const char *incarnation;	/* NULL: found out */
	int64_t grace_ms, poll_ms;
	int64_t keep_bytes;		/* of a closed gate; -1: it does not read */
	char **connected;
	char **on[VERDICTS];
	char *const *cycle;		/* what follows, empty but for "run" */
	unsigned int given;		/* the options, a bit each */
	struct readiness place;
	struct readiness_self self;
};

#define BIT(key)	(1U << ((key) - OPT_OWN))

/* --- the sub-commands */

static int
announce(struct ready *r)
{
	struct fail f;

	if (readiness_self_peer(r->incarnation, &r->self, &f) < 0 ||
	    readiness_announce(&r->place, r->self.id, &f) < 0)
		fail_die(&f);
	diag_note("%s: announced: incarnation %s", r->peer, r->self.id);
	return EXIT_OK;
}

static int
forget(struct ready *r)
{
	struct fail f;

	if (readiness_forget(&r->place, &f) < 0)
		fail_die(&f);
	return EXIT_OK;
}

static int
wait_for_verdict(struct ready *r)
{
	const struct handshake_spec spec = { .place = &r->place, .self = &r->self,
	    .grace_ms = r->grace_ms, .connected = r->connected, .report = fail_tell };
	struct readiness_now now;
	enum readiness_verdict v;
	struct fail f;

	/* the caller begins its cycle on any verdict but peer-offline: record that */
	if (readiness_self_agent(r->incarnation, &r->self, &f) < 0 ||
	    handshake_wait(&spec, &v, &now, &f) < 0 || (v != VERDICT_PEER_OFFLINE &&
	    readiness_begin(&r->place, &r->self, v, &now, &f) < 0))
		fail_die(&f);
	puts(verdict_name(v));
	return v == VERDICT_PEER_OFFLINE ? EXIT_NO : EXIT_OK;
}

/* Our stdout is the cycle's: a verdict that could not be printed is no reason not to work. */
static void
print_verdict(enum readiness_verdict v, void *cookie)
{
	(void)cookie;
	if (diag_is_quiet())
		return;
	puts(verdict_name(v));
	if (fflush(stdout) != 0) {
		diag(errno, "standard output");
		clearerr(stdout);
	}
}

static int
run_cycle(struct ready *r)
{
	struct cycle_runner_spec spec = {
		.place = &r->place, .self = &r->self, .peer = r->peer,
		.grace_ms = r->grace_ms, .poll_ms = r->poll_ms, .connected = r->connected,
		.cycle = r->cycle, .verdict = print_verdict, .report = fail_tell, .cookie = r,
	};
	struct fail f;

	for (int v = 0; v < VERDICTS; v++)
		spec.on[v] = r->on[v];
	if (readiness_self_agent(r->incarnation, &r->self, &f) < 0) {
		fail_tell(&f, NULL);
		return CYCLE_RUNNER_FAILED;
	}
	return cycle_runner_run(&spec);
}

static void
report_dropped(int64_t lines, int64_t bytes, void *cookie)
{
	const struct ready *r = cookie;

	diag_info("%s: dropped %jd lines, %jd bytes, the oldest, while the gate was closed", r->peer,
	    (intmax_t)lines, (intmax_t)bytes);
}

static int
gate(struct ready *r)
{
	const struct gate_spec spec = { .in = STDIN_FILENO, .out = STDOUT_FILENO,
	    .keep_bytes = r->keep_bytes, .dropped = report_dropped, .cookie = r };
	struct fail f;

	if (gate_run(&spec, &r->place, &f) < 0)
		fail_die(&f);
	return EXIT_OK;
}

static const struct command {
	const char *name;
	int (*perform)(struct ready *r);	/* the status to end with */
	unsigned int takes;			/* options, besides the toolkit's */
} commands[] = {
	{ "announce", announce, BIT(KEY_INCARNATION) },
	{ "forget", forget, 0 },
	{ "wait", wait_for_verdict, BIT(KEY_INCARNATION) | BIT(KEY_GRACE) | BIT(KEY_CONNECTED) },
	{ "run", run_cycle, BIT(KEY_INCARNATION) | BIT(KEY_GRACE) | BIT(KEY_CONNECTED) | BIT(KEY_POLL) |
	    BIT(KEY_ON) },
	{ "gate", gate, BIT(KEY_DROP) },
};

/* --- the command line */

/* "VERDICT ARGV" in one argument or in two. */
static void
parse_on(struct opt_scan *s, struct ready *r)
{
	size_t n = strcspn(s->arg, " \t");
	_cleanup_free_ char *name = xstrndup(s->arg, n);
	char *text = s->arg + n + strspn(s->arg + n, " \t");
	struct opt_scan verdict = *s, argv = *s;
	enum readiness_verdict v;

	verdict.arg = name;
	(void)opt_choice(&verdict);
	if (verdict_parse(name, &v) < 0)
		abort();
	argv.arg = *text ? text : opt_another(s);
	if (!argv.arg)
		opt_misused("--on %s: requires a command ARGV", name);
	xfree_strv(r->on[v]);
	r->on[v] = opt_argv(&argv);
}

static void
parse_options(struct opt_scan *s, struct ready *r)
{
	int key;

	while ((key = opt_next(s)) != -1) {
		r->given |= BIT(key);
		switch (key) {
		case KEY_INCARNATION:
			r->incarnation = s->arg;
			break;
		case KEY_GRACE:
			r->grace_ms = opt_duration(s);
			break;
		case KEY_POLL:
			r->poll_ms = opt_duration(s);
			break;
		case KEY_CONNECTED:
			xfree_strv(r->connected);
			r->connected = opt_argv(s);
			break;
		case KEY_ON:
			parse_on(s, r);
			break;
		case KEY_DROP:
			r->keep_bytes = opt_size(s, 0, KEEP_MAX);
			break;
		default:
			abort();
		}
	}
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	opt_unknown_command(&tool, name);
}

/* "run" passes on a status: its own failures, a wrong command line among them, have one apart. */
static void
note_run(int argc, char *argv[])
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "run") == 0)
			opt_passes_on(CYCLE_RUNNER_FAILED);
}

/* Options may stand before the sub-command, after it, and after the peer. */
static const struct command *
parse(int argc, char *argv[], struct ready *r)
{
	static char *const none[] = { NULL };
	const struct command *c;
	struct opt_scan s;

	note_run(argc, argv);
	opt_begin(&s, argc, argv, &tool);
	parse_options(&s, r);
	if (s.n_operands == 0)
		opt_misused_hint("sub-commands: announce, forget, wait, run, gate", "requires a sub-command");
	c = find_command(s.operands[0]);
	opt_passes_on(c->perform == run_cycle ? CYCLE_RUNNER_FAILED : EXIT_USAGE);
	/* what follows "--" is the command of "run", and the peer of the others */
	if (c->perform != run_cycle && s.n_operands == 1 && s.command && *s.command) {
		s.operands = s.command - 1;
		for (s.n_operands = 1; s.operands[s.n_operands]; s.n_operands++)
			;
		s.command = NULL;
	}
	if (s.n_operands < 2 || !*s.operands[1])
		opt_misused("%s: requires an operand PEER", c->name);
	r->peer = s.operands[1];
	r->cycle = s.command ? s.command : none;
	for (const struct opt *o = opts; o->name; o++)
		if (o->key >= OPT_OWN && r->given & BIT(o->key) & ~c->takes)
			opt_misused("%s: --%s does not apply", c->name, o->name);
	if (s.n_operands > 2 && c->perform == run_cycle && !s.command)
		opt_misused_hint("the command of the cycle follows '--'", "%s: unexpected operand", s.operands[2]);
	if (s.n_operands > 2)
		opt_misused("%s: unexpected operand", s.operands[2]);
	if (c->perform == run_cycle && !*r->cycle)
		opt_misused("run: requires a command CYCLE after '--'");
	if (c->perform != run_cycle && *r->cycle)
		opt_misused("%s: unexpected operand", *r->cycle);
	if (r->poll_ms > 0 && !r->connected)
		opt_misused("--poll: requires --connected");
	return c;
}

int
main(int argc, char *argv[])
{
	struct ready r = { .grace_ms = GRACE_MS, .keep_bytes = -1 };
	const struct command *c;
	struct fail f;
	int status;

	diag_init(argv);
	c = parse(argc, argv, &r);
	if (readiness_open(&r.place, r.peer, &f) < 0 ||
	    ((c->perform == run_cycle || c->perform == wait_for_verdict) && readiness_open_state(&r.place, &f) < 0)) {
		fail_tell(&f, NULL);
		status = c->perform == run_cycle ? CYCLE_RUNNER_FAILED : (int)f.status;
	} else {
		status = c->perform(&r);
	}
	readiness_close(&r.place);
	xfree_strv(r.connected);
	for (int v = 0; v < VERDICTS; v++)
		xfree_strv(r.on[v]);
	finish((enum exit_status)status);
}
