#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "input/filter_command.h"
#include "input/pipe.h"

enum { LINE_MAX_BYTES = 1 << 20 };

struct pipe {
	struct feed feed;
	char *path;
	char **argv;			/* the command that reads a file, where its name does not tell; or NULL */
	int fd;
	bool comes_again, watched;
	pid_t pid;			/* of the command that writes it, 0 for none */
	struct buf line;		/* what has no end yet */
};

static void on_bytes(int fd, short events, void *cookie);

static void
watch_pipe(struct pipe *p, bool on)
{
	if (on && !p->watched && p->fd >= 0)
		loop_watch(p->feed.loop, p->fd, POLLIN, on_bytes, p);
	else if (!on && p->watched)
		loop_unwatch(p->feed.loop, p->fd);
	p->watched = on && p->fd >= 0;
}

/* All lines that are whole; at the end of a writer all. */
static void
hand_on(struct pipe *p, bool all)
{
	const char *nl = memrchr(p->line.s, '\n', p->line.len);
	size_t n = nl ? (size_t)(nl + 1 - p->line.s) : 0;

	if (all && n < p->line.len)
		buf_putc(&p->line, '\n');
	if (all || p->line.len > LINE_MAX_BYTES)
		n = p->line.len;
	feed_push(&p->feed, p->line.s, n);
	memmove(p->line.s, p->line.s + n, p->line.len - n);
	p->line.len -= n;
	p->line.s[p->line.len] = '\0';
}

static int
open_path(struct pipe *p)
{
	int fd = strcmp(p->path, "-") == 0 ? io_open("-") : open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 && strcmp(p->path, "-") != 0 ? -errno : fd;
}

static void
pipe_end(struct pipe *p, int error)
{
	int status = 0;

	watch_pipe(p, false);
	if (p->line.len)
		hand_on(p, true);
	io_closep(&p->fd);
	p->fd = -1;
	if (p->pid)
		status = filter_command_end(p->pid);
	p->pid = 0;
	if (status)
		feed_tell(&p->feed, EXIT_TROUBLE, "the command that reads it ended with %d", status);
	else if (error)
		feed_tell(&p->feed, EXIT_TROUBLE, "%s", strerror(-error));
	feed_end(&p->feed);
}

/* The writer has ended: the FIFO is open anew before it is closed, so that no other writer finds it without a reader. */
static void
come_again(struct pipe *p)
{
	int fd = open_path(p);

	if (fd < 0) {
		pipe_end(p, fd);
		return;
	}
	watch_pipe(p, false);
	if (p->line.len)
		hand_on(p, true);
	close(p->fd);
	p->fd = fd;
	watch_pipe(p, true);
}

static void
on_bytes(int fd, short events, void *cookie)
{
	struct pipe *p = cookie;
	ssize_t r = io_read_buf(fd, &p->line);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (r > 0)
		hand_on(p, false);
	else if (r == 0 && p->comes_again && !p->feed.once)
		come_again(p);
	else
		pipe_end(p, (int)r);
}

/* A FIFO with a name in a file system, not one that only a descriptor leads to. */
static bool
is_named(const struct stat *st, int fd)
{
	struct statfs fs;

	return S_ISFIFO(st->st_mode) && fstatfs(fd, &fs) == 0 && fs.f_type != PIPEFS_MAGIC;
}

static int
pipe_start(struct feed *f, struct fail *why)
{
	struct pipe *p = (struct pipe *)f;
	char *const *argv = p->argv ? p->argv : filter_command_of(p->path);
	struct stat st;

	p->fd = open_path(p);
	if (p->fd < 0)
		return fail_errno(why, p->fd, "%s", p->path);
	if (fstat(p->fd, &st) < 0)
		return fail_errno(why, errno, "%s", p->path);
	p->comes_again = is_named(&st, p->fd);
	if (argv && S_ISREG(st.st_mode)) {
		int fd = filter_command_start(argv, p->fd, &p->pid);

		close(p->fd);
		p->fd = fd;
		if (fd < 0)
			return fail_errno(why, fd, "%s: cannot run %s", p->path, argv[0]);
	}
	watch_pipe(p, true);
	return 0;
}

static void
pipe_pause(struct feed *f, bool paused)
{
	watch_pipe((struct pipe *)f, !paused);
}

static void
pipe_free(struct feed *f)
{
	struct pipe *p = (struct pipe *)f;

	watch_pipe(p, false);
	io_closep(&p->fd);
	if (p->pid)
		filter_command_end(p->pid);
	buf_release(&p->line);
	free(p->path);
	xfree_strv(p->argv);
	feed_release(f);
	free(p);
}

struct feed *
pipe_new(const char *path)
{
	static const struct feed_ops ops = { .start = pipe_start, .pause = pipe_pause, .free = pipe_free };
	struct pipe *p = xcalloc(1, sizeof *p);

	feed_init(&p->feed, &ops, path);
	p->path = xstrdup(path);
	p->fd = -1;
	p->line = (struct buf)BUF_INIT;
	return &p->feed;
}

struct feed *
pipe_new_of(const char *path, char **argv)
{
	struct feed *f = pipe_new(path);

	((struct pipe *)f)->argv = argv;
	return f;
}
