/*
 * activator PATH CMD [ARG]... - the service manager's side of socket activation,
 * for tests.
 *
 * Listens on the Unix socket PATH, and whenever a connection waits and CMD does
 * not run, runs it with the socket as sd_listen_fds(3) has it.  The pid of CMD
 * stands in PATH.pid.  SIGTERM ends CMD, then the activator.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/xalloc.h"

static int
listen_on(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof a.sun_path)
		die(EXIT_USAGE, 0, "%s: too long", path);
	memcpy(a.sun_path, path, strlen(path));
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 1024) < 0)
		die(EXIT_TROUBLE, errno, "%s", path);
	return fd;
}

static pid_t
run(int listen_fd, char *argv[], const char *pid_file)
{
	pid_t pid = fork();
	char text[32];

	if (pid < 0)
		die(EXIT_TROUBLE, errno, "fork");
	snprintf(text, sizeof text, "%jd\n", (intmax_t)(pid ? pid : getpid()));
	if (pid > 0) {
		file_write(pid_file, text, strlen(text));
		return pid;
	}
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (listen_fd != 3)
		dup2(listen_fd, 3);
	else
		fcntl(3, F_SETFD, 0);
	text[strcspn(text, "\n")] = '\0';
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", "1", 1);
	execvp(argv[0], argv);
	_exit(127);
}

int
main(int argc, char *argv[])
{
	char *pid_file;
	sigset_t ends;
	pid_t pid = 0;
	int listen_fd, signal_fd, pid_fd = -1;

	diag_init(argv);
	if (argc < 3)
		die(EXIT_USAGE, 0, "needs a path and a command");
	pid_file = xasprintf("%s.pid", argv[1]);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signal_fd = signalfd(-1, &ends, SFD_CLOEXEC);
	listen_fd = listen_on(argv[1]);
	for (;;) {
		struct pollfd p[2] = { { signal_fd, POLLIN, 0 }, { pid ? pid_fd : listen_fd, POLLIN, 0 } };

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			break;
		if (pid) {
			waitpid(pid, NULL, 0);
			close(pid_fd);
			pid = 0;
			unlink(pid_file);
		} else {
			pid = run(listen_fd, argv + 2, pid_file);
			pid_fd = pidfd_open(pid, 0);
		}
	}
	if (pid) {
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
	}
	unlink(argv[1]);
	unlink(pid_file);
	free(pid_file);
	return 0;
}
