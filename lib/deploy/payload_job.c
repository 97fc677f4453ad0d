#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/xalloc.h"
#include "deploy/payload_job.h"

enum { GRACE_MS = 100 };

struct payload_job {
	struct loop *loop;
	struct loop_child *child;
	int fd;				/* a struct fail comes from it where the child failed */
	payload_job_done *done;
	void *cookie;
};

static int
fetch_all(const struct payload *const *files, const struct payload *skip, const char *cache,
    const char *folder, struct fail *f)
{
	int r = 0;

	for (; r == 0 && *files; files++) {
		_cleanup_free_ char *path = NULL;

		if (*files == skip)
			continue;
		r = payload_fetch(*files, cache, &path, f);
		if (r == 0)
			r = payload_place(*files, cache, folder, false, f);
	}
	return r;
}

/* In the child: none of our descriptors, default signals, and it ends with us. */
static void
become_child(pid_t parent, int *report_fd)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* locks among them: they must not outlive the agent */
	if (dup2(*report_fd, 3) == 3) {
		*report_fd = 3;
		close_range(4, ~0U, 0);
	}
}

static void
child_ended(const struct loop_child_end *e, void *cookie)
{
	struct payload_job *j = cookie;
	struct fail f;
	const bool said = io_read(j->fd, &f, sizeof f) == (ssize_t)sizeof f;

	if (!said && e->signo)
		fail_set(&f, EXIT_TROUBLE, "fetching payloads: killed by signal %d", e->signo);
	else if (!said)
		fail_set(&f, EXIT_TROUBLE, "fetching payloads: exited with %d", e->status);
	j->done(e->status == 0 && !e->ended ? NULL : &f, j->cookie);
	close(j->fd);
	free(j);
}

struct payload_job *
payload_job_start(struct loop *l, const struct payload *const *files, const struct payload *skip,
    const char *cache, const char *folder, payload_job_done *done, void *cookie, struct fail *f)
{
	struct payload_job *j;
	const pid_t parent = getpid();
	struct fail why = { .status = EXIT_OK };
	int report[2];
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0) {
		fail_errno(f, errno, "pipe");
		return NULL;
	}
	pid = fork();
	if (pid == 0) {
		become_child(parent, &report[1]);
		if (fetch_all(files, skip, cache, folder, &why) == 0)
			_exit(0);
		io_write_all(report[1], &why, sizeof why);
		_exit(1);
	}
	close(report[1]);
	if (pid < 0) {
		fail_errno(f, errno, "fork");
		close(report[0]);
		return NULL;
	}
	setpgid(pid, pid);
	j = xcalloc(1, sizeof *j);
	*j = (struct payload_job){ .loop = l, .fd = report[0], .done = done, .cookie = cookie };
	j->child = loop_child_add(l, &(struct loop_child_spec){ .pid = pid, .grace_ms = GRACE_MS }, child_ended, j);
	if (j->child)
		return j;
	fail_errno(f, errno, "pidfd_open");
	close(report[0]);
	free(j);
	return NULL;
}

void
payload_job_end(struct payload_job *j)
{
	loop_child_end(j->child);
}
