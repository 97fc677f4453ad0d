#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bootid.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/loop.h"
#include "base/sdnotify.h"
#include "base/xalloc.h"
#include "supervise/cgroup.h"
#include "supervise/exec.h"
#include "supervise/launch.h"
#include "supervise/lease.h"
#include "supervise/outcome.h"
#include "supervise/procs.h"
#include "supervise/rundir.h"
#include "supervise/segment.h"
#include "supervise/shim.h"

enum {
	PIPE_SIZE = 1 << 20, CHUNK = 256 << 10,
	SWEEP_MS = 20, SWEEP_SLOW_MS = 500, REMAINS_GRACE_MS = 2000, STATUS_RETRY_MS = 1000,
};

struct shim {
	const char *path;
	int dir;
	struct loop *loop;
	struct launch launch;
	struct segment_log log;
	int out[2];		/* our ends of the pipes; -1 when at their end */
	struct started started;
	struct outcome outcome;
	char *chunk;
	int exec_fd;		/* the errno of a failed exec comes through it */
	int lease_fd;		/* a timerfd on CLOCK_BOOTTIME; -1 */
	int64_t lease_end_ns;	/* when the lease ends, as it was last read; 0: not known */
	struct loop_timer timeout, grace, drain, sweep;
	bool ended;		/* the leader has */
	bool ending;		/* SIGTERM was sent */
	bool killing;		/* SIGKILL is */
	bool draining_over;
	int sweeps;
};

/* --- the end of the run's processes */

/* None is left: we are their subreaper, so each would be our child, or below one. */
static bool
is_deserted(struct shim *s)
{
	siginfo_t si = { .si_pid = 0 };

	if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD)
		return false;
	return !s->started.cgroup[0] || !cgroup_is_populated(s->started.cgroup);
}

static void
signal_all(struct shim *s, int signo)
{
	if (signo == SIGKILL)
		procs_kill_below(getpid());
	else
		procs_signal_below(getpid(), signo);
	/* where it is a cgroup's process and not below us, it joined by itself */
	if (s->started.cgroup[0] && signo == SIGKILL)
		cgroup_signal(s->started.cgroup, signo);
}

/* The first signal of an end: the leader alone may be the one that knows how to end the others. */
static void
signal_first(struct shim *s, int signo)
{
	if (s->launch.stops_leader && !s->ended && s->started.pid > 0)
		kill(s->started.pid, signo);
	else
		signal_all(s, signo);
}

static void
kill_all(void *cookie)
{
	struct shim *s = cookie;

	s->killing = true;
	signal_all(s, SIGKILL);
	loop_timer_set(s->loop, &s->sweep, SWEEP_MS);
}

static void
end_run(struct shim *s, enum outcome_why why, int signo, int64_t grace_ms)
{
	if (s->killing)
		return;
	if (!s->ending && !s->ended)
		s->outcome.why = why;
	s->ending = true;
	if (signo == SIGKILL || grace_ms <= 0) {
		kill_all(s);
		return;
	}
	signal_first(s, signo);
	signal_first(s, SIGCONT);	/* what is stopped can end */
	/* a second request may shorten the grace period, not prolong it */
	if (!s->grace.set || s->grace.at_ms > clock_mono_ms() + grace_ms)
		loop_timer_set(s->loop, &s->grace, grace_ms);
}

static void
at_timeout(void *cookie)
{
	struct shim *s = cookie;

	end_run(s, WHY_TIMEOUT, SIGTERM, s->launch.grace_ms);
}

/* --- the lease */

/*
 * A controller counts on the end of its lease and the grace behind it, whether this
 * machine sleeps or not: both are of CLOCK_BOOTTIME.
 */
static void
check_lease(struct shim *s)
{
	int64_t now = lease_now_ns(), left = rundir_lease_left(s->dir, s->launch.lease, s->started.boot);
	struct itimerspec t = { .it_value = { 0, 0 } };

	if (left > 0 || (left == 0 && s->lease_end_ns == 0))
		s->lease_end_ns = now + left;
	if (left == 0) {
		left = lease_grace_left_ns(s->lease_end_ns, now, s->launch.grace_ms);
		end_run(s, WHY_LEASE, SIGTERM, (left + 999999) / 1000000);
	}
	if (left > 0)
		t.it_value = (struct timespec){ left / 1000000000, left % 1000000000 };
	timerfd_settime(s->lease_fd, 0, &t, NULL);
}

