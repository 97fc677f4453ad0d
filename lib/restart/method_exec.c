#include "agent/command.h"
#include "restart/method.h"
#include "restart/pidfile.h"

static int
restart_by_exec(const struct restart_method_call *c, struct fail *f)
{
	char **argv = c->p->restart.argv;
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct fail why;
	int r = command_capture((const char *const *)argv, restart_method_left_ms(c->end_ms), &out, &why);

	if (r == 0)
		return 0;
	if (r > 0)
		return fail_set(f, EXIT_NO, "%s: %s", argv[0], why.text);
	*f = why;
	return r;
}

static void
describe(const struct profile *p, bool conditional, struct buf *out)
{
	(void)conditional;
	restart_method_describe_argv("argv", p->restart.argv, out);
}

const struct restart_method restart_method_exec = { "exec", pidfile_inspect, restart_by_exec, describe, false, 0 };
