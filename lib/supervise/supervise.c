#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bootid.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/io.h"
#include "base/lock.h"
#include "base/spawn.h"
#include "base/xalloc.h"
#include "supervise/supervise.h"

enum {
	RECORD_MAX = 16384, LOCK_FD = 3, REPORT_FD = 4,
	POLL_MS = 100, UNREAD_MAX = 20, CLEAR_MS = 20, CLEARS_MAX = 500, UNIT_TIMEOUT_MS = 60000, TEXT_MAX = 400,
};

extern char **environ;

struct supervise {
	struct loop *loop;
	supervise_done *done;
	void *cookie;
	char *dir;
	pid_t child;		/* the shim, where it is ours to wait for; 0 */
	int pid_fd;		/* of the shim; -1: not known yet */
	int report_fd;		/* what it says until it has started; -1 */
	struct spawn *unit;	/* systemd-run, until it has ended */
	struct buf report;
	struct started started;	/* shim 0: not known to have started */
	struct loop_timer timer;
	int clears;		/* how often the remains of an interrupted run were killed */
	int unread;		/* how often the files could not be read */
};

/* --- what the files say */

static int
load_record(const char *dir, const char *name, struct buf *out, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);

	return file_load(path, FILE_NOFOLLOW, RECORD_MAX, out, f);
}

/* 1 where a shim holds the lock, 0 where none does. */
static int
is_locked(const char *dir, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/lock", dir);
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : fail_errno(f, errno, "%s", path);
	r = lock_is_held(fd);
	return r < 0 ? fail_errno(f, r, "%s", path) : r;
}

int
supervise_examine(const char *dir, struct supervise_view *v, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int locked = is_locked(dir, f), r;

	*v = (struct supervise_view){ .outcome = { .exit = -1 } };
	if (locked < 0)
		return locked;
	/* the lock first: its holder leaves a status before it lets go */
	r = load_record(dir, "started", &b, f);
	if (r < 0 && r != -ENOENT)
		return r;
	v->state = locked ? SUPERVISE_RUNNING : r == 0 ? SUPERVISE_INTERRUPTED : SUPERVISE_NEW;
	if (r == 0)
		started_parse(b.s, b.len, &v->started);
	if (locked)
		return 0;
	r = load_record(dir, "status", &b, f);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (outcome_parse(b.s, b.len, &v->outcome) < 0)
		return fail_set(f, EXIT_TROUBLE, "%s/status: is damaged", dir);
	v->state = SUPERVISE_ENDED;
	return 0;
}

void
supervise_format_request(const struct launch *l, struct json extra, struct buf *out)
{
	_cleanup_json_ struct json request = json_is_object(extra) ? json_copy(extra) : json_object();

	launch_to_json(l, &request);
	json_format(request, out);
	buf_putc(out, '\n');
}

int
supervise_make(const char *dir, const struct launch *l, struct json extra, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/request.json", dir);
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	supervise_format_request(l, extra, &b);
	if (mkdir(dir, 0700) < 0)
		return fail_errno(f, errno, "%s", dir);
	r = file_replace(path, b.s, b.len, 0600, FILE_DURABLE);
	if (r == 0)
		r = file_sync_dir(dir);
	if (r < 0) {
		file_remove_tree(dir);
		return fail_errno(f, r, "%s", path);
	}
	return 0;
}

/* --- the end */

static void
supervise_free(struct supervise *s)
{
	if (s->child > 0)
		waitpid(s->child, NULL, WNOHANG);
	if (s->pid_fd >= 0)
		loop_unwatch(s->loop, s->pid_fd);
	if (s->report_fd >= 0)
		loop_unwatch(s->loop, s->report_fd);
	loop_timer_stop(s->loop, &s->timer);
	io_closep(&s->pid_fd);
	io_closep(&s->report_fd);
	buf_release(&s->report);
	free(s->dir);
	free(s);
}

/*
 * What an interrupted run left: its cgroup, its session, and what carries its
 * mark.  Nothing of a boot before this one is left.
 */
static bool
clear_remains(const struct started *st)
{
	char mark[STARTED_MARK];
	int n;

	if (st->pid == 0 || !bootid_is_current(st->boot))
		return true;
	started_mark(st, mark);
	n = procs_kill_session(st->pid, st->ticks, mark);
	if (st->cgroup[0] && cgroup_is_populated(st->cgroup)) {
		cgroup_signal(st->cgroup, SIGKILL);
		n++;
	}
	return n == 0 && cgroup_remove(st->cgroup);
}

