#include "base/clock.h"
#include "base/spawn.h"
#include "retry/method.h"

enum { GRACE_MS = 2000 };

static int
send_exec(const struct profile *p, int64_t end_ms, const struct delivery *last,
    struct delivery *d, struct fail *f)
{
	const int64_t left = end_ms - clock_mono_ms();
	const struct spawn_spec spec = { .argv = p->retry.argv, .timeout_ms = left > 0 ? left : 1,
	    .grace_ms = GRACE_MS, .err_inherit = true };
	_cleanup_buf_ struct buf what = BUF_INIT;
	struct spawn_result r;
	int e = 0;

	retry_method_set_target(p, 0, last, d);
	spawn_run(&spec, &r);
	d->status = r.status;
	if (r.status != 0) {
		spawn_describe(&r, &what);
		e = fail_set(f, r.timed_out ? EXIT_TIMEOUT : r.error ? EXIT_TROUBLE : EXIT_NO,
		    "%s: %s", p->retry.argv[0], what.s);
	}
	buf_release(&r.out);
	buf_release(&r.err);
	return e;
}

static int
describe_exec(const struct profile *p, struct buf *out, struct fail *f)
{
	(void)f;
	buf_puts(out, "method\texec\n");
	for (char **a = p->retry.argv; *a; a++)
		buf_printf(out, "argv\t%s\n", *a);
	return 0;
}

const struct retry_method retry_method_exec = { send_exec, describe_exec };
