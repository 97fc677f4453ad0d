/*
 * busy-path - the agent is busy while a path matches, such as the Azure agent's
 * sandbox of a deployment.
 *
 * A sandbox is left behind by a download that failed and by an agent that was
 * killed, so its existence alone does not mean work.  It is stale
 *
 *	- if it is older than the incarnation of the agent: the main process of the
 *	  unit, or else that of a pid file, or the one that reads the command pipe;
 *	- or if the log has a later line that matches the profile's "failed" or
 *	  "idle", and none after that which matches "busy".
 *
 * A stale sandbox is the state failed, so a retry, which is the cure, is
 * delivered.  If neither incarnation nor log can tell, the state is unknown.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/fd_owners.h"
#include "agent/incarnation.h"
#include "agent/process.h"
#include "agent/status_method.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/xalloc.h"

enum { POLL_MS = 20, IDLE_POLL_MS = 100, TAIL_MAX = 65536, READERS_MAX = 16 };

/* A process's start is rounded down to a tick of 10 ms. */
enum { TICK_NS = 10000000 };

/* Can the directory before the pattern's first wildcard be read? */
static int
check_pattern(const char *pattern)
{
	size_t n = strcspn(pattern, "*?[");
	_cleanup_free_ char *prefix = xstrndup(pattern, n);
	_cleanup_free_ char *dir = pattern[n] && n && prefix[n - 1] == '/' ? xstrdup(prefix)
	    : xstrdup(dirname(prefix));

	return access(dir, pattern[n] ? R_OK | X_OK : X_OK) < 0 ? -errno : 0;
}

