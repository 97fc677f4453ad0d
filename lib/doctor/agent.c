#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "agent/status.h"
#include "agent/status_text.h"
#include "agent/systemd.h"
#include "doctor/checks.h"

enum { SYSTEMCTL_MS = 5000 };

/* One that ends again and again is up whenever somebody looks. */
static void
tell_of_restarts(struct exam *x)
{
	const char *unit = x->profile->unit;
	struct systemd_unit u;
	struct fail f;

	if (!unit || access("/run/systemd/system", F_OK) < 0 ||
	    systemd_show(unit, SYSTEMCTL_MS, &u, NULL, &f) < 0 || u.restarts == 0)
		return;
	exam_warn(x, unit, "ended by itself, and systemd started it again, %" PRId64 " times since it was "
	    "last started on purpose", u.restarts);
	exam_advise(x, "journalctl -u %s says why", unit);
}

static void
advise_to_start(struct exam *x)
{
	const struct profile *p = x->profile;

	if (p->unit)
		exam_advise(x, "systemctl start %s; journalctl -u %s says why it ended", p->unit, p->unit);
	else
		exam_advise(x, "start it");
}

static void
tell_of_running(struct exam *x, const struct status *s)
{
	const char *name = x->profile->name;

	switch (s->state) {
	case AGENT_FAILED:
		exam_warn(x, name, "runs, and its last deployment failed: %" PRId32, s->result);
		exam_advise(x, "rejoin-status -A %s shows which component; rejoin-doctor explain CODE "
		    "what an Azure code means", name);
		return;
	case AGENT_UNKNOWN:
		exam_warn(x, name, "runs%s%s, and what it does cannot be told%s%s",
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
	struct status s;
	struct fail f;

	if (status_read(x->profile, &s, &f) < 0) {
		exam_fail_as(x, x->profile->name, &f);
		return;
	}
	if (s.running > 0) {
		tell_of_running(x, &s);
	} else if (s.running == 0) {
		exam_fail(x, name, "is not running%s%s", *s.note ? ": " : "", s.note);
		advise_to_start(x);
	} else {
		exam_warn(x, name, "whether it runs cannot be told%s%s", *s.note ? ": " : "", s.note);
		exam_advise(x, x->profile->unit ? "systemd does not run here, or control groups are not "
		    "mounted" : "name its unit in [agent], or say how to see it in [status]");
	}
	tell_of_restarts(x);
}
