#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/process.h"
#include "agent/status.h"
#include "agent/status_text.h"
#include "agent/systemd.h"
#include "doctor/checks.h"

enum { SYSTEMCTL_MS = 5000 };

/* An agent that ends again and again runs whenever it is checked. */
static void
check_unit(struct exam *x)
{
	const char *unit = x->profile->unit;
	struct systemd_unit u;
	struct fail f;

	if (!unit || access("/run/systemd/system", F_OK) < 0 ||
	    systemd_show(unit, SYSTEMCTL_MS, &u, NULL, &f) < 0)
		return;
	if (strcmp(u.reload, "yes") == 0) {
		exam_warn(x, unit, "its file changed on disk, and the manager uses the old one");
		exam_advise(x, "systemctl daemon-reload");
	}
	if (strcmp(u.result, "start-limit-hit") == 0) {
		exam_fail(x, unit, "has used up its start limit, so systemctl start is refused");
		exam_advise(x, "systemctl reset-failed %s; then rejoin-restart -A %s", unit, x->profile->name);
	}
	if (u.restarts == 0)
		return;
	exam_warn(x, unit, "ended by itself and was started again %" PRId64 " times since its last start "
	    "on request", u.restarts);
	exam_advise(x, "journalctl -u %s says why", unit);
}

static void
advise_to_start(struct exam *x)
{
	const struct profile *p = x->profile;

	if (p->unit)
		exam_advise(x, "systemctl reset-failed %s; systemctl start %s; journalctl -u %s says why it "
		    "ended", p->unit, p->unit, p->unit);
	else
		exam_advise(x, "start it");
}

static void
report_running(struct exam *x, const struct status *s)
{
	const char *name = x->profile->name;

	switch (s->state) {
	case AGENT_HUNG:
		exam_fail(x, name, "hangs: %s", s->note);
		exam_advise(x, "rejoin-restart -A %s --force", name);
		return;
	case AGENT_FAILED:
		if (x->profile->status.method == STATUS_BUSY_PATH) {
			exam_warn(x, name, "%s", s->note);
			exam_advise(x, "rejoin-retry -A %s: the agent evaluates its deployment again", name);
			return;
		}
		exam_warn(x, name, "runs, and its last deployment failed: %" PRId32, s->result);
		exam_advise(x, "rejoin-status -A %s shows which component; rejoin-doctor explain CODE "
		    "what an Azure code means", name);
		return;
	case AGENT_UNKNOWN:
		exam_warn(x, name, "runs%s%s, and its state is unknown%s%s",
		    *s->since ? " since " : "", s->since, *s->note ? ": " : "", s->note);
		if (x->profile->retry.only_when_idle && !x->profile->retry.send_when_unknown)
			exam_advise(x, "a request is held back until then; rejoin-retry --force, or "
			    "when-unknown = send in %s", x->profile->file);
		return;
	default:
		break;
	}
	exam_ok(x, name, "runs%s%s, %s%s%s%s%s", *s->since ? " since " : "", s->since,
	    status_text_state(s->state), *s->incarnation ? ", incarnation " : "", s->incarnation,
	    *s->note ? "; " : "", s->note);
}

void
agent_test(struct exam *x)
{
	const char *name = x->profile->name;
	const char *why;
	struct status s;
	struct fail f;

	if (status_read(x->profile, &s, &f) < 0) {
		exam_fail_as(x, x->profile->name, &f);
		return;
	}
	if (s.pid > 0 && s.running != 0 && process_is_hung(s.pid, &why)) {
		s.state = AGENT_HUNG;
		snprintf(s.note, sizeof s.note, "process %jd is %s", (intmax_t)s.pid, why);
	}
	if (s.running > 0 || s.state == AGENT_HUNG || (s.running < 0 && *s.state_since)) {
		report_running(x, &s);
	} else if (s.running == 0) {
		exam_fail(x, name, "is not running%s%s", *s.note ? ": " : "", s.note);
		advise_to_start(x);
	} else {
		exam_warn(x, name, "whether it runs is unknown%s%s", *s.note ? ": " : "", s.note);
		exam_advise(x, x->profile->unit ? "systemd does not run here, or control groups are not "
		    "mounted" : "name its unit in [agent], or say how to see it in [status]");
	}
	check_unit(x);
}
