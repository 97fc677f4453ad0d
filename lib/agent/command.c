#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent/command.h"
#include "base/loop.h"
#include "base/spawn.h"

enum { OUT_MAX = 65536, GRACE_MS = 500 };

static void
set_first_line(const char *text, struct fail *f)
{
	f->hint[0] = '\0';
	snprintf(f->text, sizeof f->text, "%.*s", (int)strcspn(text, "\n"), text);
}

struct capture {
	struct loop *loop;
	int pidfd;
	void (*fn)(void *cookie);	/* the process of PIDFD has ended */
	void *cookie;
	const char *program;
	struct buf *out;
	struct fail *f;
	int status;			/* the result of command_capture() */
};

static void
program_ended(const struct spawn_result *r, void *cookie)
{
	struct capture *c = cookie;
	_cleanup_buf_ struct buf what = BUF_INIT;

	spawn_describe(r, &what);
	c->status = r->status;
	if (r->timed_out) {
		fail_set(c->f, EXIT_TIMEOUT, "%s: %s", c->program, what.s);
		c->status = -ETIMEDOUT;
	} else if (r->error) {
		c->status = fail_set(c->f, EXIT_TROUBLE, "%s: %s", c->program, what.s);
	} else {
		c->f->status = EXIT_OK;
		set_first_line(*r->err.s ? r->err.s : what.s, c->f);
		buf_add(c->out, r->out.s, r->out.len);
	}
	loop_stop(c->loop, 0);
}

static void
process_ended(int fd, short events, void *cookie)
{
	const struct capture *c = cookie;

	(void)events;
	loop_unwatch(c->loop, fd);
	c->fn(c->cookie);
}

int
command_capture_watching(const char *const *argv, int64_t timeout_ms, int pidfd,
    void (*fn)(void *cookie), void *cookie, struct buf *out, struct fail *f)
{
	/* execvp(3) takes no const, and changes nothing */
	const union { const char *const *ours; char *const *theirs; } words = { .ours = argv };
	const struct spawn_spec spec = { .argv = words.theirs,
	    .timeout_ms = timeout_ms > 0 ? timeout_ms : 1, .grace_ms = GRACE_MS, .out_max = OUT_MAX };
	struct capture c = { .loop = loop_new(), .pidfd = pidfd, .fn = fn, .cookie = cookie,
	    .program = argv[0], .out = out, .f = f };

	buf_reset(out);
	f->text[0] = '\0';
	if (pidfd >= 0)
		loop_watch(c.loop, pidfd, POLLIN, process_ended, &c);
	spawn_start(c.loop, &spec, program_ended, &c);
	loop_run(c.loop);
	loop_free(c.loop);
	return c.status;
}

int
command_capture(const char *const *argv, int64_t timeout_ms, struct buf *out, struct fail *f)
{
	return command_capture_watching(argv, timeout_ms, -1, NULL, NULL, out, f);
}
