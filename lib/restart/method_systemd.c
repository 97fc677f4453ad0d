#include <stdio.h>
#include <string.h>

#include "agent/command.h"
#include "agent/incarnation.h"
#include "agent/systemd.h"
#include "base/clock.h"
#include "restart/method.h"

/* Exit status of systemctl(1) without permission (LSB). */
enum { SYSTEMCTL_DENIED = 4, SHOW_MS = 10000 };

/* The manager uses the monotonic clock, which stands still while the machine sleeps. */
static int64_t
began_ms(const struct systemd_unit *u)
{
	return u->began_us ? u->began_us / 1000 + clock_boot_ms() - clock_mono_ms() : -1;
}

static bool
is_running(const struct systemd_unit *u)
{
	return strcmp(u->active, "active") == 0 || strcmp(u->active, "reloading") == 0 ||
	    strcmp(u->active, "deactivating") == 0 ||
	    (strcmp(u->active, "activating") == 0 && strcmp(u->sub, "auto-restart") != 0);
}

static int
inspect_systemd(const struct profile *p, int64_t end_ms, struct instance_state *l, struct fail *f)
{
	int64_t left = restart_method_left_ms(end_ms);
	struct systemd_unit u;
	/* a manager under load gets the time for one answer, also after the deadline */
	int r = systemd_show(p->unit, left > SHOW_MS ? left : SHOW_MS, &u, NULL, f);

	if (r < 0)
		return r;
	if (strcmp(u.load, "masked") == 0)
		return fail_set(f, EXIT_TROUBLE, "%s: the unit is masked", p->unit);
	if (strcmp(u.load, "loaded") != 0)
		return fail_set(f, EXIT_TROUBLE, "%s: no such unit (%s)", p->unit, u.load);
	*l = (struct instance_state){ .running = is_running(&u), .pid = u.pid, .began_ms = began_ms(&u),
	    .is_up = strcmp(u.active, "active") == 0,
	    .has_ended = strcmp(u.active, "failed") == 0 || strcmp(u.active, "inactive") == 0 };
	if (l->running)
		strcpy(l->name, u.invocation);
	snprintf(l->text, sizeof l->text, "%.40s (%.40s), %.40s", u.active, u.sub, u.result);
	return 0;
}

/*
 * A unit that failed may have used up its start limit, and Result= does not always
 * say so; it is reset, as the limit is meant for automatic restarts.
 */
static void
reset_failed(const struct restart_method_call *c)
{
	const char *argv[] = { "systemctl", "--no-ask-password", "reset-failed", "--", c->p->unit, NULL };
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct fail f;

	(void)command_capture(argv, restart_method_left_ms(c->end_ms), &out, &f);
}

static bool
is_limited(const struct restart_method_call *c)
{
	struct systemd_unit u;
	struct fail f;

	return systemd_show(c->p->unit, SHOW_MS, &u, NULL, &f) == 0 &&
	    strcmp(u.result, "start-limit-hit") == 0;
}

static int
restart_by_systemd(const struct restart_method_call *c, struct fail *f)
{
	const char *argv[] = { "systemctl", "--no-ask-password",
	    c->conditional ? "try-restart" : "restart", "--", c->p->unit, NULL };
	struct systemd_unit u;
	struct fail why;
	int r;

	if (systemd_show(c->p->unit, SHOW_MS, &u, NULL, &why) == 0) {
		if (strcmp(u.active, "failed") == 0)
			reset_failed(c);
		if (strcmp(u.reload, "yes") == 0)
			fail_set(c->warning, EXIT_OK, "%s: its file changed on disk, and the manager uses the old "
			    "one: systemctl daemon-reload", c->p->unit);
	}
	r = restart_method_run(c, argv, &why);
	/* restarts on request count, too */
	if (r > 0 && is_limited(c)) {
		reset_failed(c);
		r = restart_method_run(c, argv, &why);
	}
	if (r == 0)
		return 0;
	if (r < 0)
		*f = why;
	else
		fail_set(f, r == SYSTEMCTL_DENIED ? EXIT_DENIED : EXIT_NO, "%s: %s", c->p->unit,
		    why.text);
	return r < 0 ? r : -1;
}

static void
describe_systemd(const struct profile *p, bool conditional, struct buf *out)
{
	buf_printf(out, "argv\tsystemctl %s %s\n", conditional ? "try-restart" : "restart", p->unit);
}

const struct restart_method restart_method_systemd = {
	"systemd", inspect_systemd, restart_by_systemd, describe_systemd, true, 0
};
