#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/xalloc.h"

enum { GUARD_FD = 3, GUARD_SLACK_MS = 500 };	/* rejoin-guard reports there; and has so long beside its own grace */

struct spawn {
	struct loop *loop;
	spawn_done *done;
	spawn_output *output;
	void *cookie;
	pid_t pid;
	struct loop_child *child;	/* while it runs */
	int in_fd, out_fd, err_fd;
	int guard_fd;		/* of rejoin-guard: the errno of a program that could not be run */
	char *in;
	size_t in_len, in_done;
	bool out_tail;
	struct loop_timer report;	/* of a program that could not be run */
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
	stop_fd(s, &s->in_fd);
	stop_fd(s, &s->out_fd);
	stop_fd(s, &s->err_fd);
	io_closep(&s->guard_fd);
	if (s->report.set) {
		loop_timer_stop(s->loop, &s->report);
		loop_release(s->loop);
	}
	buf_release(&s->result.out);
	buf_release(&s->result.err);
	free(s->in);
	free(s);
}

static void
report_done(struct spawn *s)
{
	s->done(&s->result, s->cookie);
	spawn_free(s);
}

static void
report_failure(void *cookie)
{
	struct spawn *s = cookie;

	loop_release(s->loop);
	report_done(s);
}

void
spawn_end(struct spawn *s)
{
	if (s->child)
		loop_child_end(s->child);
}

/* A program need not read its stdin: no SIGPIPE, whatever its disposition here. */
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
write_input(int fd, short events, void *cookie)
{
	struct spawn *s = cookie;
	ssize_t n = write_quietly(fd, s->in + s->in_done, s->in_len - s->in_done);

	(void)events;
	if (n > 0)
		s->in_done += (size_t)n;
	if (n < 0 && n != -EAGAIN && n != -EPIPE)
		s->result.in_error = (int)-n;
	if (s->in_done == s->in_len || (n < 0 && n != -EAGAIN))
		stop_fd(s, &s->in_fd);	/* a program need not read it all */
}

/* Drop the first half. */
static void
drop_half(struct buf *out, int64_t *lost)
{
	size_t n = out->len - out->len / 2;

	memmove(out->s, out->s + n, out->len - n + 1);
	out->len -= n;
	*lost += (int64_t)n;
}

/*
 * One read from its stdout (or stderr): passed to OUTPUT, or kept; beyond OUT_MAX
 * it is counted and dropped, or, with OUT_TAIL, the oldest half is.
 * Returns 0 at the end, < 0 where nothing is there now.
 */
