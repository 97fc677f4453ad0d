/*
 * rejoin-status - tell what an agent is doing.
 *
 * Prints one record: whether it runs and since when, what it is at, whom it
 * waits for, and how each component's last update ended.  With --until it
 * waits for a state and prints that.  The exit status tells as well.
 */
#include <stdio.h>
#include <string.h>

#include "agent/overview.h"
#include "agent/profile.h"
#include "agent/status.h"
#include "agent/status_text.h"
#include "agent/status_waiter.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/opt.h"
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
	.statuses = "0 idle and well, or STATE is reached; 1 the last deployment failed; 2 usage; 3 state unknown; 4 timeout; "
	    "5 not running; 6 busy; 7 denied",
	.example = "rejoin-status --until settled --timeout 5m",
};

enum format { JSONL, JSON, TABLE, KV };
enum until { NOW, IDLE, BUSY, READY, SETTLED };

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
		/* nothing is asked for that it has not seen to */
		return is_at_rest(s) && !s->pending && s->settled >= s->retries &&
		    !pending_exists(&v->pending);
	case NOW:
		break;
	}
	return true;
}

/* Its status when it is as wanted, or at the deadline; false then. */
static bool
look(const struct viewer *v, struct status *s)
{
	const int64_t end = clock_mono_ms() + v->timeout_ms;
	_cleanup_status_waiter_ struct status_waiter change;
	struct fail f;

	status_waiter_open(&change, v->profile);
	for (;;) {
		int64_t left = v->timeout_ms < 0 ? -1 : end - clock_mono_ms();

		if (status_read(v->profile, s, &f) < 0)
			fail_die(&f);
		if (is_reached(v, s))
			return true;
		if (v->timeout_ms >= 0 && left <= 0)
			return false;
		status_waiter_wait(&change, left);
	}
}

static void
print(const struct viewer *v, const struct status *s)
{
	_cleanup_json_ struct json record = overview_of(v->profile, s, pending_exists(&v->pending));
	_cleanup_buf_ struct buf b = BUF_INIT;

	switch (v->format) {
	case JSON:	/* one record is one document */
	case JSONL:
		json_print(record);
		break;
	case TABLE:
		overview_format(record, &b);
		break;
	case KV:
		overview_format_kv(record, &b);
		break;
	}
	fputs(b.s, stdout);
}

static enum exit_status
verdict(const struct viewer *v, const struct status *s)
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
	case AGENT_BUSY:	/* and that may be what was waited for */
		return v->until == NOW ? EXIT_BUSY : EXIT_OK;
	case AGENT_UNKNOWN:
		break;
	}
	return EXIT_TROUBLE;
}

int
main(int argc, char *argv[])
{
	struct viewer v = { .timeout_ms = -1, .format = isatty(STDOUT_FILENO) ? TABLE : JSONL };
	enum exit_status status;
	struct status s;
	struct opt_scan scan;
	bool reached;

	diag_init(argv);
	opt_begin(&scan, argc, argv, &tool);
	if (opt_environment_format(&tool) >= 0)
		v.format = (enum format)opt_environment_format(&tool);
	parse_options(&scan, &v);
	v.profile = profile_load_or_die(v.agent);
	pending_init(&v.pending, v.profile);
	reached = look(&v, &s);
	print(&v, &s);
	status = reached || s.running == 0 ? verdict(&v, &s) : EXIT_TIMEOUT;
	if (!reached)
		diag(0, "%s: not so in time: it is %s%s", v.profile->name, status_text_state(s.state),
		    pending_exists(&v.pending) ? ", and a retry is pending" : "");
	pending_release(&v.pending);
	profile_free(v.profile);
	finish(status);
}
