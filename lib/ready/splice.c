#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "ready/splice.h"

/* As much as a pipe of our own holds, at its usual size. */
enum { CHUNK = 65536 };

static bool
is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

bool
splice_open(struct splice *r, int in, int out)
{
	*r = (struct splice)SPLICE_INIT;
	r->in = in;
	r->out = out;
	if (!is_pipe(in) || !is_pipe(out))
		return false;
	r->null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (r->null < 0 || pipe2(r->peek, O_CLOEXEC | O_NONBLOCK) < 0) {
		splice_close(r);
		return false;
	}
	r->b = xcalloc(1, CHUNK);
	return true;
}

void
splice_close(struct splice *r)
{
	io_closep(&r->peek[0]);
	io_closep(&r->peek[1]);
	io_closep(&r->null);
	free(r->b);
	*r = (struct splice)SPLICE_INIT;
}

static ssize_t
splice_some(int in, int out, size_t n)
{
	ssize_t r;

	do
		r = splice(in, NULL, out, NULL, n, SPLICE_F_NONBLOCK);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/* N bytes of what we peek at are of no interest. */
static int
skip_peeked(struct splice *r, size_t n)
{
	while (n > 0) {
		ssize_t done = splice_some(r->peek[0], r->null, n);

		if (done <= 0)
			return done < 0 ? (int)done : -EIO;
		n -= (size_t)done;
	}
	return 0;
}

/* How many of the N bytes that we peek at belong to the first line; they are in B then. */
static ssize_t
first_line(struct splice *r, size_t n)
{
	size_t len = 0;
	const char *nl;

	while (len < n) {
		ssize_t got = io_read(r->peek[0], r->b + len, n - len);

		if (got <= 0)
			return got < 0 ? got : -EIO;
		len += (size_t)got;
	}
	nl = memchr(r->b, '\n', n);
	return nl ? nl - r->b + 1 : (ssize_t)n;
}

ssize_t
splice_move(struct splice *r, bool one_line, char *last)
{
	ssize_t n, want, done;
	int e;

	do
		n = tee(r->in, r->peek[1], CHUNK, SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	want = one_line ? first_line(r, (size_t)n) : n;
	if (want < 0)
		return want;
	done = splice_some(r->in, r->out, (size_t)want);
	if (one_line) {
		if (done > 0)
			*last = r->b[done - 1];
		return done == -EAGAIN ? -ENOBUFS : done;
	}
	if (done <= 0) {
		e = skip_peeked(r, (size_t)n);
		return e < 0 ? e : done == -EAGAIN ? -ENOBUFS : done;
	}
	e = skip_peeked(r, (size_t)done - 1);
	if (e == 0 && io_read(r->peek[0], last, 1) != 1)
		e = -EIO;
	if (e == 0)
		e = skip_peeked(r, (size_t)(n - done));
	return e < 0 ? e : done;
}
