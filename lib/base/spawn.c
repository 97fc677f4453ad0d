#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/xalloc.h"

enum { KILL_WAIT_MS = 200 };

static const char mark_name[] = "REJOIN_RUN=";

struct spawn {
	struct loop *loop;
	spawn_done *done;
	spawn_output *output;
	void *cookie;
	pid_t pid;
	int pid_fd, in_fd, out_fd, err_fd;
	char *in, *mark;
	size_t in_len, in_done;
	bool out_tail;
	int64_t timeout_ms, grace_ms;
	struct loop_timer deadline, grace, report;
	struct spawn_result result;
};

extern char **environ;

static void
stop_fd(struct spawn *s, int *fd)
{
	if (*fd < 0)
		return;
	loop_unwatch(s->loop, *fd);
	close(*fd);
	*fd = -1;
}

static void
spawn_free(struct spawn *s)
{
	stop_fd(s, &s->pid_fd);
	stop_fd(s, &s->in_fd);
	stop_fd(s, &s->out_fd);
	stop_fd(s, &s->err_fd);
	loop_timer_stop(s->loop, &s->deadline);
	loop_timer_stop(s->loop, &s->grace);
	loop_timer_stop(s->loop, &s->report);
	buf_release(&s->result.out);
	buf_release(&s->result.err);
	free(s->in);
	free(s->mark);
	free(s);
}

static void
report(void *cookie)
{
	struct spawn *s = cookie;

	s->done(&s->result, s->cookie);
	spawn_free(s);
}

/* Does the environment of process PID, a name in /proc, carry MARK? */
static bool
is_marked(const char *pid, const char *mark)
{
	_cleanup_free_ char *path = xasprintf("/proc/%s/environ", pid);
	_cleanup_buf_ struct buf b = BUF_MAX(1 << 20);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	const size_t n = sizeof mark_name - 1;

	if (fd < 0)
		return false;
	while (io_read_buf(fd, &b) > 0)
		;
	for (const char *p = b.s; p < b.s + b.len; p += strlen(p) + 1)
		if (strncmp(p, mark_name, n) == 0 && strncmp(p + n, mark, strlen(mark)) == 0)
			return true;
	return false;
}

/* A pidfd is taken first, so that it is the process looked at that is killed. */
int
spawn_signal_marked(const char *mark, int signo)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	int n = 0;

	while (proc && (d = readdir(proc))) {
		pid_t pid = isdigit((unsigned char)d->d_name[0]) ? atoi(d->d_name) : 0;
		_cleanup_fd_ int fd = pid > 1 && pid != getpid() ? pidfd_open(pid, 0) : -1;

		if (fd >= 0 && is_marked(d->d_name, mark) &&
		    pidfd_send_signal(fd, signo, NULL, 0) == 0)
			n++;
	}
	if (proc)
		closedir(proc);
	return n;
}

int
spawn_kill_marked(const char *mark)
{
	return spawn_signal_marked(mark, SIGKILL);
}

static void
kill_hard(void *cookie)
{
	struct spawn *s = cookie;

	kill(-s->pid, SIGKILL);
	if (s->mark)
		spawn_kill_marked(s->mark);
}

void
spawn_end(struct spawn *s)
{
	if (s->pid <= 0 || s->grace.set)
		return;
	s->result.ended = true;
	kill(-s->pid, SIGTERM);
	loop_timer_set(s->loop, &s->grace, s->grace_ms);
}

static void
at_deadline(void *cookie)
{
	struct spawn *s = cookie;

	spawn_end(s);
	s->result.ended = false;
	s->result.timed_out = true;
}

/* A command need not read what it is given: no SIGPIPE, whatever its disposition here. */
static ssize_t
write_quietly(int fd, const void *p, size_t len)
{
	const struct timespec now = { 0 };
	sigset_t pipe_set, pending, before;
	ssize_t n;

	sigpending(&pending);
	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &pipe_set, &before);
	n = io_write(fd, p, len);
	if (n == -EPIPE && !sigismember(&pending, SIGPIPE))
		sigtimedwait(&pipe_set, NULL, &now);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return n;
}

static void
feed(int fd, short events, void *cookie)
{
	struct spawn *s = cookie;
	ssize_t n = write_quietly(fd, s->in + s->in_done, s->in_len - s->in_done);

	(void)events;
	if (n > 0)
		s->in_done += (size_t)n;
	if (n < 0 && n != -EAGAIN && n != -EPIPE)
		s->result.in_error = (int)-n;
	if (s->in_done == s->in_len || (n < 0 && n != -EAGAIN))
		stop_fd(s, &s->in_fd);	/* a command need not read it all */
}

