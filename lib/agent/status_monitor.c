#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/process.h"
#include "agent/status_method.h"
#include "agent/status_monitor.h"
#include "base/filewatch.h"
#include "base/xalloc.h"

enum { FIRST_MS = 500, LAST_MS = 60 * 1000 };

struct status_monitor {
	struct loop *loop;
	const struct profile *profile;
	loop_fn *changed;
	void *cookie;
	struct filewatch *file;		/* NULL unless it has a status file */
	int pidfd;			/* -1 for none */
	int64_t pause_ms;
	struct loop_timer again;
};

int
status_monitor_read(const struct profile *p, struct status *s, struct fail *f)
{
	const char *pid_file = p->restart.pid_file ? p->restart.pid_file : p->retry.pid_file;
	int r = status_read(p, s, f);
	struct fail ignored;

	if (r < 0 || s->pid || !pid_file)
		return r;
	if (process_find(p, pid_file, &s->pid, &ignored) == 0) {
		s->running = 1;
		status_method_read_incarnation(s);
	} else if (ignored.status == EXIT_ABSENT) {
		s->running = 0;
	}
	return r;
}

static void status_monitor_attach(void *cookie);

static void
process_ended(int fd, short events, void *cookie)
{
	struct status_monitor *m = cookie;

	(void)events;
	loop_unwatch(m->loop, fd);
	close(fd);
	m->pidfd = -1;
	m->pause_ms = FIRST_MS;
	loop_timer_set(m->loop, &m->again, m->pause_ms);
	m->changed(m->cookie);
}

/* Monitor the process, or look for it again later. */
static void
status_monitor_attach(void *cookie)
{
	struct status_monitor *m = cookie;
	struct status s;
	struct fail f;

	if (status_monitor_read(m->profile, &s, &f) == 0 && s.pid > 0)
		m->pidfd = (int)syscall(SYS_pidfd_open, s.pid, 0);
	if (m->pidfd >= 0) {
		loop_watch(m->loop, m->pidfd, POLLIN, process_ended, m);
		m->changed(m->cookie);
		return;
	}
	loop_timer_set(m->loop, &m->again, m->pause_ms);
	m->pause_ms = m->pause_ms * 2 < LAST_MS ? m->pause_ms * 2 : LAST_MS;
}

static void
file_changed(bool names, void *cookie)
{
	struct status_monitor *m = cookie;

	(void)names;
	m->changed(m->cookie);
}

struct status_monitor *
status_monitor_new(struct loop *l, const struct profile *p, loop_fn *changed, void *cookie)
{
	struct status_monitor *m = xcalloc(1, sizeof *m);

	*m = (struct status_monitor){ .loop = l, .profile = p, .changed = changed, .cookie = cookie,
	    .pidfd = -1, .pause_ms = FIRST_MS, .again = { .fn = status_monitor_attach, .cookie = m } };
	if (p->status.method == STATUS_FILE) {
		m->file = filewatch_new(l, FILEWATCH_POLL_MS);
		filewatch_add(m->file, p->status.path, FILEWATCH_PATH, file_changed, m);
	} else {
		loop_timer_set(l, &m->again, 0);
	}
	return m;
}

void
status_monitor_free(struct status_monitor *m)
{
	if (!m)
		return;
	loop_timer_stop(m->loop, &m->again);
	filewatch_free(m->file);
	if (m->pidfd >= 0) {
		loop_unwatch(m->loop, m->pidfd);
		close(m->pidfd);
	}
	free(m);
}
