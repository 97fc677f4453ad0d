#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "input/pump.h"
#include "record/sourcebuf.h"

/* Bytes at OFF of a file that is opened for this read alone. */
static ssize_t
read_closed(const struct source *s, char *p, size_t n, int64_t off)
{
	_cleanup_fd_ int fd = open(s->location, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != s->ino || st.st_dev != s->dev)
		return -ESTALE;		/* it was replaced meanwhile, and these are not its bytes */
	do
		r = pread(fd, p, n, off);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

bool
sourcebuf_is_ready(const struct source *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

	return s->seekable || s->behind || poll(&pfd, 1, 0) != 0;
}

void
sourcebuf_wait(const struct source *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

	while (!s->seekable && s->fd >= 0 && s->hi == 0 && poll(&pfd, 1, -1) < 0 && errno == EINTR)
		;
}

/* Is there, or will there be, more of S before its views end? */
static bool
comes_in_time(const struct source *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
	int64_t left = s->view_until_ms - clock_mono_ms();

	return s->view_until_ms == 0 || s->fd < 0 || poll(&pfd, 1, left > 0 ? (int)left : 0) != 0;
}

/* Bytes at OFF of what S holds, which reads on for them. */
static ssize_t
read_held(struct source *s, char *p, size_t n, int64_t off)
{
	size_t held;

	if (off >= s->base + (int64_t)s->hi && !(comes_in_time(s) && sourcebuf_fill(s)))
		return 0;
	held = (size_t)(s->base + (int64_t)s->hi - off);
	n = n < held ? n : held;
	memcpy(p, s->buf + (off - s->base), n);
	return (ssize_t)n;
}

ssize_t
sourcebuf_read_at(const struct source *s, char *p, size_t n, int64_t off)
{
	ssize_t r;

	if (s->behind)
		return read_held(s->behind, p, n, off);
	if (s->pump)
		return pump_read(s->pump, p, n);
	if (s->feed)
		return feed_read(s->feed, p, n);
	if (s->nonblock && !sourcebuf_is_ready(s))
		return -EAGAIN;
	if (!s->seekable) {
		struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

		if (s->idle && poll(&pfd, 1, 0) == 0)
			s->idle(s->cookie);
		return io_read(s->fd, p, n);
	}
	if (s->fd < 0)
		return read_closed(s, p, n, off);
	do
		r = pread(s->fd, p, n, off);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/* Room for more: what is not needed goes, then the buffer grows. */
static void
make_room(struct source *s)
{
	size_t held = s->hi - s->lo;

	if (s->lo && (held <= s->cap / 2 || s->hi == s->cap)) {
		memmove(s->buf, s->buf + s->lo, held);
		s->base += (int64_t)s->lo;
		s->cur -= s->lo;
		s->hi = held;
		s->lo = 0;
	}
	if (s->cap - s->hi < s->cap / 4) {
		s->cap *= 2;
		s->buf = xrealloc(s->buf, s->cap + SOURCE_SLACK, 1);
	}
}

bool
sourcebuf_fill(struct source *s)
{
	size_t n;
	ssize_t r;

	if (s->eof)
		return false;
	make_room(s);
	n = s->cap - s->hi;
	if ((int64_t)n > s->end - s->at)
		n = (size_t)(s->end - s->at);
	r = n ? sourcebuf_read_at(s, s->buf + s->hi, n, s->at) : 0;
	if (r == -EAGAIN && (s->feed || s->nonblock)) {
		s->dry = true;
		return false;
	}
	/* The second pass does not find what the first one read. */
	if (r == 0 && n && s->bounded)
		r = -ESTALE;
	if (r <= 0) {
		s->eof = true;
		s->error = r < 0 ? (int)-r : 0;
		return false;
	}
	s->hi += (size_t)r;
	s->at += r;
	return true;
}

size_t
sourcebuf_sample(struct source *s)
{
	size_t want = s->cap / 2 < SOURCE_SAMPLE ? s->cap / 2 : SOURCE_SAMPLE;

	/* A pipe may stay empty for long: what is there decides. */
	while (s->hi < want && (s->seekable || !memchr(s->buf, '\n', s->hi)) && sourcebuf_fill(s))
		;
	return s->hi < want ? s->hi : want;
}
