/*
 * rejoin-restart - restart an agent and verify the restart.
 *
 * Waits for other restarts and for an idle agent, restarts it by the method of its
 * profile, and succeeds when another incarnation is ready and stays.  Each restart
 * is recorded in a history.
 */
#include <stdio.h>
#include <string.h>

#include "agent/instance_state.h"
#include "agent/profile.h"
#include "agent/reason.h"
#include "base/diag.h"
#include "base/opt.h"
#include "restart/restart.h"

enum { KEY_CONDITIONAL = OPT_OWN, KEY_DRY_RUN, KEY_FORCE, KEY_REASON };

static const struct opt opts[] = {
	OPT_AGENT,
	{ KEY_CONDITIONAL, "conditional", NULL, "restart the agent only if it is running" },
	{ KEY_DRY_RUN, "dry-run", NULL, "print what would be done and exit" },
	{ KEY_FORCE, "force", NULL, "restart the agent even if it is not idle" },
	{ KEY_REASON, "reason", "TEXT", "record TEXT in the history as the reason" },
	OPT_TIMEOUT("give up after DUR: once for the agent to become idle, once for it to become ready",
	    "timeout of the profile, else 30s"),
	OPT_COMMON
};

static const struct opt_tool options = {
	.purpose = "restart an agent and verify the restart",
	.synopsis = "[-A NAME] [--reason TEXT] [--timeout DUR]\n\t[--force] [--conditional] [--dry-run]",
	.opts = opts,
	.statuses = "0 restarted; 1 did not restart; 2 usage; 3 trouble; 4 timeout; 5 not running; 6 busy or over the limit; "
	    "7 denied",
	.example = "rejoin-restart -A adu --reason 'new certificate'",
};

struct restarter {
	const char *agent;	/* NULL for the default */
	bool dry_run;
	struct restart_spec spec;
	struct profile *profile;
};

static void
parse_options(struct opt_scan *s, struct restarter *t)
{
	int key;

	while ((key = opt_next(s)) != -1) {
		switch (key) {
		case 'A':
			t->agent = s->arg;
			break;
		case KEY_CONDITIONAL:
			t->spec.conditional = true;
			break;
		case KEY_DRY_RUN:
			t->dry_run = true;
			break;
		case KEY_FORCE:
			t->spec.force = true;
			break;
		case KEY_REASON:
			reason_clean(s->arg, strlen(s->arg), t->spec.reason);
			break;
		case OPT_KEY_TIMEOUT:
			t->spec.timeout_ms = opt_duration(s);
			break;
		}
	}
	opt_no_operands(s);
}

static enum exit_status
dry_run(const struct restarter *t)
{
	_cleanup_buf_ struct buf how = BUF_INIT;
	enum exit_status status = EXIT_OK;
	struct fail f;

	if (restart_describe(t->profile, &t->spec, &how, &f) < 0) {
		status = fail_end(&f);
	}
	printf("agent\t%s\nprofile\t%s\n%s", t->profile->name, t->profile->file, how.s);
	return status;
}

static enum exit_status
run_restart(const struct restarter *t)
{
	const char *name = t->profile->name;
	struct restart_outcome o;
	struct fail f;
	int r = restart(t->profile, &t->spec, &o, &f);

	if (r < 0) {
		if (o.by_another)
			diag_info("%s: restarted by another process", name);
		return fail_end(&f);
	}
	if (o.by_another)
		diag_info("%s: restarted by another process: %s", name, o.after.name);
	else if (*o.before.name)
		diag_info("%s: restarted: %s -> %s, ready after %.1f s", name, o.before.name,
		    o.after.name, (double)o.ready_ms / 1000);
	else
		diag_info("%s: started: %s, ready after %.1f s", name, o.after.name,
		    (double)o.ready_ms / 1000);
	return EXIT_OK;
}

int
main(int argc, char *argv[])
{
	struct restarter t = { .spec = { .timeout_ms = -1, .warn = fail_tell } };
	enum exit_status status;
	struct opt_scan s;

	diag_init(argv);
	opt_begin(&s, argc, argv, &options);
	parse_options(&s, &t);
	t.spec.asked_ms = instance_state_own_start_ms();
	t.profile = profile_load_or_die(t.agent);
	status = t.dry_run ? dry_run(&t) : run_restart(&t);
	profile_free(t.profile);
	finish(status);
}
