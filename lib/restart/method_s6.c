#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/command.h"
#include "base/num.h"
#include "restart/method.h"

/* s6-svc(1) and s6-svstat(1) exit with 1 or 100 if the service is not supervised. */
enum { ASK_MS = 10000 };

/* Parse "true 4711 false": up, pid, ready. */
static int
parse_svstat(const struct profile *p, char *answer, struct instance_state *l, struct fail *f)
{
	char *rest = answer, *up = strsep(&rest, " "), *pid = strsep(&rest, " ");
	char *ready = strsep(&rest, " \n");
	int64_t n;

	if (!ready || num_parse(pid, -1, INT32_MAX, &n) < 0)
		return fail_set(f, EXIT_TROUBLE, "%s: unexpected answer of s6-svstat: '%s'",
		    p->restart.service, answer);
	*l = (struct instance_state){ .began_ms = -1 };
	if (strcmp(up, "true") == 0 && n > 0) {
		int r = instance_state_of_process((pid_t)n, l);

		if (r < 0 && r != -ESRCH)	/* else it has ended since */
			return fail_errno(f, r, "%s: process %jd", p->name, (intmax_t)n);
	}
	l->is_up = l->running && strcmp(ready, "true") == 0;
	snprintf(l->text, sizeof l->text, "%s", !l->running ? "down" : l->is_up ? "ready" : "up");
	return 0;
}

static int
inspect_s6(const struct profile *p, int64_t end_ms, struct instance_state *l, struct fail *f)
{
	const char *argv[] = { "s6-svstat", "-o", "up,pid,ready", p->restart.service, NULL };
	int64_t left = restart_method_left_ms(end_ms);
	_cleanup_buf_ struct buf answer = BUF_INIT;
	struct fail why;
	int r = command_capture(argv, left > ASK_MS ? left : ASK_MS, &answer, &why);

	if (r == 0)
		return parse_svstat(p, answer.s, l, f);
	if (r > 0)
		return fail_set(f, EXIT_TROUBLE, "%s: %s", p->restart.service, why.text);
	*f = why;
	return r;
}

static int
restart_by_s6(const struct restart_method_call *c, struct fail *f)
{
	const char *argv[] = { "s6-svc", c->before->running ? "-r" : "-u", c->p->restart.service, NULL };
	struct fail why;
	int r = restart_method_run(c, argv, &why);

	if (r == 0)
		return 0;
	if (r < 0)
		*f = why;
	else
		fail_set(f, strstr(why.text, strerror(EACCES)) ? EXIT_DENIED : EXIT_TROUBLE, "%s: %s",
		    c->p->restart.service, why.text);
	return r < 0 ? r : -1;
}

static void
describe_s6(const struct profile *p, bool conditional, struct buf *out)
{
	(void)conditional;
	buf_printf(out, "argv\ts6-svc -r %s\n", p->restart.service);
}

const struct restart_method restart_method_s6 = { "s6", inspect_s6, restart_by_s6, describe_s6, false, 0 };