/* Forget the first half. */
static void
halve(struct buf *out, int64_t *lost)
{
	size_t n = out->len - out->len / 2;

	memmove(out->s, out->s + n, out->len - n + 1);
	out->len -= n;
	*lost += (int64_t)n;
}

/*
 * One read from its stdout (or stderr): to whoever asked for it as it comes, or
 * kept; where enough is, into nowhere, or OUT_TAIL makes room first.
 * 0 at the end, < 0 for none now.
 */
static ssize_t
drain(struct spawn *s, bool is_out)
{
	struct buf *keep = is_out ? &s->result.out : &s->result.err;
	int64_t *lost = is_out ? &s->result.out_lost : &s->result.err_lost;
	int fd = is_out ? s->out_fd : s->err_fd;
	char sink[16384];
	ssize_t n;

	if (s->out_tail && keep->len == keep->max)
		halve(keep, lost);
	if (!s->output && keep->len < keep->max)
		return io_read_buf(fd, keep);
	n = io_read(fd, sink, sizeof sink);
	if (n > 0 && s->output)
		s->output(is_out ? 1 : 2, sink, (size_t)n, s->cookie);
	else if (n > 0)
		*lost += n;
	return n;
}

static void
take(int fd, short events, void *cookie)
{
	struct spawn *s = cookie;
	bool is_out = fd == s->out_fd;
	ssize_t n = drain(s, is_out);

	(void)events;
	if (n == 0 || (n < 0 && n != -EAGAIN))
		stop_fd(s, is_out ? &s->out_fd : &s->err_fd);
}

static void
drain_rest(struct spawn *s)
{
	/* bounded: a background child may go on writing for ever */
	for (int i = 0; i < 64 && s->out_fd >= 0; i++)
		if (drain(s, true) <= 0)
			break;
	for (int i = 0; i < 64 && s->err_fd >= 0; i++)
		if (drain(s, false) <= 0)
			break;
}

static void
exited(int fd, short events, void *cookie)
{
	struct spawn *s = cookie;
	int status;

	(void)fd, (void)events;
	if (s->result.timed_out || s->result.ended)
		kill_hard(s);	/* what it left behind; its group is still ours until the wait */
	while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	drain_rest(s);
	s->result.signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	s->result.status = s->result.signo ? 128 + s->result.signo : WEXITSTATUS(status);
	report(s);
}

/* A pipe whose end END (0 or 1) is ours: not blocking. */
static int
our_pipe(int fds[2], int end)
{
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fcntl(fds[end], F_SETFL, O_NONBLOCK);
	return 0;
}

static char **
environment(const char *mark)
{
	char **env;
	size_t n = 0;

	while (environ[n])
		n++;
	env = xcalloc(n + 2, sizeof *env);
	n = 0;
	for (char **e = environ; *e; e++)
		if (!mark || strncmp(*e, mark_name, sizeof mark_name - 1) != 0)
			env[n++] = *e;
	if (mark)
		env[n] = xasprintf("%s%s", mark_name, mark);
	return env;
}

/* Runs it with its ends of the pipes (-1: /dev/null; -2: ours). */
static int
launch(struct spawn *s, const struct spawn_spec *spec, int in, int out, int err)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, dfl;
	char **env = environment(spec->mark);
	size_t n = 0;
	int r;

	sigemptyset(&none);
	sigfillset(&dfl);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
	    POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setsigdefault(&at, &dfl);
	posix_spawn_file_actions_init(&fa);
	if (in >= 0)
		posix_spawn_file_actions_adddup2(&fa, in, 0);
	else
		posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&fa, out, 1);
	else if (out == -1)
		posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	if (spec->err_to_out)
		posix_spawn_file_actions_adddup2(&fa, 1, 2);
	else if (err >= 0)
		posix_spawn_file_actions_adddup2(&fa, err, 2);
	else if (err == -1)
		posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	if (spec->dir)
		posix_spawn_file_actions_addchdir_np(&fa, spec->dir);
	r = posix_spawnp(&s->pid, spec->argv[0], &fa, &at, spec->argv, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	if (spec->mark)
		while (env[n + 1])
			n++;
	if (spec->mark)
		free(env[n]);
	free(env);
	return -r;
}

