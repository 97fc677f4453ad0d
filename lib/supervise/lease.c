#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "supervise/lease.h"

static const char lease_head[] = "{\"boot\":\"", lease_middle[] = "\",\"deadline_ns\":\"",
    lease_tail[] = "\"}\n";

enum {
	HEAD = sizeof lease_head - 1, MIDDLE = sizeof lease_middle - 1, TAIL = sizeof lease_tail - 1,
	BOOT = BOOTID_SIZE - 1, DIGITS = 20, READS_MAX = 100,
};

_Static_assert(HEAD + BOOT + MIDDLE + DIGITS + TAIL == LEASE_LINE, "the line has a fixed width");

int64_t
lease_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void
lease_format(const struct lease *l, char line[LEASE_LINE + 1])
{
	snprintf(line, LEASE_LINE + 1, "%s%-36.36s%s%020" PRId64 "%s", lease_head, l->boot, lease_middle,
	    l->deadline_ns < 0 ? 0 : l->deadline_ns, lease_tail);
}

int
lease_parse(const char *text, size_t len, struct lease *l)
{
	const char *boot = text + HEAD, *digits = boot + BOOT + MIDDLE;
	int64_t n = 0;

	if (len < LEASE_LINE || memcmp(text, lease_head, HEAD) != 0 ||
	    memcmp(boot + BOOT, lease_middle, MIDDLE) != 0 || memcmp(digits + DIGITS, lease_tail, TAIL) != 0)
		return -EBADMSG;
	if (memchr(boot, '"', BOOT) || memchr(boot, '\\', BOOT) || memchr(boot, '\0', BOOT))
		return -EBADMSG;
	for (int i = 0; i < DIGITS; i++)
		if (digits[i] < '0' || digits[i] > '9' ||
		    __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digits[i] - '0', &n))
			return -EBADMSG;
	memcpy(l->boot, boot, BOOT);
	l->boot[BOOT] = '\0';
	l->deadline_ns = n;
	return 0;
}

/* A read may see half of a write, so two reads must agree. */
int
lease_read(int dir, const char *name, struct lease *l)
{
	_cleanup_fd_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	char a[LEASE_LINE], b[LEASE_LINE];

	if (fd < 0)
		return -errno;
	for (int i = 0; i < READS_MAX; i++) {
		if (pread(fd, a, sizeof a, 0) != (ssize_t)sizeof a ||
		    pread(fd, b, sizeof b, 0) != (ssize_t)sizeof b)
			return -EBADMSG;
		if (memcmp(a, b, sizeof a) == 0)
			return lease_parse(a, sizeof a, l);
	}
	return -EAGAIN;
}

int
lease_write(int fd, const struct lease *l)
{
	char line[LEASE_LINE + 1];
	ssize_t n;

	lease_format(l, line);
	n = pwrite(fd, line, LEASE_LINE, 0);
	return n < 0 ? -errno : n < LEASE_LINE ? -ENOSPC : 0;
}

int64_t
lease_left_ns(const struct lease *l, const char *boot, int64_t now_ns)
{
	if (strcmp(l->boot, boot) != 0 || l->deadline_ns <= now_ns)
		return 0;
	return l->deadline_ns - now_ns;
}

int64_t
lease_grace_left_ns(int64_t end_ns, int64_t now_ns, int64_t grace_ms)
{
	const int64_t grace = grace_ms < INT64_MAX / 1000000 ? grace_ms * 1000000 : INT64_MAX;
	const int64_t over = end_ns < now_ns ? now_ns - end_ns : 0;

	return over < grace ? grace - over : 0;
}
