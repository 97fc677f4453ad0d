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
#include "base/ini.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "ready/cycle_runner.h"
#include "ready/gate.h"
#include "ready/handshake.h"
#include "ready/readiness.h"

enum { KEY_INCARNATION = OPT_OWN, KEY_GRACE, KEY_CONNECTED, KEY_POLL, KEY_ON, KEY_DROP };

static const struct opt opts[] = {
	{ KEY_CONNECTED, "connected", "ARGV", "ask ARGV whether the peer is connected" },
	{ KEY_DROP, "drop-oldest", "SIZE", "gate: keep SIZE while closed, drop beyond" },
	{ KEY_GRACE, "grace", "DUR", "let the peer announce itself for DUR (30s)" },
	{ KEY_INCARNATION, "incarnation", "ID", "whose life this is" },
	{ KEY_ON, "on", "VERDICT ARGV", "run: run ARGV, too, on VERDICT" },
	{ KEY_POLL, "poll", "DUR", "run: ask again while the peer is offline" },
	OPT_COMMON
};

static const char synopsis[] = "announce PEER [--incarnation ID]\n"
	"       forget PEER\n"
	"       wait PEER [--incarnation ID] [--grace DUR] [--connected ARGV]\n"
	"       run PEER [--incarnation ID] [--grace DUR] [--connected ARGV [--poll DUR]]\n"
	"           [--on VERDICT ARGV]... -- CYCLE [ARGS]\n"
	"       gate PEER [--drop-oldest SIZE]";

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

	if (readiness_peer(r->incarnation, &r->self, &f) < 0 ||
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
	    .grace_ms = r->grace_ms, .connected = r->connected, .tell = fail_tell };
	struct readiness_now now;
	enum readiness_verdict v;
	struct fail f;

	/* who is told that the peer is there begins its work */
	if (readiness_agent(r->incarnation, &r->self, &f) < 0 ||
	    handshake_wait(&spec, &v, &now, &f) < 0 || (v != VERDICT_PEER_OFFLINE &&
	    readiness_begin(&r->place, &r->self, v, &now, &f) < 0))
		fail_die(&f);
	puts(readiness_verdict_name(v));
	return v == VERDICT_PEER_OFFLINE ? EXIT_NO : EXIT_OK;
}

/* Our stdout is the cycle's: a verdict that could not be printed is no reason not to work. */
static void
print_verdict(enum readiness_verdict v, void *cookie)
{
	(void)cookie;
	if (diag_is_quiet())
		return;
	puts(readiness_verdict_name(v));
	if (fflush(stdout) != 0) {
		diag(errno, "standard output");
		clearerr(stdout);
	}
}

static int
run(struct ready *r)
{
	struct cycle_runner_spec spec = {
		.place = &r->place, .self = &r->self, .peer = r->peer,
		.grace_ms = r->grace_ms, .poll_ms = r->poll_ms, .connected = r->connected,
		.cycle = r->cycle, .verdict = print_verdict, .tell = fail_tell, .cookie = r,
	};
	struct fail f;

	for (int v = 0; v < VERDICTS; v++)
		spec.on[v] = r->on[v];
	if (readiness_agent(r->incarnation, &r->self, &f) < 0) {
		fail_tell(&f, NULL);
		return CYCLE_RUNNER_FAILED;
	}
	return cycle_runner_run(&spec);
}

static void
tell_dropped(int64_t lines, int64_t bytes, void *cookie)
{
	const struct ready *r = cookie;

	diag_info("%s: dropped %jd lines, %jd bytes, the oldest, while the gate was closed", r->peer,
	    (intmax_t)lines, (intmax_t)bytes);
}

static int
gate(struct ready *r)
{
	const struct gate_spec spec = { .in = STDIN_FILENO, .out = STDOUT_FILENO,
	    .keep_bytes = r->keep_bytes, .dropped = tell_dropped, .cookie = r };
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
	{ "run", run, BIT(KEY_INCARNATION) | BIT(KEY_GRACE) | BIT(KEY_CONNECTED) | BIT(KEY_POLL) |
	    BIT(KEY_ON) },
	{ "gate", gate, BIT(KEY_DROP) },
};

