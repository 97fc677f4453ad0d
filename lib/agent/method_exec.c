#include "agent/command.h"
#include "agent/method.h"
#include "agent/seat.h"

static int
act(const struct method_call *c, struct fail *f)
{
	char **argv = c->p->restart.argv;
	_cleanup_buf_ struct buf out = BUF_INIT;
	struct fail why;
	int r = command_ask((const char *const *)argv, method_left_ms(c->end_ms), &out, &why);

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
	method_describe_argv("argv", p->restart.argv, out);
}

const struct method method_exec = { "exec", seat_look, act, describe, false, 0 };
