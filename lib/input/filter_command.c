#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/xalloc.h"
#include "input/filter_command.h"

enum { COPY_SIZE = 64 << 10 };

extern char **environ;

char *const *
filter_command_of(const char *path)
{
	static char gzip[] = "gzip", xz[] = "xz", zstd[] = "zstd", bzip2[] = "bzip2", dc[] = "-dc";
	static const struct { const char *ending; char *argv[3]; } known[] = {
		{ ".gz", { gzip, dc, NULL } }, { ".xz", { xz, dc, NULL } },
		{ ".zst", { zstd, dc, NULL } }, { ".bz2", { bzip2, dc, NULL } },
	};
	size_t n = strlen(path);

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t m = strlen(known[i].ending);

		if (n > m && strcmp(path + n - m, known[i].ending) == 0)
			return known[i].argv;
	}
	return NULL;
}

int
filter_command_start(char *const *argv, int in_fd, pid_t *pid)
{
	posix_spawn_file_actions_t acts;
	posix_spawnattr_t attr;
	sigset_t none, pipe_signal;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	sigemptyset(&none);
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	posix_spawn_file_actions_init(&acts);
	if (in_fd >= 0)
		posix_spawn_file_actions_adddup2(&acts, in_fd, 0);
	else
		posix_spawn_file_actions_addopen(&acts, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&acts, fds[1], 1);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe_signal);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawnp(pid, argv[0], &acts, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&acts);
	posix_spawnattr_destroy(&attr);
	close(fds[1]);
	if (r != 0) {
		close(fds[0]);
		return -r;
	}
	return fds[0];
}

int
filter_command_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGPIPE ? 0 : 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

static int
copy_all(int from, int to)
{
	_cleanup_free_ char *b = xrealloc(NULL, COPY_SIZE, 1);
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = io_read(from, b, COPY_SIZE)) != 0)
		r = n < 0 ? (int)n : io_write_all(to, b, (size_t)n);
	return r;
}

int
filter_command_spool(char *const *argv, int in_fd, int *status)
{
	int to = file_open_nameless(), from, r;
	pid_t pid;

	if (to < 0)
		return to;
	from = filter_command_start(argv, in_fd, &pid);
	if (from < 0) {
		close(to);
		return from;
	}
	r = copy_all(from, to);
	close(from);
	*status = filter_command_end(pid);
	if (r < 0) {
		close(to);
		return r;
	}
	return to;
}

int
filter_command_unpack(char *const *argv, int in_fd)
{
	int status, fd = filter_command_spool(argv, in_fd, &status);

	if (fd >= 0 && status != 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}
