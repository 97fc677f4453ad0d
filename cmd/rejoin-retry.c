/*
 * rejoin-retry - ask an agent to evaluate its deployment again.
 *
 * Records the request as pending, then delivers it when the agent is idle: any
 * number of pending requests become one.  Installed as adu-trigger-reprocess, it
 * replaces the bridge script of the Azure agent's documentation.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/profile.h"
#include "agent/reason.h"
#include "base/diag.h"
#include "base/opt.h"
#include "base/xalloc.h"
#include "retry/bridge.h"
#include "retry/pending.h"
#include "retry/preview.h"
#include "retry/request_stream.h"
#include "retry/retry.h"

enum {
	KEY_AGAIN = OPT_OWN, KEY_REASON, KEY_QUEUE, KEY_DRAIN, KEY_STDIN, KEY_DEBOUNCE, KEY_FORCE, KEY_DRY_RUN, KEY_INSTANCE,
};

static const struct opt opts[] = {
	{ KEY_AGAIN, "again", NULL, "send the again-command of the profile" },
	OPT_AGENT,
	{ KEY_DEBOUNCE, "debounce", "DUR", "deliver once no request has come for DUR", .preset = "debounce of the profile" },
	{ KEY_DRAIN, "drain", NULL, "deliver pending requests; record none" },
	{ KEY_DRY_RUN, "dry-run", NULL, "print what would be done and exit" },
	{ KEY_FORCE, "force", NULL, "deliver even if the agent is not idle" },
	{ KEY_INSTANCE, "instance", "NAME", "ask to retry the instance NAME alone" },
	{ KEY_QUEUE, "queue", NULL, "record the request and return at once" },
	{ KEY_REASON, "reason", "TEXT", "log TEXT as the reason of the request" },
	{ KEY_STDIN, "stdin", NULL, "record a request per line of input, deliver when the input pauses" },
	OPT_TIMEOUT("give up after DUR", "30s"),
	OPT_WAIT("wait for the evaluation and exit with its result"),
	OPT_COMMON
};

static const struct opt_tool tool = {
	.purpose = "ask an agent to evaluate its deployment again",
	.synopsis = "[-A NAME] [--reason TEXT] [--queue | --drain | --stdin]\n"
	    "\t[--debounce DUR] [--wait] [--timeout DUR] [--force]\n\t[--again | --instance NAME] [--dry-run]",
	.opts = opts,
	.statuses = "0 delivered; 1 with --wait the evaluation failed; 2 usage; 3 trouble; 4 timeout; 5 not running; 6 busy; "
	    "7 denied",
	.example = "rejoin-retry --reason 'camera plugged in' --wait",
};

enum { TIMEOUT_MS = 30000 };

enum mode { ADD_AND_DRAIN, QUEUE, DRAIN, STDIN };

struct retry {
	enum mode mode;
	const char *agent;		/* NULL for the default */
	char reason[REASON_MAX + 1];	/* empty for none */
	int64_t debounce_ms;		/* -1: the profile's */
	int64_t timeout_ms;
	const char *instance;		/* NULL for none */
	bool again, wait, force, dry_run;
	bool bridge;			/* called as adu-trigger-reprocess */
	enum exit_status stream_status;	/* of the last burst of --stdin */
	struct profile *profile;
	struct pending pending;
};

static enum exit_status
record_request(const struct retry *r, const char *reason)
{
	struct fail f;

	/* while lines are read for a long time, the directory may be removed */
	if ((r->mode == STDIN && pending_open(&r->pending, &f) < 0) ||
	    (r->instance ? pending_add_instance(&r->pending, r->instance, reason, &f) :
	    pending_add(&r->pending, reason, r->again, &f)) < 0)
		return fail_end(&f);
	diag_note("%s: request recorded%s%s", r->profile->name, *reason ? ": " : "", reason);
	return EXIT_OK;
}

static void
report_delivery(const char *reasons, void *cookie)
{
	const struct retry *r = cookie;

	diag_journal("%s: delivered%s%s", r->profile->name, *reasons ? ": " : "", reasons);
}

static void
report_lock(const char *holder, void *cookie)
{
	const struct retry *r = cookie;

	diag(0, "%s: held by %s, which does not release it; delivering without the lock",
	    r->pending.lock, holder);
}

/* Deliver what is pending, after DEBOUNCE_MS; the status tells how that went. */
static enum exit_status
drain(struct retry *r, int64_t debounce_ms)
{
	const struct retry_spec spec = {
		.debounce_ms = debounce_ms, .timeout_ms = r->timeout_ms, .force = r->force,
		/* a path unit starts its service over and over while a request is pending */
		.wait_lock = r->wait || r->mode == DRAIN,
		.delivered = report_delivery, .lock_ignored = report_lock, .cookie = r,
	};
	struct retry_outcome o = { 0 };
	struct fail f;

	diag_note("%s: delivering", r->profile->name);
	if (retry_drain(r->profile, &r->pending, &spec, &o, &f) < 0) {
		fail_end(&f);
		/* the script passed on the exit status of the command */
		return r->bridge && o.last.status && !o.timed_out ? (enum exit_status)o.last.status :
		    f.status;
	}
	if (o.delivered == 0)
		diag_note("%s: %s", r->profile->name, o.coalesced ?
		    "coalesced with a pending request" : "delivered by another process");
	if (r->wait && retry_follow(r->profile, &o.last, o.end_ms, &f) < 0)
		return fail_end(&f);
	return EXIT_OK;
}

static bool
record_line(const char *reason, void *cookie)
{
	struct retry *r = cookie;

	if (record_request(r, reason) == EXIT_OK)
		return true;
	r->stream_status = EXIT_TROUBLE;
	return false;
}

