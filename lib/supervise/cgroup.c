#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "supervise/cgroup.h"

enum { KILL_ROUNDS = 20, CGROUP_FILE_MAX = 1 << 20 };

static int
cgroup_read(const char *dir, const char *name, struct buf *out)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = io_read_buf(fd, out)) > 0)
		;
	return (int)n;
}

static int
cgroup_write(const char *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : io_write_all(fd, text, strlen(text));
}

/* mountinfo writes a blank, a tab, a newline and a backslash as \OOO. */
static void
unescape_mountinfo(char *s)
{
	char *to = s;

	for (; *s; s++)
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	*to = '\0';
}

/* The root and the mount point in LINE of mountinfo, if it is a cgroup2 mount. */
static bool
parse_mount(const char *line, size_t len, char root[CGROUP_PATH], char point[CGROUP_PATH])
{
	_cleanup_free_ char *text = xstrndup(line, len);
	const char *type = strstr(text, " - ");

	if (!type || strncmp(type, " - cgroup2 ", 11) != 0)
		return false;
	if (sscanf(text, "%*d %*d %*s %1023s %1023s", root, point) != 2)
		return false;
	unescape_mountinfo(root);
	unescape_mountinfo(point);
	return true;
}

int
cgroup_locate(const char *mountinfo, const char *self, char path[CGROUP_PATH])
{
	char root[CGROUP_PATH], point[CGROUP_PATH];
	const char *own = NULL, *end;
	size_t len, n;

	for (const char *p = self; p && !own; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (strncmp(p, "0::/", 4) == 0)
			own = p + 3;
	if (!own)
		return -EOPNOTSUPP;
	len = strcspn(own, "\n");
	for (const char *p = mountinfo; *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, '\n');
		if (!parse_mount(p, (size_t)(end - p), root, point))
			continue;
		n = strcmp(root, "/") == 0 ? 0 : strlen(root);
		/* the mount shows only what is below ROOT */
		if (n > len || strncmp(own, root, n) != 0 || (n < len && own[n] != '/'))
			continue;
		if (snprintf(path, CGROUP_PATH, "%s%.*s", point, (int)(len - n), own + n) >= CGROUP_PATH)
			return -ENAMETOOLONG;
		len = strlen(path);
		if (len > 1 && path[len - 1] == '/')
			path[len - 1] = '\0';
		return 0;
	}
	return -EOPNOTSUPP;
}

static bool
has_attribute(const char *path, const char *name)
{
	char value[8];

	return getxattr(path, name, value, sizeof value) == 1 && value[0] == '1';
}

static bool
is_delegated(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	if (geteuid() != 0)
		return st.st_uid == geteuid();
	return has_attribute(path, "trusted.delegate") || has_attribute(path, "user.delegate") ||
	    access("/run/systemd/system", F_OK) < 0;
}

static int
cgroup_own(char path[CGROUP_PATH])
{
	_cleanup_buf_ struct buf mounts = BUF_MAX(CGROUP_FILE_MAX), self = BUF_MAX(CGROUP_FILE_MAX);
	int r = cgroup_read("/proc/self", "mountinfo", &mounts);

	if (r == 0)
		r = cgroup_read("/proc/self", "cgroup", &self);
	return r < 0 ? r : cgroup_locate(mounts.s, self.s, path);
}

int
cgroup_make(const char *name, char path[CGROUP_PATH])
{
	size_t n;
	int r = cgroup_own(path);

	if (r < 0)
		return r;
	if (!is_delegated(path))
		return -EOPNOTSUPP;
	for (const char *p = name; *p; p += *p == '/') {
		size_t len = strcspn(p, "/");

		n = strlen(path);
		if (n + len + 2 > CGROUP_PATH)
			return -ENAMETOOLONG;
		snprintf(path + n, CGROUP_PATH - n, "/%.*s", (int)len, p);
		p += len;
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	/* it may be left from a shim that was killed, but not be in use */
	return cgroup_is_populated(path) ? -EBUSY : 0;
}

int
cgroup_add(const char *path, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof text, "%jd\n", (intmax_t)pid);
	return cgroup_write(path, "cgroup.procs", text);
}

bool
cgroup_is_populated(const char *path)
{
	_cleanup_buf_ struct buf b = BUF_MAX(CGROUP_FILE_MAX);

	return cgroup_read(path, "cgroup.events", &b) == 0 && strstr(b.s, "populated 1");
}

/* SIGNO to each process that the cgroup PATH has now; to how many it was sent. */
static int
signal_processes(const char *path, int signo)
{
	_cleanup_buf_ struct buf b = BUF_MAX(CGROUP_FILE_MAX);
	int n = 0;

	if (cgroup_read(path, "cgroup.procs", &b) < 0)
		return 0;
	for (char *p = b.s, *end; *p; p = end + (*end == '\n')) {
		pid_t pid = (pid_t)strtol(p, &end, 10);

		if (end == p)
			break;
		n += pid > 1 && kill(pid, signo) == 0;
	}
	return n;
}

int
cgroup_signal(const char *path, int signo)
{
	int n = 0;

	if (signo != SIGKILL)
		return signal_processes(path, signo);
	if (cgroup_write(path, "cgroup.kill", "1") == 0)	/* Linux 5.14 */
		return 1;
	for (int i = 0; i < KILL_ROUNDS && (n = signal_processes(path, signo)) > 0; i++)
		;
	return n;
}

int64_t
cgroup_oom_kills(const char *path)
{
	_cleanup_buf_ struct buf b = BUF_MAX(CGROUP_FILE_MAX);
	const char *p;
	int64_t n = 0;

	if (cgroup_read(path, "memory.events", &b) < 0)
		return 0;
	p = strstr(b.s, "oom_kill ");
	return p && sscanf(p, "oom_kill %" SCNd64, &n) == 1 ? n : 0;
}

bool
cgroup_remove(const char *path)
{
	return !*path || rmdir(path) == 0 || errno == ENOENT;
}

void
cgroup_dissolve(const char *path)
{
	_cleanup_free_ char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	_cleanup_buf_ struct buf b = BUF_MAX(CGROUP_FILE_MAX);

	if (cgroup_read(path, "cgroup.procs", &b) == 0)
		for (char *p = b.s, *end; *p; p = end + (*end == '\n')) {
			pid_t pid = (pid_t)strtol(p, &end, 10);

			if (end == p)
				break;
			cgroup_add(parent, pid);
		}
	cgroup_remove(path);
}
