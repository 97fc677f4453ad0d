#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/hlc.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/num.h"
#include "base/sdnotify.h"
#include "base/xalloc.h"
#include "task/agent.h"
#include "task/routes.h"
#include "task/taskd.h"

enum { LISTEN_FDS_START = 3, BACKLOG = 1024, TICK_MS = 1000, DIAL_CHUNK = 64 << 10 };

struct taskd {
	struct loop *loop;
	struct server *server;
	struct hlc clock;
	struct task_agent agent;
	const char *made;	/* the path of a socket of ours; NULL */
	int64_t idle_ms;
	struct loop_timer tick;
};

/* --- configuration */

static int
conf_number(const struct ini_entry *e, int64_t lo, int64_t hi, int64_t *out, struct fail *f)
{
	if (num_parse(e->value, lo, hi, out) < 0)
		return ini_bad(e, f, "%s: not a number from %jd to %jd: '%s'", e->key, (intmax_t)lo, (intmax_t)hi,
		    e->value);
	return 0;
}

static int
conf_size(const struct ini_entry *e, int64_t *out, struct fail *f)
{
	if (num_parse_size(e->value, out) < 0 || *out < 1 << 20)
		return ini_bad(e, f, "%s: not a size of at least 1M: '%s'", e->key, e->value);
	return 0;
}

/* "50%": the sign says what the number is, so it is required. */
static int
conf_percent(const struct ini_entry *e, int64_t *out, struct fail *f)
{
	const size_t len = strlen(e->value);
	_cleanup_free_ char *digits = xstrndup(e->value, len > 0 ? len - 1 : 0);

	if (len == 0 || e->value[len - 1] != '%' || num_parse(digits, 1, 100, out) < 0)
		return ini_bad(e, f, "%s: not a share from 1%% to 100%%: '%s'", e->key, e->value);
	return 0;
}

static int
conf_group(const struct ini_entry *e, gid_t *out, struct fail *f)
{
	const struct group *g = getgrnam(e->value);

	if (!g)
		return ini_bad(e, f, "%s: no such group: '%s'", e->key, e->value);
	*out = g->gr_gid;
	return 0;
}

static int
conf_entry(const struct ini_entry *e, void *cookie, struct fail *f)
{
	struct taskd_conf *c = cookie;

	if (strcmp(e->section, "taskd") != 0)
		return ini_unknown(e, "taskd", f);
	if (!e->key)
		return 0;
	if (strcmp(e->key, "tasks") == 0)
		return conf_number(e, 1, 100000, &c->limits.tasks, f);
	if (strcmp(e->key, "running") == 0)
		return conf_number(e, 1, 10000, &c->limits.running, f);
	if (strcmp(e->key, "log-max") == 0)
		return conf_size(e, &c->limits.log_max, f);
	if (strcmp(e->key, "log-total") == 0)
		return conf_size(e, &c->limits.log_total, f);
	if (strcmp(e->key, "history-max") == 0)
		return conf_size(e, &c->limits.history_max, f);
	if (strcmp(e->key, "user-share") == 0)
		return conf_percent(e, &c->limits.user_share, f);
	if (strcmp(e->key, "admin-group") == 0)
		return conf_group(e, &c->admin_group, f);
	if (strcmp(e->key, "idle") == 0)
		return ini_duration(e, &c->idle_ms, f);
	return ini_unknown(e, "tasks running log-max log-total history-max user-share admin-group idle", f);
}

int
taskd_load_conf(const char *path, struct taskd_conf *c, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r = file_load(path, FILE_TRUSTED, FILE_DATA_MAX, &b, f);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : ini_parse(path, b.s, b.len, conf_entry, c, f);
}

/* --- the socket */

char *
taskd_socket_path(void)
{
	return xasprintf("%s/taskd.sock", dirs_runtime());
}

static int
address_of(const char *path, struct sockaddr_un *a, struct fail *f)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* it would be the name of an abstract socket, which has no mode */
	if (!*path)
		return fail_set(f, EXIT_USAGE, "a socket's path is empty");
	if (strlen(path) >= sizeof a->sun_path)
		return fail_set(f, EXIT_USAGE, "%s: longer than the %zu bytes of a socket's path", path,
		    sizeof a->sun_path - 1);
	memcpy(a->sun_path, path, strlen(path));
	return 0;
}

/* sd_listen_fds(3): the one socket that was passed; -1 where there is none. */
static int
passed_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int64_t p, n;

	if (!pid || !fds || num_parse(pid, 1, INT32_MAX, &p) < 0 || p != getpid() ||
	    num_parse(fds, 1, 1, &n) < 0)
		return -1;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	fcntl(LISTEN_FDS_START, F_SETFD, FD_CLOEXEC);
	return LISTEN_FDS_START;
}

/* A socket that nothing listens on any more is left from a life that was killed. */
static bool
is_served(const struct sockaddr_un *a)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof *a) == 0;
}

/* *FD, which is the caller's from here on. */
static int
release_fd(int *fd)
{
	int mine = *fd;

	*fd = -1;
	return mine;
}

