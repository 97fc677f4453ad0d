#include "restart/method.h"
#include "restart/pidfile.h"

static int
restart_by_exec(const struct restart_method_call *c, struct fail *f)
{
	char **argv = c->p->restart.argv;
	struct fail why;
	int r = restart_method_run(c, (const char *const *)argv, &why);

	if (r == 0)
		return 0;
	if (r > 0)
		return fail_set(f, EXIT_NO, "%s: %s", argv[0], why.text);
	*f = why;
	return r;
}

static void
describe_exec(const struct profile *p, bool conditional, struct buf *out)
{
	(void)conditional;
	restart_method_describe_argv("argv", p->restart.argv, out);
}

const struct restart_method restart_method_exec = {
	"exec", pidfile_inspect, restart_by_exec, describe_exec, false, 0
};