static int64_t
ns_of(struct timespec t)
{
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

struct sandbox {
	char path[STATUS_TEXT];		/* the newest match */
	int64_t made_ns;		/* its modification time, on the wall clock */
};

/* Find the newest match of P's busy-path: 1, 0 for none, or an error (-ENODATA). */
static int
find_sandbox(const struct profile *p, struct sandbox *s, struct fail *f)
{
	const char *pattern = p->status.busy_path;
	int r = check_pattern(pattern);
	struct stat st;
	glob_t g;

	*s = (struct sandbox){ .made_ns = -1 };
	if (r == 0) {
		r = glob(pattern, GLOB_ERR | GLOB_NOSORT, NULL, &g);
		for (size_t i = 0; r == 0 && i < g.gl_pathc; i++)
			if (lstat(g.gl_pathv[i], &st) == 0 && ns_of(st.st_mtim) > s->made_ns) {
				s->made_ns = ns_of(st.st_mtim);
				snprintf(s->path, sizeof s->path, "%.*s", STATUS_TEXT - 1, g.gl_pathv[i]);
			}
		globfree(&g);
		if (r == 0 || r == GLOB_NOMATCH)
			return r == 0 && s->made_ns >= 0;
		r = -EACCES;
	}
	fail_set(f, EXIT_BUSY, "the state of %s is unknown: %s: %s", p->name, pattern, strerror(-r));
	return -ENODATA;
}

/* --- the incarnation */

/* The start of the process PID on the wall clock, -1 if unknown. */
static int64_t
started_ns(pid_t pid)
{
	struct timespec now, boot;
	uint64_t ticks;

	if (pid <= 0 || incarnation_start(pid, &ticks) < 0)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return ns_of(now) - ns_of(boot) + (int64_t)ticks * (1000000000 / sysconf(_SC_CLK_TCK));
}

/* The process that reads P's command pipe, 0 if it cannot be seen. */
static pid_t
find_reader(const struct profile *p)
{
	_cleanup_fd_ int fd = p->retry.method == RETRY_FIFO ?
	    open(p->retry.path, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct fd_owner owners[READERS_MAX];
	size_t hidden, n = fd >= 0 ? fd_owners_find(fd, owners, READERS_MAX, &hidden) : 0;

	for (size_t i = 0; i < n && i < READERS_MAX; i++)
		if (owners[i].reads)
			return owners[i].pid;
	return 0;
}

/* The agent's process where no unit shows it: of a pid file, or the reader of the pipe; 0 if unknown. */
static pid_t
find_process(const struct profile *p)
{
	const char *pid_file = p->restart.pid_file ? p->restart.pid_file : p->retry.pid_file;
	struct fail ignored;
	pid_t pid;

	if (pid_file && process_find(p, pid_file, &pid, &ignored) == 0)
		return pid;
	return find_reader(p);
}

/* --- the log */

/* The newest file that a [log.NAME] path of P matches.  Its descriptor, or -1. */
static int
open_log(const struct profile *p, struct stat *st)
{
	int64_t newest = -1;
	int fd = -1;

	for (size_t i = 0; i < p->n_logs; i++) {
		glob_t g;

		if (p->logs[i].path && glob(p->logs[i].path, GLOB_NOSORT, NULL, &g) == 0) {
			for (size_t k = 0; k < g.gl_pathc; k++) {
				struct stat now;
				int more = open(g.gl_pathv[k], O_RDONLY | O_NONBLOCK | O_CLOEXEC);

				if (more >= 0 && fstat(more, &now) == 0 && S_ISREG(now.st_mode) &&
				    ns_of(now.st_mtim) > newest) {
					newest = ns_of(now.st_mtim);
					*st = now;
					io_closep(&fd);
					fd = more;
				} else {
					io_closep(&more);
				}
			}
			globfree(&g);
		}
	}
	return fd;
}

/* The RFC 3339 UTC time at the begin of LINE, to the second; -1 for none. */
static int64_t
line_ns(const char *line)
{
	struct tm t = { 0 };
	const char *end = strptime(line, "%Y-%m-%dT%H:%M:%S", &t);

	return end ? timegm(&t) * INT64_C(1000000000) : -1;
}

static bool
matches(const char *expression, const char *line)
{
	bool yes = false;
	regex_t re;

	if (expression && regcomp(&re, expression, REG_EXTENDED | REG_NOSUB) == 0) {
		yes = regexec(&re, line, 0, NULL, 0) == 0;
		regfree(&re);
	}
	return yes;
}

/* The state that LINE shows, AGENT_UNKNOWN for none. */
static enum agent_state
line_state(const struct profile_status *how, const char *line)
{
	return matches(how->busy, line) ? AGENT_BUSY : matches(how->failed, line) ? AGENT_FAILED :
	    matches(how->idle, line) ? AGENT_IDLE : AGENT_UNKNOWN;
}

/*
 * The state that the last telling line of the log shows, if that line is later
 * than SINCE_NS; AGENT_UNKNOWN if there is none.  A line without a time is as old
 * as the file at most.
 */
static enum agent_state
read_log(const struct profile *p, int64_t since_ns, char line_out[STATUS_TEXT])
{
	struct stat st = { .st_size = 0 };
	_cleanup_fd_ int fd = open_log(p, &st);
	_cleanup_free_ char *b = NULL;
	enum agent_state state = AGENT_UNKNOWN;
	ssize_t n;

	if (fd < 0)
		return AGENT_UNKNOWN;
	b = xcalloc(1, TAIL_MAX + 1);
	n = pread(fd, b, TAIL_MAX, st.st_size > TAIL_MAX ? st.st_size - TAIL_MAX : 0);
	while (n > 0 && state == AGENT_UNKNOWN) {
		char *nl;
		const char *line;
		int64_t at;

		while (n > 0 && (b[n - 1] == '\n' || b[n - 1] == '\r'))
			n--;
		b[n] = '\0';
		nl = memrchr(b, '\n', (size_t)n);
		line = nl ? nl + 1 : b;
		state = line_state(&p->status, line);
		at = line_ns(line);
		if (state != AGENT_UNKNOWN && (at < 0 ? ns_of(st.st_mtim) : at + 999999999) < since_ns)
			return AGENT_UNKNOWN;
		if (state != AGENT_UNKNOWN)
			snprintf(line_out, STATUS_TEXT, "%.*s", STATUS_TEXT - 1, line);
		n = nl ? nl - b : 0;
	}
	return state;
}

/* --- the state */

/* Set the state of S from the sandbox B. */
static void
judge_sandbox(const struct profile *p, const struct sandbox *b, struct status *s)
{
	const pid_t agent = s->pid > 0 ? s->pid : find_process(p);
	const int64_t started = started_ns(agent);
	char line[STATUS_TEXT] = "", at[CLOCK_TEXT];
	enum agent_state says = read_log(p, b->made_ns, line);

	clock_format((struct timespec){ b->made_ns / 1000000000, b->made_ns % 1000000000 }, at);
	snprintf(s->state_since, sizeof s->state_since, "%s", at);
	if (started >= 0 && b->made_ns < started - TICK_NS) {
		s->state = AGENT_FAILED;
		snprintf(s->note, sizeof s->note, "%.100s is stale: it is from %s, and process %jd started later",
		    b->path, at, (intmax_t)agent);
	} else if (says == AGENT_FAILED || says == AGENT_IDLE) {
		s->state = AGENT_FAILED;
		snprintf(s->note, sizeof s->note, "%.100s is stale: the log says later: %.100s", b->path, line);
	} else if (started >= 0 || says == AGENT_BUSY) {
		s->state = AGENT_BUSY;
		snprintf(s->note, sizeof s->note, "busy since %s: %.150s exists", at, b->path);
	} else {
		s->state = AGENT_UNKNOWN;
		snprintf(s->note, sizeof s->note, "%.100s exists since %s, and neither the agent's process nor "
		    "its log can tell whether it is stale", b->path, at);
	}
}

static int
read_busy_path(const struct profile *p, struct status *s, struct fail *f)
{
	struct sandbox b;
	int r;

	status_method_read_unit(p, s);
	r = find_sandbox(p, &b, f);
	if (s->running == 0)
		s->state = AGENT_STOPPED;
	else if (r < 0)
		snprintf(s->note, sizeof s->note, "%.250s", f->text);
	else if (r == 0)
		s->state = AGENT_IDLE;
	else
		judge_sandbox(p, &b, s);
	return 0;
}

const struct status_method status_method_busy_path = {
	read_busy_path, status_method_poll_idle, POLL_MS, IDLE_POLL_MS, false,
};