static void
lease_due(int fd, short events, void *cookie)
{
	uint64_t n;

	(void)events;
	(void)!read(fd, &n, sizeof n);
	check_lease(cookie);
}

/* --- what the supervisor wants */

static void
check_end(struct shim *s)
{
	struct rundir_end e;

	if (rundir_load_end(s->dir, s->launch.grace_ms, &e) == 0)
		end_run(s, e.why, e.signo, e.grace_ms);
}

static void
on_usr1(void *cookie)
{
	check_end(cookie);
	check_lease(cookie);
}

static void
on_term(void *cookie)
{
	struct shim *s = cookie;

	end_run(s, WHY_KILL, SIGTERM, s->launch.grace_ms);
}

/* --- output */

static void
close_output(struct shim *s, int i)
{
	if (s->out[i] < 0)
		return;
	loop_unwatch(s->loop, s->out[i]);
	close(s->out[i]);
	s->out[i] = -1;
}

/* One read: 0 at the end, -EAGAIN for none now. */
static ssize_t
read_output(struct shim *s, int i)
{
	ssize_t n = io_read(s->out[i], s->chunk, CHUNK);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (n > 0)
		segment_log_write(&s->log, i, s->chunk, (size_t)n,
		    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	return n;
}

static void check_over(struct shim *s);

static void
output_ready(int fd, short events, void *cookie)
{
	struct shim *s = cookie;
	int i = fd == s->out[0] ? 0 : 1;
	ssize_t n = read_output(s, i);

	(void)events;
	if (n > 0 || n == -EAGAIN)
		return;
	close_output(s, i);
	check_over(s);
}

/* What is in the pipes now; a background process may write without end. */
static void
drain_output(struct shim *s)
{
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 2 * PIPE_SIZE / 4096 && s->out[i] >= 0; k++)
			if (read_output(s, i) <= 0)
				break;
		close_output(s, i);
	}
}

/* --- the end */

static void
finish_run(void *cookie)
{
	struct shim *s = cookie;
	int r;

	drain_output(s);
	clock_now(s->outcome.end);
	r = segment_log_sync(&s->log);
	if (r < 0 && !s->log.error)
		s->log.error = -r;
	for (int i = 0; i < 2; i++) {
		s->outcome.bytes[i] = s->log.streams[i].end;
		s->outcome.dropped[i] = s->log.streams[i].dropped;
	}
	s->outcome.output_error = s->log.error;
	r = rundir_write_status(s->dir, &s->outcome);
	if (r < 0 && rundir_is_removed(s->dir)) {
		/* nothing can read it: to try again would be for ever */
		loop_stop(s->loop, EXIT_TROUBLE);
	} else if (r < 0) {
		/* the lock stays held until it is known how the run ended */
		s->sweep.fn = finish_run;
		loop_timer_set(s->loop, &s->sweep, STATUS_RETRY_MS);
	} else {
		loop_stop(s->loop, 0);
	}
}

/* After the leader's end: output for a while, then the processes that are left, then the status. */
static void
check_over(struct shim *s)
{
	bool deserted;

	if (!s->ended)
		return;
	deserted = is_deserted(s);
	if (!deserted && s->out[0] < 0 && s->out[1] < 0)
		s->draining_over = true;
	if (!deserted && !s->draining_over && !s->ending)
		return;
	if (deserted || (s->launch.leave_background && !s->ending)) {
		finish_run(s);
		return;
	}
	if (!s->ending) {
		s->ending = true;	/* without a reason: the leader ended by itself */
		signal_all(s, SIGTERM);
		signal_all(s, SIGCONT);
		loop_timer_set(s->loop, &s->grace, s->launch.grace_ms < REMAINS_GRACE_MS ?
		    s->launch.grace_ms : REMAINS_GRACE_MS);
	}
	loop_timer_set(s->loop, &s->sweep, s->sweeps++ < 100 ? SWEEP_MS : SWEEP_SLOW_MS);
}

static void
on_drain_timeout(void *cookie)
{
	struct shim *s = cookie;

	s->draining_over = true;
	check_over(s);
}

static void
on_sweep(void *cookie)
{
	struct shim *s = cookie;

	if (s->killing && !is_deserted(s))
		signal_all(s, SIGKILL);
	if (s->ended)
		check_over(s);
	else
		loop_timer_set(s->loop, &s->sweep, SWEEP_SLOW_MS);
}

