/*
 * adu-reader - reads a command pipe as the Azure agent does, and counts.
 *
 *	adu-reader [--latency MS] [--hold] [--take N] PIPE COUNTS
 *
 * It opens the pipe for reading (which waits for a writer), reads frames of 64
 * bytes, and closes it at the end of each writer, to open it again at once.
 * After each frame COUNTS holds "FRAMES SHORT UNKNOWN", replaced atomically.
 * --latency: sleep after each open and each frame.  --hold: open it and read
 * nothing.  --take: end after N frames.  SIGTERM ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void
nap(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	if (ms > 0)
		nanosleep(&t, NULL);
}

/* SIGTERM ends it where it waits, never between a frame and its counting. */
static void
let_end(int how)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(how, &term, NULL);
}

static void
note(const char *path, const long counts[3])
{
	char tmp[4096];
	FILE *f;

	snprintf(tmp, sizeof tmp, "%s.new", path);
	f = fopen(tmp, "w");
	if (!f || fprintf(f, "%ld %ld %ld\n", counts[0], counts[1], counts[2]) < 0 ||
	    fclose(f) == EOF || rename(tmp, path) < 0) {
		perror(path);
		exit(3);
	}
}

int
main(int argc, char *argv[])
{
	long counts[3] = { 0 }, latency = 0, take = -1;
	bool hold = false;
	int i, fd = -1;

	for (i = 1; i < argc - 2; i++) {
		if (strcmp(argv[i], "--hold") == 0)
			hold = true;
		else if (strcmp(argv[i], "--latency") == 0)
			latency = atol(argv[++i]);
		else if (strcmp(argv[i], "--take") == 0)
			take = atol(argv[++i]);
	}
	if (argc - i != 2)
		return 2;
	if (mkfifo(argv[i], 0660) < 0 && errno != EEXIST)
		return 3;
	note(argv[i + 1], counts);
	if (hold) {
		fd = open(argv[i], O_RDONLY | O_NONBLOCK);
		if (fd < 0)
			return 3;
		for (;;)
			pause();
	}
	while (take < 0 || counts[0] < take) {
		struct pollfd in = { .fd = fd, .events = POLLIN };
		char b[64];
		ssize_t n;

		if (fd < 0) {
			let_end(SIG_UNBLOCK);
			fd = open(argv[i], O_RDONLY);
			let_end(SIG_BLOCK);
			nap(latency);
			continue;
		}
		/* not in read(2): SIGTERM could come between its return and the next call */
		let_end(SIG_UNBLOCK);
		poll(&in, 1, -1);
		let_end(SIG_BLOCK);
		n = read(fd, b, sizeof b);
		if (n <= 0) {
			close(fd);
			fd = -1;
			continue;
		}
		if (n < (ssize_t)sizeof b)
			counts[1]++;
		else if (memchr(b, '\0', sizeof b) && strcmp(b, "retry-update") == 0)
			counts[0]++;
		else
			counts[2]++;
		note(argv[i + 1], counts);
		nap(latency);
	}
	return 0;
}
