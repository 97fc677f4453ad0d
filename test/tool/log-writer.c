/*
 * log-writer FILE N HOW... - write N numbered lines into FILE, which is rotated
 * every 50 ms, in one of the ways HOW, by turns: "rename" or "copytruncate".
 * KEEP old files are kept.  It ends when all lines are written.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEEP = 150, ROTATE_MS = 50, PAUSE_US = 300 };

static long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char b[65536];
	ssize_t n;

	while ((n = read(in, b, sizeof b)) > 0)
		if (write(out, b, (size_t)n) != n)
			exit(3);
	close(in);
	close(out);
}

static void
rotate(const char *path, const char *how, int *fd)
{
	char from[4096], to[4096];

	for (int i = KEEP; i > 0; i--) {
		snprintf(from, sizeof from, "%s.%d", path, i);
		snprintf(to, sizeof to, "%s.%d", path, i + 1);
		rename(from, to);
	}
	snprintf(to, sizeof to, "%s.1", path);
	if (strcmp(how, "rename") == 0) {
		rename(path, to);
		close(*fd);
		*fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	} else {
		copy(path, to);
		if (ftruncate(*fd, 0) < 0)
			exit(3);
	}
}

int
main(int argc, char *argv[])
{
	int fd = argc > 3 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1, turn = 0;
	long n = argc > 3 ? atol(argv[2]) : 0, at = now_ms() + ROTATE_MS;

	if (fd < 0)
		return 2;
	for (long i = 1; i <= n; i++) {
		time_t s = 1795255200 + i / 1000;
		struct tm tm;
		char text[128], day[32];
		int len;

		gmtime_r(&s, &tm);
		strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
		len = snprintf(text, sizeof text, "%s.%03ldZ line %08ld\n", day, i % 1000, i);
		if (write(fd, text, (size_t)len) != len)
			return 3;
		usleep(PAUSE_US);
		if (now_ms() >= at) {
			rotate(argv[1], argv[3 + turn++ % (argc - 3)], &fd);
			at = now_ms() + ROTATE_MS;
		}
	}
	return 0;
}