static void
report_end(struct supervise *s, const struct supervise_view *v, const struct fail *f)
{
	s->done(v, f, s->cookie);
	supervise_free(s);
}

/* Why nothing was executed, in the shim's words where it had any. */
static void
explain_new(struct supervise *s, struct fail *f)
{
	size_t n = strcspn(s->report.s, "\n");

	if (n > TEXT_MAX)
		n = TEXT_MAX;
	if (n > 0)
		fail_set(f, EXIT_TROUBLE, "%.*s", (int)n, s->report.s);
	else
		fail_set(f, EXIT_TROUBLE, "%s: the shim ended before it had started the command", s->dir);
}

static void watch_shim(struct supervise *s);

/* What `started` says, or the shim's report, which is the same: the file may be gone later. */
static void
note_started(struct supervise *s, const struct started *from_file)
{
	struct started reported;

	if (from_file->shim > 0)
		s->started = *from_file;
	else if (s->started.shim == 0 && started_parse(s->report.s, s->report.len, &reported) == 0)
		s->started = reported;
}

/* The shim has released its lock, or may have: call done() where the run is over. */
static void
on_lock_released(void *cookie)
{
	struct supervise *s = cookie;
	struct supervise_view v;
	struct fail f = { .status = EXIT_OK, .text = "" };

	if (supervise_examine(s->dir, &v, &f) < 0) {
		/* no descriptor or memory now: the status is no less there for that */
		if (s->unread++ < UNREAD_MAX) {
			loop_timer_set(s->loop, &s->timer, POLL_MS);
			return;
		}
		v.state = SUPERVISE_INTERRUPTED;	/* F says what is wrong with its files */
		report_end(s, &v, &f);
		return;
	}
	f = (struct fail){ .status = EXIT_OK };	/* a file that is not there has left a text */
	note_started(s, &v.started);
	if (v.state == SUPERVISE_RUNNING) {
		watch_shim(s);
		return;
	}
	/* what a command does to the files of its run is no reason to run it again */
	if (v.state == SUPERVISE_NEW && s->started.shim > 0) {
		v.state = SUPERVISE_INTERRUPTED;
		v.started = s->started;
	}
	if (v.state == SUPERVISE_INTERRUPTED && !clear_remains(&v.started) && s->clears++ < CLEARS_MAX) {
		loop_timer_set(s->loop, &s->timer, CLEAR_MS);
		return;
	}
	if (v.state == SUPERVISE_NEW)
		explain_new(s, &f);
	report_end(s, &v, &f);
}

static void
shim_ended(int fd, short events, void *cookie)
{
	struct supervise *s = cookie;

	(void)events;
	loop_unwatch(s->loop, fd);
	close(fd);
	s->pid_fd = -1;
	if (s->child > 0)
		while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
			;
	s->child = 0;
	if (s->report_fd >= 0)
		(void)!io_read_buf(s->report_fd, &s->report);
	on_lock_released(s);
}

/* By its pid where that is known and true, else by asking again. */
static void
watch_shim(struct supervise *s)
{
	if (s->pid_fd < 0 && s->started.shim > 0)
		s->pid_fd = procs_open(s->started.shim, s->started.shim_ticks);
	if (s->pid_fd >= 0)
		loop_watch(s->loop, s->pid_fd, POLLIN, shim_ended, s);
	else
		loop_timer_set(s->loop, &s->timer, POLL_MS);
}

/* --- the start */

static void
shim_reports(int fd, short events, void *cookie)
{
	struct supervise *s = cookie;

	(void)events;
	if (io_read_buf(fd, &s->report) > 0)
		return;
	loop_unwatch(s->loop, fd);
	close(fd);
	s->report_fd = -1;
}

static struct supervise *
supervise_new(struct loop *l, const char *dir, supervise_done *done, void *cookie)
{
	struct supervise *s = xcalloc(1, sizeof *s);

	*s = (struct supervise){ .loop = l, .done = done, .cookie = cookie, .dir = xstrdup(dir),
	    .pid_fd = -1, .report_fd = -1, .report = BUF_MAX(RECORD_MAX) };
	s->timer = (struct loop_timer){ .fn = on_lock_released, .cookie = s };
	return s;
}