static void
leader_ended(struct shim *s, int status)
{
	int err = 0;

	s->ended = true;
	if (s->ending && s->launch.stops_leader)
		signal_all(s, SIGTERM);
	s->outcome.signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	s->outcome.exit = s->outcome.signo ? -1 : WEXITSTATUS(status);
	if (io_read(s->exec_fd, &err, sizeof err) == (ssize_t)sizeof err)
		s->outcome.error = err;
	if (s->outcome.signo == SIGKILL && s->outcome.why == WHY_ITSELF && s->started.cgroup[0] &&
	    cgroup_oom_kills(s->started.cgroup) > 0)
		s->outcome.why = WHY_OOM;
	loop_timer_stop(s->loop, &s->timeout);
	loop_timer_set(s->loop, &s->drain, s->launch.drain_ms);
}

static void
on_child(void *cookie)
{
	struct shim *s = cookie;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == s->started.pid)
			leader_ended(s, status);
	check_over(s);
}

/* --- the start */

static int
open_directory(struct shim *s, int lock_fd, struct fail *f)
{
	_cleanup_free_ char *lock = xasprintf("%s/lock", s->path);
	int r;

	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return fail_errno(f, errno, "%s", s->path);
	if (lock_fd < 0)
		lock_fd = lock_open(lock, 0600);
	r = lock_fd < 0 ? lock_fd : lock_try(lock_fd);	/* stays open as long as we live */
	if (r == -EAGAIN) {
		fail_set(f, EXIT_BUSY, "%s: another shim runs it", s->path);
		return -EBUSY;
	}
	if (r < 0)
		return fail_errno(f, r, "%s", lock);
	fcntl(lock_fd, F_SETFD, FD_CLOEXEC);
	if (faccessat(s->dir, "started", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		fail_set(f, EXIT_BUSY, "%s: was started before", s->path);
		return -EEXIST;
	}
	return 0;
}

static int
load_request(struct shim *s, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = rundir_load(s->dir, "request.json", LAUNCH_REQUEST_MAX, &b);

	return r < 0 ? fail_errno(f, r, "%s/request.json", s->path) : launch_parse(b.s, b.len, &s->launch, f);
}

/* The OOM killer takes the command first. */
static void
protect_from_oom(void)
{
	_cleanup_fd_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, "-1000", 5);	/* not ours to lower without CAP_SYS_RESOURCE */
}

static int
open_pipes(struct shim *s, struct exec_spec *e)
{
	int fds[2];

	for (int i = 0; i < 2 && !s->launch.inherit; i++) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return -errno;
		s->out[i] = fds[0];
		e->out[i] = fds[1];
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		fcntl(fds[0], F_SETPIPE_SZ, PIPE_SIZE);	/* a wish: limits of the user apply */
	}
	return 0;
}

