#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "restart/method.h"
#include "restart/pidfile.h"

/* A wrong start command fails soon: it is watched for START_MS, or until there is an agent. */
enum { START_MS = 2000, POLL_MS = 20, KILL_MS = 10000 };

/* Has the process of FD ended, within TIMEOUT_MS? */
static bool
has_ended(int fd, int64_t timeout_ms)
{
	const int64_t end = clock_mono_ms() + timeout_ms;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left = timeout_ms;

	while (poll(&p, 1, (int)(left < INT32_MAX ? left : INT32_MAX)) < 1) {
		left = end - clock_mono_ms();
		if (left <= 0)
			return false;
	}
	return true;
}

/* Send one signal after the other until the process of FD has ended. */
static int
end_process(const struct restart_method_call *c, int fd, struct fail *f)
{
	const int first = c->p->restart.signo ? c->p->restart.signo : SIGINT;
	const int signals[] = { first, SIGTERM, SIGKILL };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		if (i > 0 && signals[i] == first)
			continue;
		if (pidfd_send_signal(fd, signals[i], NULL, 0) < 0) {
			if (errno == ESRCH)
				return 0;
			return fail_errno(f, errno, "%s: process %jd", c->p->name,
			    (intmax_t)c->before->pid);
		}
		if (has_ended(fd, signals[i] == SIGKILL ? KILL_MS : c->p->restart.grace_ms))
			return 0;
	}
	return fail_set(f, EXIT_TROUBLE, "%s: process %jd did not end after SIGKILL", c->p->name,
	    (intmax_t)c->before->pid);
}

/* The pidfd is opened first: the process that is checked afterwards is the one signalled. */
static int
stop_agent(const struct restart_method_call *c, struct fail *f)
{
	_cleanup_fd_ int fd = pidfd_open(c->before->pid, 0);
	int r;

	if (fd < 0)
		return errno == ESRCH ? 0 : fail_errno(f, errno, "process %jd",
		    (intmax_t)c->before->pid);
	r = pidfile_check(c->p, c->before->pid, c->before, f);
	if (r == -ESRCH || r == -ENOENT)
		return 0;
	return r < 0 ? r : end_process(c, fd, f);
}

/* In the child: a new session, no inherited descriptors, default signal handling, then ARGV. */
static void
exec_agent(char **argv, int report)
{
	int null = open("/dev/null", O_RDWR), e;
	sigset_t none;

	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	/* the agent must not hold a lock of our caller's; REPORT gets close-on-exec, too */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	if (chdir("/") == 0)
		execvp(argv[0], argv);
	e = errno;
	(void)io_write_all(report, &e, sizeof e);
	_exit(127);
}

/* Is there another instance than before? */
static bool
has_new_instance(const struct restart_method_call *c)
{
	struct instance_state l;
	struct fail f;

	return pidfile_inspect(c->p, c->end_ms, &l, &f) == 0 && l.running && strcmp(l.name, c->before->name) != 0;
}

/* Did the start command, process PID, fail before there was an agent? */
static int
check_start(const struct restart_method_call *c, pid_t pid, struct fail *f)
{
	const char *name = c->p->restart.start[0];
	const int64_t end = clock_mono_ms() + START_MS;
	_cleanup_fd_ int fd = pidfd_open(pid, 0);
	int status;

	while (fd >= 0 && !has_ended(fd, POLL_MS))
		if (has_new_instance(c) || clock_mono_ms() > end)
			return 0;
	if (waitpid(pid, &status, WNOHANG) != pid)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return fail_set(f, EXIT_NO, "%s: exited with %d", name, WEXITSTATUS(status));
	if (WIFSIGNALED(status))
		return fail_set(f, EXIT_NO, "%s: was killed by signal %d", name, WTERMSIG(status));
	return 0;
}

/* The start command may be the agent itself, so it runs detached and outlives this process. */
static int
start_agent(const struct restart_method_call *c, struct fail *f)
{
	char **argv = c->p->restart.start;
	int report[2], e;
	ssize_t n;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return fail_errno(f, errno, "pipe");
	pid = fork();
	if (pid == 0)
		exec_agent(argv, report[1]);
	close(report[1]);
	n = pid < 0 ? 0 : io_read(report[0], &e, sizeof e);
	close(report[0]);
	if (pid < 0)
		return fail_errno(f, errno, "fork");
	if (n == sizeof e)
		return fail_errno(f, e, "%s", argv[0]);
	return check_start(c, pid, f);
}

/* A signal to this process between stop and start must not leave the agent stopped. */
static int
replace_agent(const struct restart_method_call *c, struct fail *f)
{
	sigset_t later, before;
	int r;

	sigemptyset(&later);
	for (const int *s = (const int[]){ SIGHUP, SIGINT, SIGQUIT, SIGTERM, 0 }; *s; s++)
		sigaddset(&later, *s);
	sigprocmask(SIG_BLOCK, &later, &before);
	r = stop_agent(c, f);
	if (r == 0 && c->stopped)
		c->stopped(c->cookie);
	if (r == 0)
		r = start_agent(c, f);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int
restart_by_signal(const struct restart_method_call *c, struct fail *f)
{
	const bool can_start = c->p->restart.start;

	if (c->before->running)
		return can_start ? replace_agent(c, f) : stop_agent(c, f);
	return can_start ? start_agent(c, f) : fail_set(f, EXIT_ABSENT, "%s: not running, and [restart] has no "
	    "start", c->p->name);
}

static void
describe_signal(const struct profile *p, bool conditional, struct buf *out)
{
	int first = p->restart.signo ? p->restart.signo : SIGINT;

	(void)conditional;
	buf_printf(out, "signals\tSIG%s%s SIGKILL, %jdms each\n", sigabbrev_np(first),
	    first == SIGTERM ? "" : " SIGTERM", (intmax_t)p->restart.grace_ms);
	if (p->restart.start)
		restart_method_describe_argv("start", p->restart.start, out);
}

const struct restart_method restart_method_signal = { "signal", pidfile_inspect, restart_by_signal, describe_signal, false, 0 };
