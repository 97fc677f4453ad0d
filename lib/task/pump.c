#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "task/pump.h"

enum { PIPE_PIECE = 4096, FILE_PIECE = 1 << 20 };	/* a writable pipe has room for PIPE_BUF bytes */

void
pump_init(struct pump *p, struct loop *l, int fd, loop_fn *empty, void *cookie)
{
	*p = (struct pump){ .loop = l, .fd = fd, .bytes = BUF_INIT, .empty = empty, .cookie = cookie };
}

static void
stop_watching(struct pump *p)
{
	if (p->watched)
		loop_unwatch(p->loop, p->fd);
	p->watched = false;
}

void
pump_release(struct pump *p)
{
	if (p->loop)
		stop_watching(p);
	buf_release(&p->bytes);
}

bool
pump_is_empty(const struct pump *p)
{
	return p->done == p->bytes.len;
}

static void
pump_ready(int fd, short events, void *cookie)
{
	struct pump *p = cookie;
	struct stat st;
	size_t n = p->bytes.len - p->done, most = PIPE_PIECE;
	ssize_t w;

	(void)events;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		most = FILE_PIECE;
	w = io_write(fd, p->bytes.s + p->done, n < most ? n : most);
	if (w == -EAGAIN)
		return;
	if (w < 0)
		p->error = (int)-w;
	p->done += w < 0 ? n : (size_t)w;
	if (!pump_is_empty(p))
		return;
	stop_watching(p);
	buf_reset(&p->bytes);
	p->done = 0;
	p->empty(p->cookie);
}

void
pump_write(struct pump *p, const char *bytes, size_t n)
{
	if (p->error || n == 0)
		return;
	buf_add(&p->bytes, bytes, n);
	if (!p->watched)
		loop_watch(p->loop, p->fd, POLLOUT, pump_ready, p);
	p->watched = true;
}
