#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/io.h"

enum { KEPT_MIN = 200 };

static void
no_terminal(void)
{
	int fd;

	if (!isatty(STDIN_FILENO))
		return;
	fd = open("/dev/null", O_RDONLY);
	if (fd > STDIN_FILENO) {
		dup2(fd, STDIN_FILENO);
		close(fd);
	}
}

/* Never returns: it becomes ARGV, or tells REPORT_FD why not. */
static void
child_exec(char *const *argv, pid_t parent, int keep_fd, int report_fd)
{
	sigset_t none;
	int err;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(128 + SIGTERM);	/* gone before it could be asked for */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	no_terminal();
	/* where a script's own "exec 3>FILE" does not put something in its place */
	if (keep_fd >= 0 && fcntl(keep_fd, F_DUPFD, KEPT_MIN) < 0)
		fcntl(keep_fd, F_SETFD, 0);
	execvp(argv[0], argv);
	err = errno;
	io_write_all(report_fd, &err, sizeof err);
	_exit(127);
}

int
child_start(struct child *c, char *const *argv, int keep_fd)
{
	const pid_t parent = getpid();
	struct sigaction sa;
	int report[2], err = 0;

	/* as base/spawn: the kernel would not tell how it ended */
	if (sigaction(SIGCHLD, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	c->pid = fork();
	if (c->pid == 0)
		child_exec(argv, parent, keep_fd, report[1]);
	if (c->pid < 0)
		err = errno;
	close(report[1]);
	if (c->pid > 0)
		setpgid(c->pid, c->pid);	/* here as in the child, as a signal may have to reach the group at once */
	if (c->pid > 0 && io_read(report[0], &err, sizeof err) == 0) {
		c->fd = pidfd_open(c->pid, 0);
		if (c->fd < 0) {
			err = errno;
			kill(-c->pid, SIGKILL);
		}
	}
	close(report[0]);
	if (err) {
		if (c->pid > 0)
			waitpid(c->pid, NULL, 0);
		c->pid = 0;
	}
	return -err;
}

void
child_signal(const struct child *c, int signo)
{
	if (c->pid > 0)
		kill(-c->pid, signo);
}

int
child_reap(struct child *c)
{
	int status = 0;

	/* the number of the process, and so of its group, is not reused before the wait */
	kill(-c->pid, SIGTERM);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	io_closep(&c->fd);
	c->fd = -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
