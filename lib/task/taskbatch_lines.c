#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/io.h"
#include "task/taskbatch_lines.h"

static void
split_lines(struct taskbatch_lines *l)
{
	const char *p = l->bytes.s, *end = l->bytes.s + l->bytes.len, *nl;

	while ((nl = memchr(p, '\n', (size_t)(end - p))) || (l->at_end && p < end)) {
		const char *stop = nl ? nl : end;

		l->count++;
		if (stop > p)
			l->line(l->count, p, (size_t)(stop - p), 0, l->cookie);
		p = nl ? nl + 1 : end;
	}
	l->bytes.len = (size_t)(end - p);
	memmove(l->bytes.s, p, l->bytes.len);
}

static void
lines_ready(int fd, short events, void *cookie)
{
	struct taskbatch_lines *l = cookie;
	ssize_t n = io_read_buf(fd, &l->bytes);

	(void)events;
	if (n == -EAGAIN)
		return;
	if (n <= 0)
		taskbatch_lines_end(l);
	if (n < 0)
		l->line(++l->count, NULL, 0, (int)-n, l->cookie);
	else
		split_lines(l);
	l->read(l->cookie);
}

void
taskbatch_lines_init(struct taskbatch_lines *l, struct loop *loop, int fd)
{
	l->loop = loop;
	l->fd = fd;
	l->bytes = (struct buf)BUF_MAX(TASKBATCH_LINE_MAX);
}

void
taskbatch_lines_release(struct taskbatch_lines *l)
{
	taskbatch_lines_want(l, false);
	buf_release(&l->bytes);
}

void
taskbatch_lines_want(struct taskbatch_lines *l, bool wanted)
{
	wanted = wanted && !l->at_end;
	if (wanted && !l->watched)
		loop_watch(l->loop, l->fd, POLLIN, lines_ready, l);
	else if (!wanted && l->watched)
		loop_unwatch(l->loop, l->fd);
	l->watched = wanted;
}

void
taskbatch_lines_end(struct taskbatch_lines *l)
{
	l->at_end = true;
	taskbatch_lines_want(l, false);
}
