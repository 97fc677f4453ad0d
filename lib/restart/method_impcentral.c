/*
 * impCentral accepts a restart of a device that is offline, too, and performs it
 * when the device connects.  So the restart is followed in the device's log and
 * state (imp/device.h), and a device that stays offline is distinguished from one
 * that did not restart.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "imp/device.h"
#include "restart/method.h"

/* The server limits the rate of requests. */
enum { LOOK_MS = 1000, ASK_MS = 5000 };

/* One login for all requests of this process. */
struct session {
	struct imp_account account;
	struct imp *imp;
	bool asked;		/* a restart was requested */
	char run[IMP_RUN_TEXT];	/* run of the device at the last inspection */
};

static int
session_open(const struct profile *p, int64_t end_ms, struct session **out, struct fail *f)
{
	static struct session s;
	int r = 0;

	if (!s.imp) {
		r = imp_account_load(p->restart.account, &s.account, f);
		if (r == 0)
			r = imp_open(&s.account, &s.imp, f);
		if (r < 0)
			imp_account_release(&s.account);
	}
	if (r == 0)
		imp_deadline(s.imp, end_ms);
	*out = &s;
	return r;
}

static int
inspect_impcentral(const struct profile *p, int64_t end_ms, struct instance_state *l, struct fail *f)
{
	struct imp_device d;
	struct session *s;
	int64_t least = clock_mono_ms() + ASK_MS;
	int r = session_open(p, end_ms > least ? end_ms : least, &s, f);

	if (r == 0)
		r = imp_device_read_run(s->imp, p->restart.device, s->run, &d, f);
	if (r < 0)
		return r;
	strcpy(s->run, d.run);
	*l = (struct instance_state){ .running = d.online, .began_ms = -1, .is_up = d.online };
	snprintf(l->name, sizeof l->name, "%s", d.run);
	if (d.online)
		snprintf(l->text, sizeof l->text, "online since %s", d.changed_at);
	else
		snprintf(l->text, sizeof l->text, "offline since %s%s", d.changed_at,
		    s->asked ? ", will restart when it connects" : "");
	return 0;
}

static int
restart_by_impcentral(const struct restart_method_call *c, struct fail *f)
{
	struct session *s;
	int r = session_open(c->p, c->end_ms, &s, f);

	if (r == 0)
		r = imp_device_restart(s->imp, c->p->restart.device, c->conditional, f);
	s->asked = r == 0;
	return r;
}

static void
describe_impcentral(const struct profile *p, bool conditional, struct buf *out)
{
	buf_printf(out, "request\t%s of device %s\n", conditional ? "conditional_restart" : "restart",
	    p->restart.device);
}

const struct restart_method restart_method_impcentral = { "impcentral", inspect_impcentral, restart_by_impcentral, describe_impcentral, false, LOOK_MS };
