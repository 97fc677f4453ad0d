#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/journal.h"
#include "base/xalloc.h"

struct journal {
	char *path;
	int fd;
	off_t len;
	size_t max;
	bool dirty;
};

/* The offset after the last newline before END. */
static off_t
line_end(int fd, off_t end)
{
	char b[4096];

	for (off_t at = end; at > 0; ) {
		size_t n = at < (off_t)sizeof b ? (size_t)at : sizeof b;
		ssize_t r = pread(fd, b, n, at - (off_t)n);
		char *nl;

		if (r < (ssize_t)n)
			return r < 0 ? -errno : 0;
		nl = memrchr(b, '\n', n);
		if (nl)
			return at - (off_t)n + (nl - b) + 1;
		at -= (off_t)n;
	}
	return 0;
}

static int
open_file(struct journal *j)
{
	struct stat st;

	j->fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (j->fd < 0 || fstat(j->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	j->len = line_end(j->fd, st.st_size);
	if (j->len < 0)
		return (int)j->len;
	if (j->len < st.st_size && ftruncate(j->fd, j->len) < 0)
		return -errno;
	return 0;
}

struct journal *
journal_open(const char *path, size_t max)
{
	struct journal *j = xcalloc(1, sizeof *j);
	int r;

	*j = (struct journal){ .path = xstrdup(path), .max = max };
	r = open_file(j);
	if (r < 0) {
		journal_close(j);
		errno = -r;
		return NULL;
	}
	return j;
}

void
journal_close(struct journal *j)
{
	if (!j)
		return;
	io_closep(&j->fd);
	free(j->path);
	free(j);
}

int
journal_rotate(struct journal *j)
{
	_cleanup_free_ char *old = xasprintf("%s.1", j->path);

	if (rename(j->path, old) < 0)
		return -errno;
	io_closep(&j->fd);
	j->fd = -1;
	j->len = 0;
	j->dirty = false;
	return open_file(j);
}

static int
rotate_durably(struct journal *j)
{
	int r = journal_sync(j);

	if (r == 0)
		r = journal_rotate(j);
	return r < 0 ? r : file_sync_dir(j->path);
}

int
journal_fd(const struct journal *j)
{
	return j->fd;
}

off_t
journal_size(const struct journal *j)
{
	return j->len;
}

int
journal_add(struct journal *j, const char *line, size_t len)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = 0;

	buf_add(&b, line, len);
	buf_putc(&b, '\n');
	if (j->fd < 0)
		r = open_file(j);	/* that could not be made when the last one was full */
	else if (j->max > 0 && j->len > 0 && (size_t)j->len + len + 1 > j->max)
		r = rotate_durably(j);
	if (r == 0)
		r = lseek(j->fd, j->len, SEEK_SET) < 0 ? -errno : io_write_all(j->fd, b.s, b.len);
	if (r < 0) {
		if (j->fd >= 0)
			(void)!ftruncate(j->fd, j->len);
		return r;
	}
	j->len += (off_t)b.len;
	j->dirty = true;
	return 0;
}

int
journal_sync(struct journal *j)
{
	if (j->dirty && fdatasync(j->fd) < 0)
		return -errno;
	j->dirty = false;
	return 0;
}

int
journal_last(const char *path, struct buf *out)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	off_t end, begin;
	ssize_t n;

	buf_reset(out);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	end = line_end(fd, st.st_size);
	begin = end > 1 ? line_end(fd, end - 1) : 0;
	if (end < 0 || begin < 0)
		return (int)(end < 0 ? end : begin);
	if (end == begin)
		return 0;
	buf_reserve(out, (size_t)(end - begin));
	n = pread(fd, out->s, (size_t)(end - begin - 1), begin);
	if (n < 0)
		return -errno;
	out->len = (size_t)n;
	out->s[n] = '\0';
	return 0;
}
