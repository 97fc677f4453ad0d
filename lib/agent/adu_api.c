#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adu_api.h"
#include "agent/fifo.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/xalloc.h"

enum { VERSION_1 = 1, GET_STATE = 1, HEADER_SIZE = 6, ANSWER_SIZE = 4, RANDOM_SIZE = 12 };

/* An unpredictable name in the directory of the agent's FIFO, so that no file can be planted there.  To be freed. */
static char *
answer_path(const struct profile *p)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *request = p->status.path, *slash = strrchr(request, '/');
	unsigned char bytes[RANDOM_SIZE];
	char name[RANDOM_SIZE + 1] = "";

	if (getrandom(bytes, sizeof bytes, 0) < 0)
		memset(bytes, 0, sizeof bytes);		/* mkfifo(3) still refuses what is there */
	for (size_t i = 0; i < sizeof bytes; i++)
		name[i] = letters[bytes[i] % (sizeof letters - 1)];
	return xasprintf("%.*s/resp_%s.fifo", (int)(slash - request), request, name);
}

/* Make the FIFO PATH, the agent's own, and open it for reading. */
static int
open_answer(const struct profile *p, const char *path, struct fail *f)
{
	struct stat st;
	int fd;

	if (mkfifo(path, 0600) < 0)
		return fail_errno(f, errno, "%s", path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(f, errno, "%s", path);
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_uid == geteuid() &&
	    (p->uid == (uid_t)-1 || fchown(fd, p->uid, p->gid) == 0) && fchmod(fd, 0660) == 0)
		return fd;
	fail_errno(f, errno, "%s: cannot be given to %s", path, p->user ? p->user : "the agent");
	close(fd);
	return -EACCES;
}

static int
send_request(const struct profile *p, const char *path, struct fail *f)
{
	_cleanup_fd_ int fd = fifo_open_at(p, p->status.path, f);
	const size_t len = strlen(path);
	const unsigned char header[HEADER_SIZE] = { 0, VERSION_1, 0, GET_STATE,
	    (unsigned char)(len >> 8), (unsigned char)len };
	_cleanup_buf_ struct buf b = BUF_INIT;
	ssize_t n;

	if (fd < 0)
		return fd;
	buf_add(&b, header, sizeof header);
	buf_add(&b, path, len);
	/* up to PIPE_BUF it is written as one, or not at all */
	n = b.len <= PIPE_BUF ? io_write(fd, b.s, b.len) : -ENAMETOOLONG;
	return n < 0 ? fail_errno(f, (int)n, "%s", p->status.path) : 0;
}

static int
read_answer(int fd, int64_t end_ms, unsigned char answer[ANSWER_SIZE])
{
	size_t have = 0;

	while (have < ANSWER_SIZE) {
		struct pollfd in = { .fd = fd, .events = POLLIN };
		int64_t left = end_ms - clock_mono_ms();
		ssize_t n;

		if (left <= 0 || poll(&in, 1, (int)left) == 0)
			return -ETIMEDOUT;
		n = io_read(fd, answer + have, ANSWER_SIZE - have);
		if (n < 0 && n != -EAGAIN)
			return (int)n;
		if (n > 0)
			have += (size_t)n;
		else	/* its writer is gone again, and POLLHUP would not wait */
			clock_sleep_ms(left < 5 ? left : 5);
	}
	return 0;
}

int
adu_api_ask(const struct profile *p, int64_t timeout_ms, struct buf *out, struct fail *f)
{
	const int64_t end = clock_mono_ms() + timeout_ms;
	_cleanup_free_ char *path = answer_path(p);
	unsigned char a[ANSWER_SIZE] = { 0 };
	int fd, r;

	buf_reset(out);
	fd = open_answer(p, path, f);
	r = fd < 0 ? fd : send_request(p, path, f);
	if (r == 0) {
		r = read_answer(fd, end, a);
		if (r == -ETIMEDOUT)
			fail_set(f, EXIT_TIMEOUT, "%s: asked, and does not answer", p->status.path);
		else if (r < 0)
			fail_errno(f, r, "%s", path);
	}
	(void)unlink(path);
	io_closep(&fd);
	if (r == 0)
		buf_printf(out, "code=%d\nvalue=%d\n", a[0] << 8 | a[1], a[2] << 8 | a[3]);
	return r;
}
