#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/secret.h"
#include "base/xalloc.h"

void
secret_guard(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void
secret_set(struct secret *s, const char *p, size_t len)
{
	char *copy = xstrndup(p, len);

	secret_release(s);
	*s = (struct secret){ copy, len };
}

void
secret_release(struct secret *s)
{
	if (s->s)
		explicit_bzero(s->s, s->len);
	free(s->s);
	*s = (struct secret)SECRET_NONE;
}

void
secret_wipe(struct buf *b)
{
	if (b->cap)
		explicit_bzero(b->s, b->cap);
	buf_release(b);
}

static int
open_private(const char *path, struct fail *f)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int r;

	if (fd < 0 && errno == ELOOP)
		return fail_set(f, EXIT_DENIED, "%s: is a symbolic link", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(f, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return fail_set(f, EXIT_TROUBLE, "%s: is not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return fail_set(f, EXIT_DENIED, "%s: owned by uid %ju, which is neither root nor the caller",
		    path, (uintmax_t)st.st_uid);
	if (st.st_mode & 0137)
		return fail_set(f, EXIT_DENIED, "%s: mode %04o: a secret is of mode 0600 or 0640", path,
		    st.st_mode & 07777);
	r = fd;
	fd = -1;
	return r;
}

static int
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The N bytes of TEXT, without the blanks around them. */
static int
secret_store(const char *path, const char *text, size_t n, struct secret *s, struct fail *f)
{
	while (n && is_blank(text[n - 1]))
		n--;
	while (n && is_blank(*text)) {
		text++;
		n--;
	}
	if (!n)
		return fail_set(f, EXIT_TROUBLE, "%s: is empty", path);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return fail_set(f, EXIT_TROUBLE, "%s: holds more than one line, or a control character", path);
	secret_set(s, text, n);
	return 0;
}

int
secret_load(const char *path, struct secret *s, struct fail *f)
{
	_cleanup_fd_ int fd = -1;
	char text[SECRET_MAX + 1];
	size_t n = 0;
	ssize_t got = 1;
	int r;

	secret_release(s);
	fd = open_private(path, f);
	if (fd < 0)
		return fd;
	while (n < sizeof text && (got = io_read(fd, text + n, sizeof text - n)) > 0)
		n += (size_t)got;
	if (got < 0)
		r = fail_errno(f, (int)got, "%s", path);
	else if (n > SECRET_MAX)
		r = fail_set(f, EXIT_TROUBLE, "%s: more than %d bytes", path, SECRET_MAX);
	else
		r = secret_store(path, text, n, s, f);
	explicit_bzero(text, sizeof text);
	return r;
}
