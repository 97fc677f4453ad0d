#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/incarnation.h"
#include "base/bootid.h"
#include "base/io.h"

/* What PATH of /proc holds, up to N - 1 bytes, as a string. */
static int
slurp(const char *path, char *text, size_t n)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	len = io_read(fd, text, n - 1);
	if (len < 0)
		return (int)len;
	text[len] = '\0';
	return 0;
}

int
incarnation_start(pid_t pid, uint64_t *ticks)
{
	char path[32], text[1024], *p;
	int r;

	snprintf(path, sizeof path, "/proc/%jd/stat", (intmax_t)pid);
	r = slurp(path, text, sizeof text);
	if (r < 0)
		return r;
	p = strrchr(text, ')');	/* the command's name may hold blanks and brackets */
	if (p && (strncmp(p, ") Z", 3) == 0 || strncmp(p, ") X", 3) == 0))
		return -ESRCH;	/* dead, and not yet buried */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, "%" SCNu64, ticks) == 1 ? 0 : -ESRCH;
}

int
incarnation_of(pid_t pid, char text[INCARNATION_TEXT])
{
	char boot[BOOTID_SIZE];
	uint64_t ticks;
	int r = incarnation_start(pid, &ticks);

	if (r == 0)
		r = bootid_read(boot);
	if (r < 0)
		return r;
	snprintf(text, INCARNATION_TEXT, "%.8s-%jd-%ju", boot, (intmax_t)pid, (uintmax_t)ticks);
	return 0;
}

bool
incarnation_is(pid_t pid, const char *text)
{
	char now[INCARNATION_TEXT], boot[BOOTID_SIZE];
	const size_t n = strcspn(text, "-");

	if (pid <= 0 || n == 0 || n >= sizeof boot || incarnation_of(pid, now) < 0 ||
	    strcmp(strchr(now, '-'), text + n) != 0)
		return false;
	memcpy(boot, text, n);
	boot[n] = '\0';
	return bootid_is_current(boot);
}