/* What is left of one that was killed makes room; a file of another kind does not. */
static int
clear_path(const char *path, struct fail *f)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail_errno(f, errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return fail_set(f, EXIT_TROUBLE, "%s: is there, and is not a socket", path);
	return unlink(path) < 0 && errno != ENOENT ? fail_errno(f, errno, "%s", path) : 0;
}

static int
listen_on(const char *path, struct fail *f)
{
	_cleanup_fd_ int fd = -1;
	struct sockaddr_un a;
	mode_t mask;
	int r;

	if (address_of(path, &a, f) < 0)
		return -EINVAL;
	if (is_served(&a))
		return fail_set(f, EXIT_BUSY, "%s: another rejoin-taskd listens there", path);
	r = clear_path(path, f);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_errno(f, errno, "socket");
	mask = umask(0117);
	r = bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, BACKLOG) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return fail_errno(f, r, "%s", path);
	return release_fd(&fd);
}

/* --- serving */

static void
task_changed(void *cookie)
{
	struct taskd *d = cookie;

	if (d->agent.waiters)	/* not while the store is being opened */
		waiters_wake(d->agent.waiters);
}

static void
on_tick(void *cookie)
{
	struct taskd *d = cookie;
	const struct store *s = d->agent.store;
	const int64_t quiet = clock_mono_ms() - server_last_ms(d->server);

	store_sweep(d->agent.store);
	if (d->idle_ms && quiet >= d->idle_ms && server_waiting(d->server) == 0 && !store_is_pending(s) &&
	    !sessions_any_valid(store_sessions(d->agent.store), lease_now_ns() / 1000000)) {
		loop_stop(d->loop, EXIT_OK);
		return;
	}
	loop_timer_set(d->loop, &d->tick, d->idle_ms && d->idle_ms < 4 * TICK_MS ? d->idle_ms / 4 + 1 : TICK_MS);
}

/* The store first: its lock is what keeps another agent from taking this one's socket away. */
static int
start_serving(struct taskd *d, const char *dir, const char *path, const struct taskd_conf *c, struct fail *f)
{
	int listen_fd = passed_socket();

	d->agent.store = store_open(d->loop, dir, &c->limits, &d->clock, task_changed, d, f);
	if (!d->agent.store)
		return -EIO;
	d->agent.run = hlc_next(&d->clock, clock_wall_ms());
	d->agent.admin_group = c->admin_group;
	d->agent.waiters = waiters_new(d->loop, &d->agent);
	if (listen_fd < 0) {
		listen_fd = listen_on(path, f);
		if (listen_fd < 0)
			return listen_fd;
		d->made = path;
	}
	d->server = server_new(d->loop, listen_fd, routes_handle, &d->agent, f);
	return d->server ? 0 : -EIO;
}

int
taskd_run(const char *dir, const char *path, const struct taskd_conf *c, struct fail *f)
{
	struct taskd d = { .loop = loop_new(), .idle_ms = c->idle_ms };
	int signo = 0, r;

	d.tick = (struct loop_timer){ .fn = on_tick, .cookie = &d };
	signal(SIGPIPE, SIG_IGN);
	loop_end_on_signals(d.loop, &signo);
	r = start_serving(&d, dir, path, c, f);
	if (r == 0) {
		sdnotify("READY=1");
		loop_timer_set(d.loop, &d.tick, TICK_MS);
		r = loop_run(d.loop);
		sdnotify("STOPPING=1");
	}
	store_settle(d.agent.store);
	waiters_free(d.agent.waiters);
	d.agent.waiters = NULL;
	server_free(d.server);
	if (d.made)
		unlink(d.made);
	store_close(d.agent.store);
	loop_timer_stop(d.loop, &d.tick);
	loop_free(d.loop);
	return r;
}

/* --- --dial */

/* One direction: FROM into TO; false at its end. */
static int
copy_some(int from, int to)
{
	static char chunk[DIAL_CHUNK];
	ssize_t n = io_read(from, chunk, sizeof chunk);

	if (n <= 0)
		return (int)n;
	n = io_write_all(to, chunk, (size_t)n);
	return n < 0 ? (int)n : 1;
}

int
taskd_dial(const char *path, struct fail *f)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
	struct sockaddr_un a;
	int r = 1;

	if (address_of(path, &a, f) < 0)
		return -EINVAL;
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		r = -errno;
		fail_errno(f, r, "%s", path);
		if (r == -ENOENT || r == -ECONNREFUSED) {
			f->status = EXIT_ABSENT;
			fail_hint(f, "start it: systemctl enable --now rejoin-taskd.socket");
		}
		return r;
	}
	signal(SIGPIPE, SIG_IGN);
	while (p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return fail_errno(f, errno, "poll");
		if (p[0].fd >= 0 && p[0].revents) {
			r = copy_some(STDIN_FILENO, fd);
			if (r == 0)
				shutdown(fd, SHUT_WR);
			if (r <= 0)
				p[0].fd = -1;
		}
		if (p[1].revents && copy_some(fd, STDOUT_FILENO) <= 0)
			p[1].fd = -1;	/* either the agent or the reader is gone */
	}
	return 0;
}