static void
deliver_burst(void *cookie)
{
	struct retry *r = cookie;

	r->stream_status = drain(r, 0);
}

static enum exit_status
drain_stdin(struct retry *r)
{
	const struct request_stream stream = { .fd = STDIN_FILENO, .debounce_ms = r->debounce_ms,
	    .record = record_line, .deliver = deliver_burst, .cookie = r };
	int e = request_stream_run(&stream);

	if (e < 0)
		die(EXIT_TROUBLE, e, "standard input");
	return pending_exists(&r->pending) ? drain(r, 0) : r->stream_status;
}

static enum exit_status
dry_run(const struct retry *r)
{
	const struct preview_spec spec = { .instance = r->instance, .debounce_ms = r->debounce_ms, .force = r->force };
	_cleanup_buf_ struct buf text = BUF_INIT;
	enum exit_status status = preview_format(r->profile, &r->pending, &spec, &text);

	fwrite(text.s, 1, text.len, stdout);
	return status;
}

static void
set_mode(struct retry *r, enum mode mode)
{
	if (r->mode != ADD_AND_DRAIN && r->mode != mode)
		opt_misused("--queue, --drain and --stdin cannot be combined");
	r->mode = mode;
}

static void
parse_options(struct opt_scan *s, struct retry *r)
{
	int key;

	while ((key = opt_next(s)) != -1) {
		switch (key) {
		case 'A':
			r->agent = s->arg;
			break;
		case KEY_AGAIN:
			r->again = true;
			break;
		case KEY_INSTANCE:
			if (!pending_is_instance_name(s->arg))
				opt_misused("--instance: '%s' is no name: 1 to %d bytes without blanks", s->arg,
				    PENDING_INSTANCE_MAX);
			r->instance = s->arg;
			break;
		case KEY_REASON:
			reason_clean(s->arg, strlen(s->arg), r->reason);
			break;
		case KEY_QUEUE:
		case KEY_DRAIN:
		case KEY_STDIN:
			set_mode(r, key == KEY_QUEUE ? QUEUE : key == KEY_DRAIN ? DRAIN : STDIN);
			break;
		case KEY_DRY_RUN:
			r->dry_run = true;
			break;
		case KEY_DEBOUNCE:
			r->debounce_ms = opt_duration(s);
			break;
		case KEY_FORCE:
			r->force = true;
			break;
		case OPT_KEY_WAIT:
			r->wait = true;
			break;
		case OPT_KEY_TIMEOUT:
			r->timeout_ms = opt_duration(s);
			break;
		}
	}
}

/* As adu-trigger-reprocess: agent, syslog tag, operand and ADU_AGENT_BIN of the script. */
static void
be_bridge(struct opt_scan *s, struct retry *r)
{
	const char *reason = s->n_operands > 0 ? *s->operands : "unspecified";

	if (s->n_operands > 1)
		opt_misused("%s: unexpected operand", s->operands[1]);
	diag_set_tag("adu-trigger-reprocess");
	diag_to_syslog();
	reason_clean(reason, strlen(reason), r->reason);
	r->profile = profile_load_or_die(r->agent ? r->agent : "adu");
	diag_note("Requesting deployment re-evaluation (reason: %s)", r->reason);
	bridge_ask_by_environment(r->profile);
}

static enum exit_status
run_retry(struct retry *r)
{
	enum exit_status status;
	struct fail f;

	if (r->instance && retry_check_instance(r->profile, &f) < 0)
		return fail_end(&f);
	if (r->dry_run)
		return dry_run(r);
	if ((r->again && retry_check_again(r->profile, &f) < 0) ||
	    (r->wait && retry_check_followable(r->profile, &f) < 0))
		return fail_end(&f);
	if (pending_open(&r->pending, &f) < 0)
		return fail_end(&f);
	switch (r->mode) {
	case STDIN:
		return drain_stdin(r);
	case DRAIN:
		return retry_is_due(r->profile, &r->pending) ? drain(r, r->debounce_ms) : EXIT_OK;
	case QUEUE:
		return record_request(r, r->reason);
	case ADD_AND_DRAIN:
		status = record_request(r, r->reason);
		return status == EXIT_OK ? drain(r, r->debounce_ms) : status;
	}
	abort();
}

int
main(int argc, char *argv[])
{
	struct retry r = { .debounce_ms = -1, .timeout_ms = TIMEOUT_MS };
	enum exit_status status;
	struct opt_scan s;

	diag_init(argv);
	signal(SIGPIPE, SIG_IGN);
	r.bridge = bridge_is_name(diag_name());
	opt_begin(&s, argc, argv, &tool);
	parse_options(&s, &r);
	if (r.instance && (r.again || r.wait || r.mode == DRAIN || r.mode == STDIN))
		opt_misused("--instance cannot be combined with --again, --wait, --drain and --stdin");
	if (r.bridge)
		be_bridge(&s, &r);
	else
		opt_no_operands(&s);
	if (!r.profile)
		r.profile = profile_load_or_die(r.agent);
	if (r.mode == DRAIN)	/* its unit tries again every few seconds, and one line each time is enough */
		fail_set_next_step("%s", "");
	if (r.debounce_ms < 0)
		r.debounce_ms = r.profile->retry.debounce_ms;
	pending_init(&r.pending, r.profile);
	status = run_retry(&r);
	if (r.bridge && status != EXIT_OK)
		diag(0, "retry-update failed (rc=%d)", status);
	pending_release(&r.pending);
	profile_free(r.profile);
	finish(status);
}
