/*
 * log-latency LINES FILE... -- CMD... - how long CMD, which follows FILE...,
 * takes from the append to one of them to the line in its output.  One line at
 * a time, 2 ms apart.  Prints the median and the 99th percentile in us.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILES_MAX = 64, PAUSE_US = 2000, WAIT_MS = 5000 };

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The time from the append of line I to FD until it comes out of OUT; -1 for never. */
static int64_t
one(int fd, int out, int i)
{
	struct pollfd pfd = { .fd = out, .events = POLLIN };
	char text[100], b[4096];
	struct timespec t;
	struct tm tm;
	int64_t start;
	ssize_t got = 0;
	int n;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	n = (int)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	n += snprintf(text + n, sizeof text - (size_t)n, ".%06ldZ line %d of a log as long as they are\n", t.tv_nsec / 1000, i);
	start = now_ns();
	if (write(fd, text, (size_t)n) != n)
		return -1;
	while (got < n) {
		ssize_t r;

		if (poll(&pfd, 1, WAIT_MS) <= 0)
			return -1;
		r = read(out, b, sizeof b);
		if (r <= 0)
			return -1;
		got += r;
	}
	return now_ns() - start;
}

int
main(int argc, char *argv[])
{
	int lines = argc > 2 ? atoi(argv[1]) : 0, fd[FILES_MAX], n = 0, fds[2], i = 2;
	int64_t *took = calloc((size_t)lines + 1, sizeof *took);
	pid_t pid;

	for (; i < argc && strcmp(argv[i], "--") != 0 && n < FILES_MAX; i++)
		fd[n++] = open(argv[i], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (!took || lines < 1 || n == 0 || i + 1 >= argc || pipe(fds) < 0)
		return 2;
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[i + 1], argv + i + 1);
		_exit(127);
	}
	close(fds[1]);
	usleep(500000);
	/* The first ones find files that were empty. */
	for (int k = 0; k < n; k++)
		if (one(fd[k], fds[0], -1) < 0)
			return 1;
	for (int k = 0; k < lines; k++) {
		usleep(PAUSE_US);
		took[k] = one(fd[k % n], fds[0], k);
		if (took[k] < 0)
			return 1;
	}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	qsort(took, (size_t)lines, sizeof *took, by_value);
	printf("%.1f %.1f\n", (double)took[lines / 2] / 1e3, (double)took[lines - 1 - lines / 100] / 1e3);
	return 0;
}
