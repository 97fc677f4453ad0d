#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/procset.h"
#include "base/xalloc.h"

struct set {
	const char *mark;	/* NULL for a session */
	pid_t sid;
};

static bool
has_mark(const char *pid, const char *mark)
{
	static const char name[] = "REJOIN_RUN=";
	_cleanup_free_ char *path = xasprintf("/proc/%s/environ", pid);
	_cleanup_buf_ struct buf b = BUF_MAX(1 << 20);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	const size_t n = sizeof name - 1;

	if (fd < 0)
		return false;
	while (io_read_buf(fd, &b) > 0)
		;
	for (const char *p = b.s; p < b.s + b.len; p += strlen(p) + 1)
		if (strncmp(p, name, n) == 0 && strncmp(p + n, mark, strlen(mark)) == 0)
			return true;
	return false;
}

static int
signal_set(const struct set *s, int signo)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	int n = 0;

	while (proc && (d = readdir(proc))) {
		pid_t pid = isdigit((unsigned char)d->d_name[0]) ? atoi(d->d_name) : 0;
		_cleanup_fd_ int fd = -1;

		if (pid <= 1 || pid == getpid())
			continue;
		/* getsid(2) and the pidfd may name two processes; asked again below, they do not */
		if (!s->mark && getsid(pid) != s->sid)
			continue;
		fd = pidfd_open(pid, 0);
		if (fd < 0 || !(s->mark ? has_mark(d->d_name, s->mark) : getsid(pid) == s->sid))
			continue;
		if (pidfd_send_signal(fd, signo, NULL, 0) == 0)
			n++;
	}
	if (proc)
		closedir(proc);
	return n;
}

int
procset_signal_mark(const char *mark, int signo)
{
	return signal_set(&(struct set){ .mark = mark }, signo);
}

int
procset_signal_session(pid_t sid, int signo)
{
	return signal_set(&(struct set){ .sid = sid }, signo);
}