/* Named after the directory, so that the next shim finds the one that a killed shim left. */
static void
make_cgroup(struct shim *s)
{
	const char *name = strrchr(s->path, '/');
	struct stat st = { .st_ino = 0 };
	_cleanup_free_ char *own = fstat(s->dir, &st) < 0 ? NULL :
	    xasprintf("rejoin-%s-%jx-%jx", name ? name + 1 : s->path, (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);

	s->started.cgroup[0] = '\0';
	if (!own)
		return;

	if (s->launch.cgroup && strcmp(s->launch.cgroup, "none") == 0)
		return;
	if (cgroup_make(s->launch.cgroup ? s->launch.cgroup : own, s->started.cgroup) < 0)
		s->started.cgroup[0] = '\0';
}

/* The command waits in its own session and cgroup until `started` is on disk. */
static int
start_command(struct shim *s, struct fail *f)
{
	struct exec_spec e = { .dir = s->dir, .launch = &s->launch, .out = { -1, -1 } };
	struct exec_child c;
	int r = open_pipes(s, &e);

	make_cgroup(s);
	s->started.shim = getpid();
	if (r == 0)
		r = procs_start_time(s->started.shim, &s->started.shim_ticks);
	started_mark(&s->started, e.mark);
	if (r == 0)
		r = exec_prepare(&e, &c, f);
	io_closep(&e.out[0]);
	io_closep(&e.out[1]);
	if (r < 0) {
		cgroup_remove(s->started.cgroup);
		return f->text[0] ? r : fail_errno(f, r, "%s", s->path);
	}
	if (s->started.cgroup[0] && cgroup_add(s->started.cgroup, c.pid) < 0) {
		cgroup_remove(s->started.cgroup);
		s->started.cgroup[0] = '\0';
	}
	s->started.pid = c.pid;
	s->exec_fd = c.error_fd;
	clock_now(s->started.time);
	r = procs_start_time(c.pid, &s->started.ticks);
	if (r == 0)
		r = rundir_write_started(s->dir, &s->started);
	if (r < 0) {
		exec_cancel(&c);
		cgroup_remove(s->started.cgroup);
		return fail_errno(f, r, "%s/started", s->path);
	}
	snprintf(s->outcome.start, sizeof s->outcome.start, "%s", s->started.time);
	exec_release(&c);
	return 0;
}

static void
watch_run(struct shim *s)
{
	for (int i = 0; i < 2; i++)
		if (s->out[i] >= 0)
			loop_watch(s->loop, s->out[i], POLLIN, output_ready, s);
	loop_watch(s->loop, s->lease_fd, POLLIN, lease_due, s);
	if (s->launch.timeout_ms > 0)
		loop_timer_set(s->loop, &s->timeout, s->launch.timeout_ms);
}

static int
prepare_run(struct shim *s, const struct shim_spec *spec, struct fail *f)
{
	int r = open_directory(s, spec->lock_fd, f);

	if (r == 0)
		r = load_request(s, f);
	if (r < 0)
		return r;
	r = rundir_reserve_status(s->dir);
	if (r == 0)
		r = bootid_read(s->started.boot);
	if (r == 0 && (s->lease_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) < 0)
		r = -errno;
	if (r < 0)
		return fail_errno(f, r, "%s", s->path);
	if (rundir_lease_left(s->dir, s->launch.lease, s->started.boot) == 0) {
		fail_set(f, EXIT_TIMEOUT, "%s: its lease has expired", s->path);
		return -ETIMEDOUT;
	}
	if (!s->launch.inherit_env)
		(void)!chdir("/");	/* hold no file system but that of the directory */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setsid();	/* fails if we lead one already */
	protect_from_oom();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	return 0;
}

static void
report_started(const struct started *s, int fd)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (fd >= 0) {
		started_format(s, &b);
		(void)!io_write_all(fd, b.s, b.len);
		close(fd);
	}
	sdnotify("READY=1");
}

static void
shim_release(struct shim *s)
{
	if (!cgroup_remove(s->started.cgroup) && s->launch.leave_background)
		cgroup_dissolve(s->started.cgroup);
	segment_log_close(&s->log);
	launch_release(&s->launch);
	free(s->chunk);
	loop_free(s->loop);
	io_closep(&s->out[0]);
	io_closep(&s->out[1]);
	io_closep(&s->exec_fd);
	io_closep(&s->lease_fd);
	io_closep(&s->dir);
}

int
shim_run(const struct shim_spec *spec, struct fail *f)
{
	struct shim s = { .path = spec->dir, .dir = -1, .launch = LAUNCH_INIT, .out = { -1, -1 },
	    .outcome = { .exit = -1 }, .exec_fd = -1, .lease_fd = -1 };
	int r;

	f->text[0] = '\0';
	s.timeout = (struct loop_timer){ .fn = at_timeout, .cookie = &s };
	s.grace = (struct loop_timer){ .fn = kill_all, .cookie = &s };
	s.drain = (struct loop_timer){ .fn = on_drain_timeout, .cookie = &s };
	s.sweep = (struct loop_timer){ .fn = on_sweep, .cookie = &s };
	s.loop = loop_new();
	s.chunk = xcalloc(1, CHUNK);
	r = prepare_run(&s, spec, f);
	segment_log_open(&s.log, s.dir, s.launch.log_max);
	if (r == 0) {
		/* before the start: none of them is missed */
		loop_signal(s.loop, SIGCHLD, on_child, &s);
		loop_signal(s.loop, SIGTERM, on_term, &s);
		loop_signal(s.loop, SIGUSR1, on_usr1, &s);
		r = start_command(&s, f);
	}
	if (r == 0) {
		(void)!chdir("/");	/* the command has its own working directory by now */
		report_started(&s.started, spec->report_fd);
		watch_run(&s);
		on_usr1(&s);	/* what was asked while `started` was not there to be seen */
		loop_run(s.loop);
	}
	shim_release(&s);
	return r;
}