/* Who started us may have had us ignore how children end: the kernel would then not tell. */
static void
mind_children(void)
{
	struct sigaction sa;

	if (sigaction(SIGCHLD, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
}

static int
start(struct spawn *s, const struct spawn_spec *spec)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
	const bool read_it = spec->out_max || spec->output;
	int r = 0;

	mind_children();
	if (spec->in)
		r = our_pipe(in, 1);
	if (r == 0 && !spec->out_inherit && read_it)
		r = our_pipe(out, 0);
	if (r == 0 && !spec->err_inherit && !spec->err_to_out && read_it)
		r = our_pipe(err, 0);
	s->in_fd = in[1];
	s->out_fd = out[0];
	s->err_fd = err[0];
	if (r == 0)
		r = launch(s, spec, in[0], spec->out_inherit ? -2 : out[1],
		    spec->err_inherit ? -2 : err[1]);
	io_closep(&in[0]);
	io_closep(&out[1]);
	io_closep(&err[1]);
	if (r < 0) {
		s->pid = 0;
		return r;
	}
	s->pid_fd = pidfd_open(s->pid, 0);
	if (s->pid_fd < 0) {
		r = -errno;
		kill(-s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
		s->pid = 0;
	}
	return r;
}

static void
watch(struct spawn *s)
{
	loop_watch(s->loop, s->pid_fd, POLLIN, exited, s);
	if (s->in_fd >= 0)
		loop_watch(s->loop, s->in_fd, POLLOUT, feed, s);
	if (s->out_fd >= 0)
		loop_watch(s->loop, s->out_fd, POLLIN, take, s);
	if (s->err_fd >= 0)
		loop_watch(s->loop, s->err_fd, POLLIN, take, s);
	if (s->timeout_ms > 0)
		loop_timer_set(s->loop, &s->deadline, s->timeout_ms);
}

struct spawn *
spawn_start(struct loop *l, const struct spawn_spec *spec, spawn_done *done, void *cookie)
{
	struct spawn *s = xcalloc(1, sizeof *s);
	int r;

	*s = (struct spawn){
		.loop = l, .done = done, .output = spec->output, .cookie = cookie,
		.pid_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = -1,
		.in = spec->in ? xstrndup(spec->in, spec->in_len) : NULL, .in_len = spec->in_len,
		.out_tail = spec->out_tail,
		.mark = spec->mark ? xstrdup(spec->mark) : NULL,
		.timeout_ms = spec->timeout_ms, .grace_ms = spec->grace_ms,
		.deadline = { .fn = at_deadline, .cookie = s },
		.grace = { .fn = kill_hard, .cookie = s },
		.report = { .fn = report, .cookie = s },
		.result = { .out = BUF_MAX(spec->out_max), .err = BUF_MAX(spec->out_max) },
	};
	r = start(s, spec);
	if (r == 0) {
		watch(s);
	} else {
		s->result.error = -r;
		s->result.status = r == -ENOENT ? SPAWN_NOT_FOUND : SPAWN_CANNOT_RUN;
		loop_timer_set(l, &s->report, 0);
	}
	return s;
}

void
spawn_kill(struct spawn *s)
{
	struct pollfd end = { .fd = s->pid_fd, .events = POLLIN };

	if (s->pid > 0) {
		kill_hard(s);
		/* one that the kernel does not let go of is init's in the end */
		poll(&end, 1, KILL_WAIT_MS);
		waitpid(s->pid, NULL, WNOHANG);
	}
	spawn_free(s);
}

struct run {
	struct loop *loop;
	struct spawn_result *result;
};

static void
run_done(const struct spawn_result *r, void *cookie)
{
	struct run *run = cookie;

	*run->result = *r;
	run->result->out = (struct buf)BUF_INIT;
	run->result->err = (struct buf)BUF_INIT;
	buf_add(&run->result->out, r->out.s, r->out.len);
	buf_add(&run->result->err, r->err.s, r->err.len);
	loop_stop(run->loop, 0);
}

void
spawn_run(const struct spawn_spec *spec, struct spawn_result *r)
{
	struct run run = { .loop = loop_new(), .result = r };

	spawn_start(run.loop, spec, run_done, &run);
	loop_run(run.loop);
	loop_free(run.loop);
}

void
spawn_describe(const struct spawn_result *r, struct buf *out)
{
	if (r->error)
		buf_printf(out, "could not be run: %s", strerror(r->error));
	else if (r->timed_out)
		buf_puts(out, "did not end before its deadline");
	else if (r->ended)
		buf_puts(out, "was ended");
	else if (r->status == 0 && r->in_error)
		buf_printf(out, "was not given its input: %s", strerror(r->in_error));
	else if (r->signo && sigabbrev_np(r->signo))
		buf_printf(out, "was killed by SIG%s", sigabbrev_np(r->signo));
	else if (r->signo)
		buf_printf(out, "was killed by signal %d", r->signo);
	else
		buf_printf(out, "exited with %d", r->status);
}
