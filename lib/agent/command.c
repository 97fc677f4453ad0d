#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/command.h"
#include "base/spawn.h"

enum { OUT_MAX = 65536, GRACE_MS = 500 };

/* The first line of TEXT, not as long as F. */
static void
first_line(const char *text, struct fail *f)
{
	f->hint[0] = '\0';
	snprintf(f->text, sizeof f->text, "%.*s", (int)strcspn(text, "\n"), text);
}

int
command_capture(const char *const *argv, int64_t timeout_ms, struct buf *out, struct fail *f)
{
	/* execvp(3) takes no const, and changes nothing */
	const union { const char *const *ours; char *const *theirs; } words = { .ours = argv };
	const struct spawn_spec spec = { .argv = words.theirs,
	    .timeout_ms = timeout_ms > 0 ? timeout_ms : 1, .grace_ms = GRACE_MS, .out_max = OUT_MAX };
	_cleanup_buf_ struct buf what = BUF_INIT;
	struct spawn_result r;
	int status;

	buf_reset(out);
	spawn_run(&spec, &r);
	spawn_describe(&r, &what);
	status = r.status;
	if (r.timed_out) {
		fail_set(f, EXIT_TIMEOUT, "%s: %s", argv[0], what.s);
		status = -ETIMEDOUT;
	} else if (r.error) {
		status = fail_set(f, EXIT_TROUBLE, "%s: %s", argv[0], what.s);
	} else {
		f->status = EXIT_OK;
		first_line(*r.err.s ? r.err.s : what.s, f);
		buf_add(out, r.out.s, r.out.len);
	}
	buf_release(&r.out);
	buf_release(&r.err);
	return status;
}