static ssize_t
read_output(struct spawn *s, bool is_out)
{
	struct buf *keep = is_out ? &s->result.out : &s->result.err;
	int64_t *lost = is_out ? &s->result.out_lost : &s->result.err_lost;
	int fd = is_out ? s->out_fd : s->err_fd;
	char sink[16384];
	ssize_t n;

	if (s->out_tail && keep->len == keep->max)
		drop_half(keep, lost);
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
output_ready(int fd, short events, void *cookie)
{
	struct spawn *s = cookie;
	bool is_out = fd == s->out_fd;
	ssize_t n = read_output(s, is_out);

	(void)events;
	if (n == 0 || (n < 0 && n != -EAGAIN))
		stop_fd(s, is_out ? &s->out_fd : &s->err_fd);
}

static void
drain_rest(struct spawn *s)
{
	/* bounded: a background child may go on writing for ever */
	for (int i = 0; i < 64 && s->out_fd >= 0; i++)
		if (read_output(s, true) <= 0)
			break;
	for (int i = 0; i < 64 && s->err_fd >= 0; i++)
		if (read_output(s, false) <= 0)
			break;
}

static void
child_ended(const struct loop_child_end *e, void *cookie)
{
	struct spawn *s = cookie;
	int err;

	s->child = NULL;
	drain_rest(s);
	s->result.status = e->status;
	s->result.signo = e->signo;
	s->result.timed_out = e->timed_out;
	s->result.ended = e->ended;
	if (s->guard_fd >= 0 && io_read(s->guard_fd, &err, sizeof err) == sizeof err)
		s->result.error = err;
	report_done(s);
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

/* BASE with REJOIN_RUN=MARK in it, but for MARK NULL; the last string and the array are to be freed. */
static char **
build_environment(char *const *base, const char *mark)
{
	static const char name[] = "REJOIN_RUN=";
	char **env;
	size_t n = 0;

	while (base[n])
		n++;
	env = xcalloc(n + 2, sizeof *env);
	n = 0;
	for (char *const *e = base; *e; e++)
		if (!mark || strncmp(*e, name, sizeof name - 1) != 0)
			env[n++] = *e;
	if (mark)
		env[n] = xasprintf("%s%s", name, mark);
	return env;
}

/* "rejoin-guard GRACE_MS session|group" before ARGV; the first two and the array are to be freed. */
static char **
guard_argv(const struct spawn_spec *spec)
{
	static char session[] = "session", group[] = "group";
	size_t n = 0;
	char **v;

	while (spec->argv[n])
		n++;
	v = xcalloc(n + 4, sizeof *v);
	v[0] = dirs_helper("rejoin-guard");
	v[1] = xasprintf("%lld", (long long)spec->grace_ms);
	v[2] = spec->session ? session : group;
	for (size_t i = 0; i < n; i++)
		v[3 + i] = spec->argv[i];
	return v;
}

/* Runs it with its ends of the pipes (-1: /dev/null; -2: ours). */
static int
program_launch(struct spawn *s, const struct spawn_spec *spec, int in, int out, int err, int guard)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, dfl;
	char **env = build_environment(spec->env ? spec->env : environ, spec->mark);
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	size_t n = 0;
	int r;

	sigemptyset(&none);
	sigfillset(&dfl);
	posix_spawnattr_init(&at);
	/* the leader of a session leads a group as well */
	flags |= spec->session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
	posix_spawnattr_setflags(&at, flags);
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
	if (guard >= 0)
		posix_spawn_file_actions_adddup2(&fa, guard, GUARD_FD);
	/* descriptors that were passed to us without O_CLOEXEC */
	if (!spec->out_inherit)
		posix_spawn_file_actions_addclosefrom_np(&fa, guard >= 0 ? GUARD_FD + 1 : 3);
	if (spec->guard) {
		char **argv = guard_argv(spec);

		r = posix_spawnp(&s->pid, argv[0], &fa, &at, argv, env);
		free(argv[0]);
		free(argv[1]);
		free(argv);
	} else {
		r = posix_spawnp(&s->pid, spec->argv[0], &fa, &at, spec->argv, env);
	}
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

/* SIGCHLD may have been ignored when we were started: the kernel would then discard exit statuses. */
static void
reset_sigchld(void)
{
	struct sigaction sa;

	if (sigaction(SIGCHLD, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
}

static int
start_program(struct spawn *s, const struct spawn_spec *spec)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 }, guard[2] = { -1, -1 };
	const bool is_read = spec->out_max || spec->output;
	int r = 0;

	reset_sigchld();
	if (spec->in)
		r = our_pipe(in, 1);
	if (r == 0 && !spec->out_inherit && is_read)
		r = our_pipe(out, 0);
	if (r == 0 && !spec->err_inherit && !spec->err_to_out && is_read)
		r = our_pipe(err, 0);
	if (r == 0 && spec->guard)
		r = our_pipe(guard, 0);
	s->guard_fd = guard[0];
	s->in_fd = in[1];
	s->out_fd = out[0];
	s->err_fd = err[0];
	if (r == 0)
		r = program_launch(s, spec, in[0], spec->out_inherit ? -2 : out[1],
		    spec->err_inherit ? -2 : err[1], guard[1]);
	io_closep(&guard[1]);
	io_closep(&in[0]);
	io_closep(&out[1]);
	io_closep(&err[1]);
	if (r < 0) {
		s->pid = 0;
		return r;
	}
	s->child = loop_child_add(s->loop, &(struct loop_child_spec){
		.pid = s->pid, .session = spec->session, .mark = spec->mark,
		.timeout_ms = spec->timeout_ms, .grace_ms = spec->grace_ms + (spec->guard ? GUARD_SLACK_MS : 0),
	}, child_ended, s);
	return s->child ? 0 : -errno;
}

static void
watch_pipes(struct spawn *s)
{
	if (s->in_fd >= 0)
		loop_watch(s->loop, s->in_fd, POLLOUT, write_input, s);
	if (s->out_fd >= 0)
		loop_watch(s->loop, s->out_fd, POLLIN, output_ready, s);
	if (s->err_fd >= 0)
		loop_watch(s->loop, s->err_fd, POLLIN, output_ready, s);
}

struct spawn *
spawn_start(struct loop *l, const struct spawn_spec *spec, spawn_done *done, void *cookie)
{
	struct spawn *s = xcalloc(1, sizeof *s);
	int r;

	*s = (struct spawn){
		.loop = l, .done = done, .output = spec->output, .cookie = cookie,
		.in_fd = -1, .out_fd = -1, .err_fd = -1, .guard_fd = -1,
		.in = spec->in ? xstrndup(spec->in, spec->in_len) : NULL, .in_len = spec->in_len,
		.out_tail = spec->out_tail,
		.report = { .fn = report_failure, .cookie = s },
		.result = { .out = BUF_MAX(spec->out_max), .err = BUF_MAX(spec->out_max) },
	};
	r = start_program(s, spec);
	if (r == 0) {
		watch_pipes(s);
	} else {
		s->result.error = -r;
		s->result.status = r == -ENOENT ? SPAWN_NOT_FOUND : SPAWN_CANNOT_RUN;
		loop_hold(l);
		loop_timer_set(l, &s->report, 0);
	}
	return s;
}

void
spawn_kill(struct spawn *s)
{
	if (s->child)
		loop_child_kill(s->child);
	spawn_free(s);
}

struct spawn_run {
	struct loop *loop;
	struct spawn_result *result;
};

static void
run_done(const struct spawn_result *r, void *cookie)
{
	struct spawn_run *run = cookie;

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
	struct spawn_run run = { .loop = loop_new(), .result = r };

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
