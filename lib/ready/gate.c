#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/inotify.h"
#include "base/xalloc.h"
#include "ready/gate.h"
#include "ready/splice.h"

/* The buffer size of cat(1); a pipe holds 64 KiB. */
enum {
	CHUNK = 128 * 1024,
	POLL_MS = 500,	/* interval of reading the announcement where inotify does not work */
};

struct gate {
	const struct gate_spec *spec;
	const struct readiness *place;
	int inotify_fd;		/* -1: no instance is left */
	bool is_polled;		/* changes of the announcement are not reported */
	bool open;		/* the peer is announced */
	bool mid_line;		/* the line that was written last is incomplete */
	bool at_end;		/* end of file */
	bool hung_up;		/* IN has no writer; it may still hold bytes */
	bool skipping;		/* the rest of a line whose beginning was dropped */
	char *b;		/* what was read and not written: B[BEGIN..END) */
	size_t begin, end, cap;
	int out, out_own;	/* OUT_OWN: an open file description of its own for the same pipe */
	bool is_socket, is_blocking_pipe;
	struct splice splice;	/* between two pipes, if nothing is to be kept */
	bool splices, is_full;	/* IS_FULL: it waits for OUT to be read */
	int64_t lost_lines, lost_bytes;
};

/*
 * A blocking write would delay closing the gate.  O_NONBLOCK belongs to the open
 * file description, which other processes may share, so the pipe is opened again.
 */
static void
open_out(struct gate *g)
{
	char path[32];
	struct stat st;

	g->out = g->spec->out;
	g->out_own = -1;
	if (fstat(g->out, &st) < 0)
		return;
	g->is_socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode))
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", g->out);
	g->out_own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (g->out_own >= 0)
		g->out = g->out_own;
	else
		g->is_blocking_pipe = true;	/* another user's: write at most PIPE_BUF, after poll(2) */
}

/* The number of kept bytes that may be written now. */
static size_t
bytes_allowed(const struct gate *g)
{
	const char *nl;

	if (g->open || g->begin == g->end)
		return g->end - g->begin;
	if (!g->mid_line)
		return 0;
	nl = memchr(g->b + g->begin, '\n', g->end - g->begin);
	return nl ? (size_t)(nl - (g->b + g->begin)) + 1 : g->end - g->begin;
}

/* Read only when there is nothing to write: the rest stays in the pipe. */
static bool
may_read(const struct gate *g)
{
	if (g->at_end)
		return false;
	if (g->open || g->mid_line)
		return g->begin == g->end;
	return g->spec->keep_bytes >= 0;
}

/* Read the announcement, after the watch was set, so that no change is missed. */
static int
gate_check(struct gate *g, struct fail *f)
{
	struct readiness_now now;
	int r;

	g->is_polled = g->inotify_fd < 0;
	if (!g->is_polled) {
		inotify_drain(g->inotify_fd);
		r = readiness_watch(g->place, g->inotify_fd, f);
		if (r == -ENOSPC)
			g->is_polled = true;
		else if (r < 0)
			return r;
	}
	r = readiness_read(g->place, &now, f);
	if (r < 0)
		return r;
	g->open = readiness_is_known(&now);
	if (g->open && g->lost_lines > 0) {
		g->spec->dropped(g->lost_lines, g->lost_bytes, g->spec->cookie);
		g->lost_lines = g->lost_bytes = 0;
	}
	return 0;
}

/* --- keeping the newest */

/* Drop the oldest line; of an incomplete line, what was read of it. */
static void
drop_line(struct gate *g)
{
	const char *nl = memchr(g->b + g->begin, '\n', g->end - g->begin);
	size_t n = nl ? (size_t)(nl - (g->b + g->begin)) + 1 : g->end - g->begin;

	g->skipping = !nl;
	g->lost_lines++;
	g->lost_bytes += (int64_t)n;
	g->begin += n;
}

/* N more bytes were read at END: drop those up to the end of the line that is being dropped. */
static void
skip_dropped(struct gate *g, size_t n)
{
	const char *nl = memchr(g->b + g->end, '\n', n);
	size_t gone = nl ? (size_t)(nl - (g->b + g->end)) + 1 : n;

	g->lost_bytes += (int64_t)gone;
	g->skipping = !nl;
	memmove(g->b + g->end, g->b + g->end + gone, n - gone);
	g->end += n - gone;
}

static void
account_read(struct gate *g, size_t n)
{
	if (g->skipping)
		skip_dropped(g, n);
	else
		g->end += n;
	if (g->open || g->mid_line || g->spec->keep_bytes < 0)
		return;
	while (g->end - g->begin > (size_t)g->spec->keep_bytes)
		drop_line(g);
}

/* Room for a chunk behind END. */
static void
make_room(struct gate *g)
{
	if (g->begin == g->end)
		g->begin = g->end = 0;
	if (g->cap - g->end >= CHUNK)
		return;
	if (g->begin > 0) {
		memmove(g->b, g->b + g->begin, g->end - g->begin);
		g->end -= g->begin;
		g->begin = 0;
	}
	/* twice what is kept, so that moving bytes costs O(1) for each byte read */
	if (g->cap - g->end < CHUNK || (g->cap < 2 * g->end && g->cap - g->end < g->end)) {
		g->cap = 2 * g->end + CHUNK;
		g->b = xrealloc(g->b, g->cap, 1);
	}
}

