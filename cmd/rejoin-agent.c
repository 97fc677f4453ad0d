/*
 * rejoin-agent - bring the components of a device to a goal
 *
 * Runs in the foreground.  Reads the goal from a file or a server and evaluates it at start,
 * when it changes, and when a retry is received through the command pipe.  The
 * components are enumerated each time.  Exits with EXIT_OK on SIGINT and SIGTERM,
 * with EXIT_BUSY if another agent holds the lock.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/profile.h"
#include "base/diag.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "deploy/agent_config.h"
#include "deploy/verify.h"
#include "module/agent_run.h"

enum { OPT_GOAL = OPT_OWN, OPT_STATE, OPT_ONCE, OPT_VERIFY };

static const struct opt opts[] = {
	OPT_AGENT,
	{ OPT_GOAL, "goal", "URL", "read the goal from URL: file:PATH with an absolute PATH, or an http: or https: address", .preset = "goal of agent.conf" },
	{ 'j', "jobs", "N", "work on up to N components at a time", .preset = "jobs of agent.conf" },
	{ OPT_ONCE, "once", NULL, "evaluate the goal once and exit with its result" },
	{ OPT_STATE, "state", "DIR", "keep desired and current state, journal and payloads in DIR",
	    .preset = "agent in the state directory" },
	{ OPT_VERIFY, "verify", "FILE", "check the signature and the files of the goal in FILE, and print what is in it" },
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "bring the components of a device to a goal",
	.synopsis = "[-A NAME] [--goal URL] [--state DIR] [--jobs N] [--once]\n[--verify FILE]",
	.opts = opts,
	.statuses = "0 stopped on request, or with --once all is installed; 1 with --once a component failed; "
	    "2 usage or settings; 3 trouble; 6 another agent is running; 7 denied",
	.example = "rejoin-agent --once --goal file:/srv/updates/goal.json",
};

struct options {
	const char *agent;	/* the profile; NULL for the default one */
	const char *goal, *state, *verify;
	int64_t jobs;
	bool once;
};

static void
parse_options(struct options *o, int argc, char *argv[])
{
	struct opt_scan s;
	int key;

	opt_begin(&s, argc, argv, &tool);
	while ((key = opt_next(&s)) != -1)
		switch (key) {
		case 'A':
			o->agent = s.arg;
			break;
		case 'j':
			o->jobs = opt_number(&s, 1, 256);
			break;
		case OPT_GOAL:
			o->goal = s.arg;
			break;
		case OPT_STATE:
			o->state = s.arg;
			break;
		case OPT_ONCE:
			o->once = true;
			break;
		case OPT_VERIFY:
			o->verify = s.arg;
			break;
		default:
			abort();
		}
	opt_no_operands(&s);
}

/* What is in the goal, and an end with the status that says whether it may be trusted. */
NORETURN static void
verify_file(const char *path)
{
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct fail f = { .status = EXIT_OK };
	int r = verify_goal(path, &out, &f);

	fwrite(out.s, 1, out.len, stdout);
	if (r < 0)
		fail_tell(&f, NULL);
	finish(r < 0 ? f.status : EXIT_OK);
}

/* With --once there is nothing else to ask what went wrong. */
static void
hint_about_goal(const struct options *o, const struct profile *p)
{
	if (o->goal)
		diag_hint("'rejoin-goal check FILE' reviews a goal, and 'rejoin-goal make' writes one");
	else
		diag_hint("rejoin-doctor -A %s config says what is wrong with the goal and its place", p->name);
}

int
main(int argc, char *argv[])
{
	struct options o = { .agent = NULL };
	_cleanup_free_ char *state = NULL;
	struct profile *p;
	struct fail f;
	int r;

	diag_init(argv);
	parse_options(&o, argc, argv);
	if (o.verify)
		verify_file(o.verify);
	p = profile_load_or_die(o.agent);
	state = o.state ? xstrdup(o.state) : agent_config_state_dir();
	r = agent_run(&(struct agent_run_spec){ .profile = p, .inventories = (char *[]){ p->inventory, NULL },
	    .state = state, .goal = o.goal, .jobs = o.jobs, .once = o.once }, &f);
	if (r < 0)
		fail_die(&f);
	if (o.once && r == EXIT_TROUBLE)
		hint_about_goal(&o, p);
	profile_free(p);
	finish((enum exit_status)r);
}