/* The environment without what the service manager gave to the supervisor alone. */
static char **
shim_environment(void)
{
	static const char *const own[] = { "NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_" };
	size_t n = 0, i;
	char **env;

	for (i = 0; environ[i]; i++)
		;
	env = xcalloc(i + 1, sizeof *env);
	for (i = 0; environ[i]; i++) {
		bool is_own = false;

		for (size_t k = 0; k < sizeof own / sizeof *own; k++)
			is_own |= strncmp(environ[i], own[k], strlen(own[k])) == 0;
		if (!is_own)
			env[n++] = environ[i];
	}
	return env;
}

/* The shim in a session of its own, with the lock as descriptor 3 and the report's pipe as 4. */
static int
spawn_shim(struct supervise *s, const char *shim, int lock_fd, int report_fd, bool inherit)
{
	char lock[] = "--lock=3", report[] = "--report=4", name[] = "rejoin-shim";
	char *const argv[] = { name, lock, report, s->dir, NULL };
	_cleanup_free_ char **env = shim_environment();
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, dfl;
	int r;

	sigemptyset(&none);
	sigfillset(&dfl);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setsigdefault(&at, &dfl);
	posix_spawn_file_actions_init(&fa);
	/* both are 10 or above, so that neither is overwritten by the other */
	posix_spawn_file_actions_adddup2(&fa, lock_fd, LOCK_FD);
	posix_spawn_file_actions_adddup2(&fa, report_fd, REPORT_FD);
	for (int fd = 0; fd < 3 && !inherit; fd++)
		posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", O_RDWR, 0);
	r = posix_spawn(&s->child, shim, &fa, &at, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	if (r != 0)
		s->child = 0;
	return -r;
}

static int
high_fd(int fd)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
	int e = errno;

	io_closep(&fd);
	errno = e;
	return high;
}

static int
start_child(struct supervise *s, const char *shim, int lock_fd, bool inherit, struct fail *f)
{
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail_errno(f, errno, "pipe");
	fds[1] = high_fd(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	s->report_fd = fds[0];
	r = fds[1] < 0 ? -errno : spawn_shim(s, shim, lock_fd, fds[1], inherit);
	io_closep(&fds[1]);
	if (r < 0)
		return fail_errno(f, r, "%s", shim);
	s->pid_fd = pidfd_open(s->child, 0);
	if (s->pid_fd < 0)	/* no descriptor left: it runs, so ask for its lock */
		loop_timer_set(s->loop, &s->timer, POLL_MS);
	else
		loop_watch(s->loop, s->pid_fd, POLLIN, shim_ended, s);
	loop_watch(s->loop, s->report_fd, POLLIN, shim_reports, s);
	return 0;
}

static void
unit_started(const struct spawn_result *r, void *cookie)
{
	struct supervise *s = cookie;

	s->unit = NULL;
	if (r->status != 0) {
		buf_reset(&s->report);
		buf_puts(&s->report, "systemd-run: ");
		if (r->err.len > 0)
			buf_puts(&s->report, r->err.s);
		else
			spawn_describe(r, &s->report);
	}
	on_lock_released(s);
}

/* In a cgroup, mount namespace and sandbox of its own, not in the supervisor's. */
static void
start_unit(struct supervise *s, const struct supervise_spec *spec, const char *shim)
{
	_cleanup_free_ char *unit = xasprintf("--unit=%s", spec->unit);
	_cleanup_free_ char *slice = xasprintf("--slice=%s", spec->slice ? spec->slice : "system.slice");
	const char *const argv[] = {
		"systemd-run", "--quiet", "--collect", unit, slice, "--service-type=notify",
		"-pKillMode=mixed", "-pDelegate=yes", "-pOOMPolicy=continue", "-pTimeoutStopSec=infinity",
		"-pStandardOutput=null", "-pStandardError=journal", "--", shim, s->dir, NULL,
	};
	const struct spawn_spec run = { .argv = (char *const *)(uintptr_t)argv, .out_max = RECORD_MAX,
	    .timeout_ms = UNIT_TIMEOUT_MS, .grace_ms = POLL_MS };

	s->unit = spawn_start(s->loop, &run, unit_started, s);
}

/* The lock, taken here and inherited by the shim: there is no moment in which nothing holds it. */
static int
lock_run(const char *dir, struct fail *f)
{
	_cleanup_free_ char *path = xasprintf("%s/lock", dir);
	int fd = high_fd(lock_open(path, 0600)), r = fd < 0 ? -errno : lock_try(fd);

	if (r == 0)
		return fd;
	io_closep(&fd);
	if (r == -EAGAIN) {
		fail_set(f, EXIT_BUSY, "%s: is running", dir);
		return -EBUSY;
	}
	return fail_errno(f, r, "%s", path);
}

static bool
wants_stdio(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/request.json", dir);
	_cleanup_json_ struct json v = JSON_ABSENT;
	const char *stdio;
	struct fail f;

	if (json_load(path, FILE_NOFOLLOW, LAUNCH_REQUEST_MAX, &v, &f) < 0)
		return false;
	stdio = json_get_text(v, "stdio");
	return stdio && strcmp(stdio, "inherit") == 0;
}

struct supervise *
supervise_start(struct loop *l, const struct supervise_spec *spec, supervise_done *done,
    void *cookie, struct fail *f)
{
	_cleanup_free_ char *shim = dirs_helper("rejoin-shim");
	_cleanup_free_ char *started = xasprintf("%s/started", spec->dir);
	_cleanup_fd_ int lock_fd = lock_run(spec->dir, f);
	struct supervise *s;

	if (lock_fd < 0)
		return NULL;
	if (faccessat(AT_FDCWD, started, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		fail_set(f, EXIT_BUSY, "%s: was started before", spec->dir);
		return NULL;
	}
	s = supervise_new(l, spec->dir, done, cookie);
	if (spec->unit) {
		lock_release(lock_fd);	/* systemd passes no descriptor on: the shim takes it */
		start_unit(s, spec, shim);
		return s;
	}
	if (start_child(s, shim, lock_fd, wants_stdio(spec->dir), f) == 0)
		return s;
	supervise_free(s);
	return NULL;
}

struct supervise *
supervise_adopt(struct loop *l, const char *dir, supervise_done *done, void *cookie)
{
	struct supervise *s = supervise_new(l, dir, done, cookie);

	loop_timer_set(l, &s->timer, 0);
	return s;
}

void
supervise_forget(struct supervise *s)
{
	if (!s)
		return;
	if (s->unit)
		spawn_kill(s->unit);
	supervise_free(s);
}

/* --- what is wanted of a running shim */

static int
replace_record(const char *dir, const char *name, const struct buf *b)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);

	return file_replace(path, b->s, b->len, 0600, 0);
}

