#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/procset.h"
#include "base/procstat.h"
#include "base/xalloc.h"
#include "supervise/procs.h"

enum { STOP_ROUNDS = 20 };

struct proc {
	pid_t pid, parent, session;
	uint64_t ticks;
	bool below;
};

struct proc_list {
	struct proc *p;
	size_t n, cap;
};

int
procs_start_time(pid_t pid, uint64_t *ticks)
{
	struct procstat s;
	const int r = procstat_read_alive(pid, &s);

	if (r == 0)
		*ticks = s.start;
	return r;
}

int
procs_open(pid_t pid, uint64_t ticks)
{
	_cleanup_fd_ int fd = pid > 1 ? pidfd_open(pid, 0) : -1;
	uint64_t now = 0;
	int r;

	if (fd < 0)
		return pid > 1 ? -errno : -ESRCH;
	r = procs_start_time(pid, &now);	/* after the pidfd: it cannot change any more */
	if (r < 0 || now != ticks)
		return r < 0 ? r : -ESRCH;
	r = fd;
	fd = -1;
	return r;
}

static void
procs_list(struct proc_list *l)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;

	l->n = 0;
	while (dir && (d = readdir(dir))) {
		const pid_t pid = isdigit((unsigned char)d->d_name[0]) ? atoi(d->d_name) : 0;
		struct procstat s;

		if (pid == 0 || procstat_read_alive(pid, &s) < 0)
			continue;
		l->p = xgrow(l->p, l->n, &l->cap, sizeof *l->p);
		l->p[l->n++] = (struct proc){ pid, s.parent, s.session, s.start, false };
	}
	if (dir)
		closedir(dir);
}

/* Parents may be listed after their children, so repeat until nothing is added. */
static void
mark_below(struct proc_list *l, pid_t root)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < l->n; i++) {
			bool below = l->p[i].parent == root;

			if (l->p[i].below || l->p[i].pid == root)
				continue;
			for (size_t k = 0; k < l->n && !below; k++)
				below = l->p[k].below && l->p[k].pid == l->p[i].parent;
			l->p[i].below = below;
			more |= below;
		}
	}
}

/* Through a pidfd, checked: the process that was listed is the one that is signalled. */
static int
proc_signal(const struct proc *p, int signo)
{
	_cleanup_fd_ int fd = procs_open(p->pid, p->ticks);

	return fd >= 0 && pidfd_send_signal(fd, signo, NULL, 0) == 0;
}

static int
signal_marked(const struct proc_list *l, int signo)
{
	int n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].below)
			n += proc_signal(&l->p[i], signo);
	return n;
}

int
procs_signal_below(pid_t root, int signo)
{
	struct proc_list l = { NULL, 0, 0 };
	int n;

	procs_list(&l);
	mark_below(&l, root);
	n = signal_marked(&l, signo);
	free(l.p);
	return n;
}

int
procs_kill_below(pid_t root)
{
	struct proc_list l = { NULL, 0, 0 };
	int n = -1, before;

	/* until a round finds no more than the one before: all of them are stopped */
	for (int i = 0; i < STOP_ROUNDS; i++) {
		before = n;
		procs_list(&l);
		mark_below(&l, root);
		n = signal_marked(&l, SIGSTOP);
		if (n <= before || n == 0)
			break;
	}
	n = signal_marked(&l, SIGKILL);
	free(l.p);
	return n;
}

int
procs_kill_session(pid_t sid, uint64_t ticks, const char *mark)
{
	struct proc_list l = { NULL, 0, 0 };
	bool reused = false;
	int n;

	procs_list(&l);
	/* a leader with another start time: the pid is in use by something else */
	for (size_t i = 0; i < l.n; i++)
		reused |= l.p[i].pid == sid && l.p[i].ticks != ticks;
	for (size_t i = 0; i < l.n; i++)
		l.p[i].below = !reused && sid > 1 && l.p[i].session == sid && l.p[i].ticks >= ticks;
	n = signal_marked(&l, SIGKILL);
	free(l.p);
	return n + procset_signal_mark(mark, SIGKILL);
}
