#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/diag.h"
#include "base/filewatch.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "deploy/command_pipe.h"
#include "retry/frame.h"

enum {
	RESYNC_MS = 1000,	/* an incomplete frame is dropped after this time */
	RUNTIME_POLL_MS = 5000,
	ROUND = 16,		/* reads of the pipe per call */
};

struct command_pipe {
	struct loop *loop;
	const struct profile *profile;
	struct runtime *runtime;
	struct command_pipe_callbacks on;
	char call[FRAME_SIZE];	/* the last one of a link that was read */
	struct frame_reader frames;
	struct loop_timer resync;
	struct filewatch *filewatch;	/* of the runtime directory */
};

/* The frame was not completed in time: its writer does not write frames. */
static void
on_resync(void *cookie)
{
	struct command_pipe *c = cookie;
	char command[FRAME_SIZE];
	size_t n = frame_drop(&c->frames, command);

	if (n > 0)
		diag_info("%s: a frame of %zu bytes, '%s', ignored", c->profile->retry.path, n, command);
}

/* The frames that name what they are for: an instance, or the call of a link. */
enum { NAMED_INSTANCE, NAMED_CALL };

static void
on_named(size_t which, const char *name, void *cookie)
{
	struct command_pipe *c = cookie;

	if (which == NAMED_CALL)	/* of several, the last */
		snprintf(c->call, sizeof c->call, "%s", name);
	else
		c->on.instance(name, c->on.cookie);
}

/*
 * Any number of retries is one flag to the reconciler.  A flood of frames fills
 * neither the log nor the loop: one line and at most ROUND reads per call.
 */
static void
on_command(int fd, short events, void *cookie)
{
	struct command_pipe *c = cookie;
	const char *const names[] = { c->profile->retry.command, c->profile->retry.again_command, NULL };
	struct frame_haul h = { .named_commands = { [NAMED_INSTANCE] = c->profile->retry.instance_command,
	    [NAMED_CALL] = c->profile->retry.call_command }, .named = on_named, .cookie = c };
	char block[4096];
	ssize_t n;

	(void)events;
	for (int i = 0; i < ROUND && (n = io_read(fd, block, sizeof block)) > 0; i++)
		frame_sort(&c->frames, block, (size_t)n, names, &h);
	if (*c->call)
		c->on.call(c->call, c->on.cookie);
	*c->call = '\0';
	if (c->frames.len > 0)
		loop_timer_set(c->loop, &c->resync, RESYNC_MS);
	else
		loop_timer_stop(c->loop, &c->resync);
	if (h.ignored > 0)
		diag_info("%s: command '%s' is not known, ignored (%u such)",
		    c->profile->retry.path, h.sample, h.ignored);
	if (h.asked > 0) {
		diag_note("%u retry request%s", h.asked, h.asked == 1 ? "" : "s");
		c->on.retry(h.asked, h.again > 0, c->on.cookie);
	}
}

/* The FIFO or the runtime directory may have been removed: without them no retry can be received. */
static void
on_runtime(bool names, void *cookie)
{
	struct command_pipe *c = cookie;
	struct fail f;
	int r;

	(void)names;
	if (loop_is_shutting_down(c->loop))
		return;
	loop_unwatch(c->loop, runtime_pipe(c->runtime));
	r = runtime_repair(c->runtime, c->profile, &f);
	if (r < 0) {
		fail_tell(&f, NULL);
		loop_shutdown(c->loop, EXIT_TROUBLE);
		return;
	}
	loop_watch(c->loop, runtime_pipe(c->runtime), POLLIN, on_command, c);
	if (r == 0)
		return;
	diag_info("%s: was removed; created again", c->profile->retry.path);
	c->on.repaired(c->on.cookie);
}

struct command_pipe *
command_pipe_new(struct loop *l, const struct profile *p, struct runtime *r,
    const struct command_pipe_callbacks *callbacks)
{
	struct command_pipe *c = xcalloc(1, sizeof *c);

	*c = (struct command_pipe){ .loop = l, .profile = p, .runtime = r, .on = *callbacks,
	    .resync = { .fn = on_resync, .cookie = c } };
	loop_watch(l, runtime_pipe(r), POLLIN, on_command, c);
	c->filewatch = filewatch_new(l, RUNTIME_POLL_MS);
	filewatch_add(c->filewatch, p->retry.path, FILEWATCH_PATH, on_runtime, c);
	filewatch_add(c->filewatch, p->status.path, FILEWATCH_PATH, on_runtime, c);
	return c;
}

void
command_pipe_free(struct command_pipe *c)
{
	if (!c)
		return;
	loop_timer_stop(c->loop, &c->resync);
	loop_unwatch(c->loop, runtime_pipe(c->runtime));
	filewatch_free(c->filewatch);
	free(c);
}