/*
 * SIGNO to the shim.  One that has not written `started` yet reads its files
 * after that, and needs no signal.
 */
static int
signal_shim(const char *dir, int signo)
{
	_cleanup_fd_ int fd = -1;
	struct supervise_view v;
	struct fail f;
	int r = supervise_examine(dir, &v, &f);

	if (r < 0)
		return r;
	if (v.state != SUPERVISE_RUNNING)
		return -ESRCH;
	if (v.started.shim == 0)
		return 0;
	fd = procs_open(v.started.shim, v.started.shim_ticks);
	if (fd < 0)
		return fd;
	return pidfd_send_signal(fd, signo, NULL, 0) < 0 ? -errno : 0;
}

int
supervise_end(const char *dir, enum outcome_why why, int signo, int64_t grace_ms)
{
	_cleanup_json_ struct json v = json_object();
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	json_set_text(&v, "why", outcome_why_name(why));
	json_set(&v, "signal", json_number(signo ? signo : SIGTERM));
	if (grace_ms >= 0)
		json_set(&v, "grace_ms", json_number((double)grace_ms));
	json_format(v, &b);
	buf_putc(&b, '\n');
	r = replace_record(dir, "end", &b);
	if (r == 0)
		return signal_shim(dir, SIGUSR1);
	/* a full disk is no reason to let it run: without the details, then */
	signal_shim(dir, SIGTERM);
	return r;
}

void
supervise_format_lease(const char *path, struct buf *out)
{
	_cleanup_json_ struct json v = json_object();

	json_set(&v, "file", path ? json_string(path) : json_null());
	json_format(v, out);
	buf_putc(out, '\n');
}

int
supervise_set_lease(const char *dir, const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	supervise_format_lease(path, &b);
	r = replace_record(dir, "lease", &b);
	if (r == 0)
		r = signal_shim(dir, SIGUSR1);
	return r == -ESRCH ? 0 : r;
}