/* --- the command line */

/* TEXT as a command and its arguments, as systemd splits it. */
static char **
words_of(const char *what, const char *text)
{
	char **words = ini_split(text);

	if (!words || !words[0])
		opt_misused("%s: not a command: '%s'", what, text);
	return words;
}

/* "VERDICT ARGV" in one argument or in two. */
static void
parse_on(int argc, char *argv[], struct ready *r)
{
	size_t n = strcspn(optarg, " \t");
	_cleanup_free_ char *name = xstrndup(optarg, n);
	const char *text = optarg + n + strspn(optarg + n, " \t");
	enum readiness_verdict v;

	if (readiness_verdict_parse(name, &v) < 0)
		opt_misused("--on: not a verdict: '%s' (cold-start, agent-restart, peer-offline, "
		    "peer-restart)", name);
	if (!*text && optind < argc)
		text = argv[optind++];
	xfree_strv(r->on[v]);
	r->on[v] = words_of("--on", text);
}

static void
parse_options(int argc, char *argv[], struct ready *r)
{
	int key;

	while ((key = opt_next(argc, argv, opts, synopsis)) != -1) {
		if (key >= OPT_OWN)
			r->given |= BIT(key);
		switch (key) {
		case KEY_INCARNATION:
			r->incarnation = optarg;
			break;
		case KEY_GRACE:
			r->grace_ms = opt_duration("--grace");
			break;
		case KEY_POLL:
			r->poll_ms = opt_duration("--poll");
			break;
		case KEY_CONNECTED:
			xfree_strv(r->connected);
			r->connected = words_of("--connected", optarg);
			break;
		case KEY_ON:
			parse_on(argc, argv, r);
			break;
		case KEY_DROP:
			if (num_parse_size(optarg, &r->keep_bytes) < 0 || r->keep_bytes > KEEP_MAX)
				opt_misused("--drop-oldest: not a size up to 1G: '%s'", optarg);
			break;
		}
	}
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	opt_misused("not known: '%s' (announce, forget, wait, run, gate)", name);
}

/* Options may stand before the sub-command, after it, and after the peer. */
static const struct command *
parse(int argc, char *argv[], struct ready *r)
{
	const struct command *c;

	parse_options(argc, argv, r);
	if (optind == argc)
		opt_misused("what to do is missing: announce, forget, wait, run or gate");
	c = find_command(argv[optind++]);
	if (c->perform == run)
		opt_passes_on(CYCLE_RUNNER_FAILED);
	parse_options(argc, argv, r);
	if (optind == argc || !*argv[optind])
		opt_misused("%s: the peer's name is missing", c->name);
	r->peer = argv[optind++];
	parse_options(argc, argv, r);
	r->cycle = argv + optind;
	for (const struct opt *o = opts; o->name; o++)
		if (o->key >= OPT_OWN && r->given & BIT(o->key) & ~c->takes)
			opt_misused("%s: --%s is for others", c->name, o->name);
	if (c->perform == run && optind == argc)
		opt_misused("run: the cycle's command is missing");
	if (c->perform != run && optind < argc)
		opt_misused("an operand is not expected: '%s'", argv[optind]);
	if (r->poll_ms > 0 && !r->connected)
		opt_misused("--poll is for --connected");
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
	if (readiness_open(&r.place, r.peer, &f) < 0) {
		fail_tell(&f, NULL);
		status = c->perform == run ? CYCLE_RUNNER_FAILED : (int)f.status;
	} else {
		status = c->perform(&r);
	}
	readiness_close(&r.place);
	xfree_strv(r.connected);
	for (int v = 0; v < VERDICTS; v++)
		xfree_strv(r.on[v]);
	finish((enum exit_status)status);
}
