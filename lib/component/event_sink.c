#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/json.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "component/event_sink.h"

enum { GRACE_MS = 10 * 1000 };	/* for a command that is to end with us */

struct event_sink {
	struct loop *loop;
	char *const *argv;
	struct event_sink_callbacks tell;
	struct spawn *spawn;	/* NULL while it does not run */
	struct buf text;	/* for stdout */
	size_t written;
	struct loop_stage shutdown;
};

static void
command_ended(const struct spawn_result *r, void *cookie)
{
	struct event_sink *o = cookie;
	_cleanup_buf_ struct buf why = BUF_INIT;

	o->spawn = NULL;
	spawn_describe(r, &why);
	o->tell.done(r->status == 0 && !r->in_error, why.s, o->tell.cookie);
}

/* Without EVENTS it is still heard when the reader goes. */
static void
watch_stdout(struct event_sink *o, short events, loop_fd_fn *fn)
{
	loop_unwatch(o->loop, STDOUT_FILENO);
	loop_watch(o->loop, STDOUT_FILENO, events, fn, o);
}

/*
 * No more than PIPE_BUF bytes at a time: a pipe that poll(2) finds writable
 * takes so many without making us wait.
 */
static void
stdout_ready(int fd, short events, void *cookie)
{
	struct event_sink *o = cookie;
	size_t left = o->text.len - o->written;
	ssize_t n;

	if (events & (POLLERR | POLLHUP | POLLNVAL)) {
		loop_unwatch(o->loop, fd);
		o->tell.broken(events & POLLNVAL ? EBADF : 0, o->tell.cookie);
		return;
	}
	n = io_write(fd, o->text.s + o->written, left < PIPE_BUF ? left : PIPE_BUF);
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		loop_unwatch(o->loop, fd);
		o->tell.broken(n == -EPIPE ? 0 : (int)-n, o->tell.cookie);
		return;
	}
	o->written += (size_t)n;
	if (o->written < o->text.len)
		return;
	watch_stdout(o, 0, stdout_ready);
	o->tell.done(true, "", o->tell.cookie);
}

static void
end_command(void *cookie)
{
	struct event_sink *o = cookie;

	if (o->spawn)
		spawn_end(o->spawn);
}

struct event_sink *
event_sink_new(struct loop *l, char *const *argv, const struct event_sink_callbacks *tell)
{
	struct event_sink *o = xcalloc(1, sizeof *o);

	*o = (struct event_sink){ .loop = l, .argv = argv, .tell = *tell, .text = BUF_INIT,
	    .shutdown = { .fn = end_command, .cookie = o } };
	loop_stage_add(l, &o->shutdown);
	if (!argv)
		watch_stdout(o, 0, stdout_ready);
	return o;
}

void
event_sink_write(struct event_sink *o, const char *text, size_t len)
{
	if (o->argv) {
		o->spawn = spawn_start(o->loop, &(struct spawn_spec){
			.argv = o->argv, .in = text, .in_len = len, .grace_ms = GRACE_MS,
			.out_inherit = true, .err_inherit = true,
		}, command_ended, o);
		return;
	}
	buf_reset(&o->text);
	buf_add(&o->text, text, len);
	json_sanitize(STDOUT_FILENO, &o->text);
	o->written = 0;
	watch_stdout(o, POLLOUT, stdout_ready);
}

void
event_sink_free(struct event_sink *o)
{
	if (!o)
		return;
	loop_stage_remove(o->loop, &o->shutdown);
	if (o->spawn)
		spawn_kill(o->spawn);
	if (!o->argv)
		loop_unwatch(o->loop, STDOUT_FILENO);
	buf_release(&o->text);
	free(o);
}
