#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/overview.h"
#include "agent/process.h"
#include "agent/status.h"
#include "agent/status_text.h"
#include "agent/systemd.h"
#include "doctor/checks.h"

enum { SYSTEMCTL_MS = 5000 };

/* An agent in a restart loop may well be running at the moment of the check: ask the unit, too. */
static void
check_unit(struct doctor_run *x)
{
	const char *unit = x->profile->unit;
	struct systemd_unit u;
	struct fail f;

	if (!unit || access("/run/systemd/system", F_OK) < 0 ||
	    systemd_show(unit, SYSTEMCTL_MS, &u, NULL, &f) < 0)
		return;
	if (strcmp(u.reload, "yes") == 0) {
		doctor_warn(x, unit, "the unit file changed on disk, and systemd uses the old one");
		doctor_advise(x, "systemctl daemon-reload");
	}
	if (strcmp(u.result, "start-limit-hit") == 0) {
		doctor_fail(x, unit, "has used up its start limit, so systemctl start is refused");
		doctor_advise(x, "systemctl reset-failed %s; then rejoin-restart -A %s", unit, x->profile->name);
	}
	if (u.restarts == 0)
		return;
	doctor_warn(x, unit, "was restarted by systemd %" PRId64 " times since its last start on request",
	    u.restarts);
	doctor_advise(x, "journalctl -u %s says why", unit);
}

/* The next step for an agent that is not running: what its unit shows decides. */
static void
advise_to_start(struct doctor_run *x)
{
	const struct profile *p = x->profile;
	struct systemd_unit u;
	struct fail f;

	if (!p->unit)
		doctor_advise(x, "start it");
	else if (access("/run/systemd/system", F_OK) < 0)
		doctor_advise(x, "start it; systemd is not running here, which would start %s", p->unit);
	else if (systemd_show(p->unit, SYSTEMCTL_MS, &u, NULL, &f) < 0 || strcmp(u.active, "failed") == 0)
		doctor_advise(x, "systemctl reset-failed %s; systemctl start %s; journalctl -u %s says why it "
		    "ended", p->unit, p->unit, p->unit);
	else if (strcmp(u.load, "not-found") == 0)
		doctor_advise(x, "install the agent, whose unit is %s; or name another in [agent] of %s", p->unit, p->file);
	else if (strcmp(u.load, "masked") == 0)
		doctor_advise(x, "systemctl unmask %s; systemctl enable --now %s", p->unit, p->unit);
	else
		doctor_advise(x, "systemctl enable --now %s", p->unit);
}

static void
report_running(struct doctor_run *x, const struct status *s)
{
	const char *name = x->profile->name;
	char id[64];
	const char *incarnation = overview_incarnation(x->profile, s, id);

	switch (s->state) {
	case AGENT_HUNG:
		doctor_fail(x, name, "hangs: %s", s->note);
		doctor_advise(x, "rejoin-restart -A %s --force", name);
		return;
	case AGENT_FAILED:
		if (x->profile->status.method == STATUS_BUSY_PATH) {
			doctor_warn(x, name, "%s", s->note);
			doctor_advise(x, "rejoin-retry -A %s: the agent evaluates its deployment again", name);
			return;
		}
		doctor_warn(x, name, "is running, and its last deployment failed: %" PRId32, s->result);
		doctor_advise(x, "rejoin-status -A %s shows which component; rejoin-doctor explain CODE "
		    "what an Azure code means", name);
		return;
	case AGENT_UNKNOWN:
		doctor_warn(x, name, "is running%s%s, and its state is unknown%s%s",
		    *s->since ? " since " : "", s->since, *s->note ? ": " : "", s->note);
		if (x->profile->retry.only_when_idle && !x->profile->retry.send_when_unknown)
			doctor_advise(x, "requests are held back until its state is known; rejoin-retry --force, "
			    "or when-unknown = send in %s", x->profile->file);
		return;
	default:
		break;
	}
	doctor_ok(x, name, "is running%s%s, %s%s%s%s%s", *s->since ? " since " : "", s->since,
	    status_text_state(s->state), *incarnation ? ", incarnation " : "", incarnation,
	    *s->note ? "; " : "", s->note);
}

void
agent_check_run(struct doctor_run *x)
{
	const char *name = x->profile->name;
	const char *why;
	struct status s;
	struct fail f;

	if (status_read(x->profile, &s, &f) < 0) {
		doctor_fail_as(x, x->profile->name, &f);
		doctor_advise(x, "%s", *f.hint ? f.hint : "rejoin-doctor profile: see what it says about [status]");
		return;
	}
	if (s.pid > 0 && s.running != 0 && process_is_hung(s.pid, &why)) {
		s.state = AGENT_HUNG;
		snprintf(s.note, sizeof s.note, "process %jd is %s", (intmax_t)s.pid, why);
	}
	if (s.running > 0 || s.state == AGENT_HUNG || (s.running < 0 && *s.state_since)) {
		report_running(x, &s);
	} else if (s.running == 0) {
		doctor_fail(x, name, "is not running%s%s", *s.note ? ": " : "", s.note);
		advise_to_start(x);
	} else {
		doctor_warn(x, name, "it is unknown whether it is running%s%s", *s.note ? ": " : "", s.note);
		doctor_advise(x, x->profile->unit ? "systemd is not running here, or control groups are not "
		    "mounted" : "set unit in [agent], or a method in [status]");
	}
	check_unit(x);
}