/* --- in and out */

static int
gate_read(struct gate *g, struct fail *f)
{
	ssize_t n;

	make_room(g);
	n = io_read(g->spec->in, g->b + g->end, CHUNK);
	if (n < 0)
		return n == -EAGAIN ? 0 : fail_errno(f, (int)n, "standard input");
	if (n == 0)
		g->at_end = true;
	else
		account_read(g, (size_t)n);
	return 0;
}

static ssize_t
gate_write(struct gate *g, const char *p, size_t n)
{
	ssize_t r;

	if (g->is_blocking_pipe)
		return io_write(g->out, p, n < PIPE_BUF ? n : PIPE_BUF);
	if (!g->is_socket)
		return io_write(g->out, p, n);
	do
		r = send(g->out, p, n, MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int
gate_flush(struct gate *g, struct fail *f)
{
	size_t n = bytes_allowed(g);
	ssize_t done = gate_write(g, g->b + g->begin, n);

	if (done == -EAGAIN)
		return -EAGAIN;
	if (done < 0)
		return fail_errno(f, (int)done, "standard output");
	g->begin += (size_t)done;
	if (done > 0)
		g->mid_line = g->b[g->begin - 1] != '\n';
	return 0;
}

/* At end of file, an incomplete last line is written, too. */
static bool
is_done(const struct gate *g)
{
	int left;

	if (g->at_end)
		return g->begin == g->end;
	return g->hung_up && g->begin == g->end && ioctl(g->spec->in, FIONREAD, &left) == 0 && left == 0;
}

/* From pipe to pipe; B stays empty. */
static int
gate_splice(struct gate *g, struct fail *f)
{
	char last = '\n';
	ssize_t n = splice_move(&g->splice, !g->open, &last);

	g->is_full = n == -ENOBUFS;
	if (n == -EAGAIN || n == -ENOBUFS)
		return -EAGAIN;
	if (n == 0)
		g->at_end = true;
	if (n > 0)
		g->mid_line = last != '\n';
	return n < 0 ? fail_errno(f, (int)n, "standard output") : 0;
}

enum { EVENT, IN, OUT };

/* Wait for the announcement, IN or OUT, or for POLL_MS; the result is in P. */
static int
sleep_until(struct gate *g, struct pollfd p[3], bool writing, struct fail *f)
{
	bool reading = may_read(g) && !g->is_full;
	int n;

	p[EVENT] = (struct pollfd){ .fd = g->inotify_fd, .events = POLLIN };
	p[IN] = (struct pollfd){ .fd = g->hung_up && !reading ? -1 : g->spec->in,
	    .events = reading ? POLLIN : 0 };
	/* without events, poll(2) still reports that OUT has no reader */
	p[OUT] = (struct pollfd){ .fd = g->out, .events = writing ? POLLOUT : 0 };
	while ((n = poll(p, 3, g->is_polled ? POLL_MS : -1)) < 0)
		if (errno != EINTR)
			return fail_errno(f, errno, "poll");
	if (n == 0)
		p[EVENT].revents = POLLIN;
	if (p[IN].revents & (POLLHUP | POLLERR))
		g->hung_up = true;
	if (p[IN].revents & POLLNVAL)
		return fail_errno(f, EBADF, "standard input");
	return p[OUT].revents & POLLNVAL ? fail_errno(f, EBADF, "standard output") : 0;
}

static int
gate_copy(struct gate *g, struct fail *f)
{
	int r = gate_check(g, f);

	while (r == 0 && !is_done(g)) {
		bool writing = bytes_allowed(g) > 0 || (g->is_full && may_read(g));
		struct pollfd p[3];

		/* most often there is room: no poll between a read and its write */
		if (bytes_allowed(g) > 0 && !g->is_blocking_pipe) {
			r = gate_flush(g, f);
			if (r == 0)
				continue;
			if (r != -EAGAIN)
				return r;
		}
		r = sleep_until(g, p, writing, f);
		if (r == 0 && p[EVENT].revents)
			r = gate_check(g, f);
		if (r == 0 && !writing && p[OUT].revents & (POLLERR | POLLHUP)) {
			raise(SIGPIPE);
			return fail_errno(f, EPIPE, "standard output");
		}
		if (r == 0 && writing && g->is_blocking_pipe && p[OUT].revents && bytes_allowed(g) > 0)
			r = gate_flush(g, f);
		else if (r == 0 && g->splices && may_read(g) && (p[IN].revents || p[OUT].revents))
			r = gate_splice(g, f);
		else if (r == 0 && may_read(g) && p[IN].revents)
			r = gate_read(g, f);
		if (r == -EAGAIN)
			r = 0;
	}
	return r;
}

int
gate_run(const struct gate_spec *spec, const struct readiness *place, struct fail *f)
{
	struct gate g = { .spec = spec, .place = place, .inotify_fd = inotify_open() };
	int r = 0;

	open_out(&g);
	g.splices = spec->keep_bytes < 0 && splice_open(&g.splice, spec->in, g.out);
	r = gate_copy(&g, f);
	if (g.lost_lines > 0)
		spec->dropped(g.lost_lines, g.lost_bytes, spec->cookie);
	if (g.splices)
		splice_close(&g.splice);
	io_closep(&g.out_own);
	if (g.inotify_fd >= 0)
		close(g.inotify_fd);
	free(g.b);
	return r;
}
